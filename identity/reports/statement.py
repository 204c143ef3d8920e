"""Signed statements: compact JWS by ES256 over canonical JSON, each kind under a `typ` of its own (RFC 8725 §3.11).

What is said of PASSporTs holds here too: one form only, so that a statement has one digest, and the algorithm is a
constant. The form differs from a PASSporT's in its `typ`, so neither passes for the other.
"""

import hashlib
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from identity.base64url import decode_base64url, encode_base64url
from identity.errors import PassportError, StatementError
from identity.passport import ES256, canonical_json, decoded_object

STATEMENT_LIMIT = 16_384  # octets; one with the certificate of its signer has about 2,000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class UnverifiedStatement:
    """A statement of the right form; `x5c` is the chain that it carries, DER, perhaps empty."""

    unverified_claims: Mapping[str, object]
    x5c: tuple[bytes, ...]
    signing_input: bytes
    signature: bytes

    @property
    def digest(self) -> bytes:
        """Names the statement: SHA-256 of what was signed, since of one ECDSA signature anyone can make a second."""
        return hashlib.sha256(self.signing_input).digest()

    def verify(self, key: ec.EllipticCurvePublicKey) -> None:
        """Raise StatementError unless this key signed it."""
        if not ES256.verify(self.signing_input, key, self.signature):
            raise StatementError("signature", "the statement is not signed by the key that it must be by")

    def claims(self, shape: type[T]) -> T:
        """The claims as a dataclass, which names every one of them. Raises StatementError."""
        try:
            claims = msgspec.convert(self.unverified_claims, type=shape)
        except msgspec.ValidationError as error:
            raise StatementError("claims", f"the statement does not say what it must: {str(error)!a}") from error
        if msgspec.to_builtins(claims) != self.unverified_claims:
            raise StatementError("claims", "the statement says more than it may")
        return claims


def sign_statement(
    key: ec.EllipticCurvePrivateKey, typ: str, claims: Mapping[str, object], x5c: Sequence[bytes] = ()
) -> str:
    """Sign the claims as a statement of this kind; `x5c` is the signer's chain, DER, leaf first (RFC 7515 §4.1.6)."""
    header: dict[str, object] = {"alg": "ES256", "typ": typ}
    if x5c:
        header["x5c"] = [b64encode(der).decode() for der in x5c]
    signing_input = b".".join(encode_base64url(canonical_json(part)) for part in (header, claims))
    return (signing_input + b"." + encode_base64url(ES256.sign(signing_input, key))).decode()


def parse_statement(text: str | bytes, typ: str) -> UnverifiedStatement:
    """Read a statement of this kind, without verifying it. Raises StatementError."""
    token = text.encode("utf-8", "replace") if isinstance(text, str) else text
    segments = token.split(b".")
    if len(token) > STATEMENT_LIMIT or len(segments) != 3:
        raise StatementError("form", f"a statement has three parts and at most {STATEMENT_LIMIT} octets")
    try:
        header, claims, signature = decoded_object(segments[0]), decoded_object(segments[1]), segments[2]
        decoded = decode_base64url(signature)
    except (PassportError, ValueError) as error:
        raise StatementError("form", "a part of the statement is not base64url of canonical JSON") from error
    chain = _chain(header.get("x5c", []))
    names = {"alg", "typ", "x5c"} if chain else {"alg", "typ"}
    if header.keys() != names or (header["alg"], header["typ"]) != ("ES256", typ):
        raise StatementError("header", f"the statement is not one of the kind {typ}")
    return UnverifiedStatement(claims, chain, token[: -len(signature) - 1], decoded)


def _chain(x5c: object) -> tuple[bytes, ...]:
    if not isinstance(x5c, list) or not all(isinstance(each, str) for each in x5c):
        raise StatementError("header", "x5c is not a list of certificates")
    try:
        return tuple(b64decode(each, validate=True) for each in x5c)
    except (Error, ValueError) as error:
        raise StatementError("header", "x5c is not a list of certificates in base64") from error
