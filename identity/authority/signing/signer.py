"""Signing calls and messages with a carrier's key, for the numbers that its certificate covers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from identity.attestation import Identity, check_authority
from identity.authority.signing.errors import CallRefusedError
from identity.authority.signing.wire import Many, One, SigningRequest, SigningResponse
from identity.certificate_fields import certificate_tn_auth_list, check_leaf_fields, load_certificate, load_pem
from identity.errors import CertificateError, ClaimConstraintsError, IdentityError, PassportError
from identity.number import TelephoneNumber
from identity.passport import sign_token
from identity.passport_claims import check_type_claims
from identity.passport_kinds import BASE_CLAIMS, KINDS, Kind
from identity.prefixes import authority_list
from identity.sip import format_identity
from identity.tn_auth_list import Coverage, TNAuthList
from identity.uri_identity import is_identity_uri

CLOCK_TOLERANCE = 60  # seconds by which `iat` may differ from this service's clock (RFC 8224 §6.1)
SIGNED = ("shaken", "msg")  # the types that are signed here

_DIGEST = re.compile(r"sha(256|384|512)-[0-9A-Za-z+/]+=*")


@dataclass(frozen=True, slots=True)
class Signer:
    """A key with its chain (DER, leaf first), where the chain is published, and the numbers that it may sign for.

    `allowed` bounds a certificate that speaks for a code: which numbers a code has stands in no certificate.
    """

    key: ec.EllipticCurvePrivateKey
    chain: tuple[bytes, ...]
    x5u: str
    allowed: TNAuthList | None = None

    @classmethod
    def of(cls, key_pem: bytes, chain_pem: bytes, x5u: str, prefixes: Sequence[str] = ()) -> Self:
        """Read key and chain. Raises CertificateError, NumberError, ValueError."""
        key = _private_key(key_pem)
        chain = tuple(each.public_bytes(Encoding.DER) for each in load_pem(chain_pem))
        leaf = load_certificate(chain[0])
        check_leaf_fields(leaf)
        if leaf.public_key() != key.public_key():
            raise CertificateError("key", "the first certificate of the chain is not for the key")
        numbers = certificate_tn_auth_list(leaf)
        if numbers is not None and numbers.codes and not prefixes:
            raise ValueError("the certificate speaks for a code: name the numbers that may be signed for with --allow")
        return cls(key, chain, x5u, authority_list(prefixes) if prefixes else None)

    def sign(self, request: SigningRequest, now: int) -> SigningResponse:
        """Sign what a request asks for (RFC 8224 §6.1). Raises CallRefusedError.

        1. the type is one that is signed here              4. `iat` is about now
        2. its claims, and no others, are there and right   5. certificate and configuration cover `orig`
        3. `orig` is one identity, `dest` at least one      6. the certificate allows the claims
        """
        kind = _kind(request)
        orig, claims = _orig(request.orig), _type_claims(request, kind)
        claims |= {"dest": _dest(request.dest), "iat": request.iat, "orig": _claim(orig)}
        if abs(request.iat - now) > CLOCK_TOLERANCE:
            raise CallRefusedError("SVC4005", "iat", f"it differs by more than {CLOCK_TOLERANCE} s from the clock here")
        self._check(orig, claims, kind)
        header = {"alg": "ES256", "ppt": kind.ppt, "typ": "passport", "x5u": self.x5u}
        token = sign_token(self.key, header, claims)
        return SigningResponse(format_identity(token, self.x5u, kind.ppt), request.requestId)

    def _check(self, orig: Identity, claims: dict[str, object], kind: Kind) -> None:
        shown = orig if isinstance(orig, str) else orig.digits
        if self.allowed is not None and (isinstance(orig, str) or self.allowed.covers(orig) is Coverage.NO):
            raise CallRefusedError("POL4030", shown)
        try:
            check_authority(self.key, self.chain, orig, claims, kind)
        except ClaimConstraintsError as error:
            raise CallRefusedError("SVC4005", "ppt", str(error)) from error
        except IdentityError as error:
            raise CallRefusedError("POL4030", shown) from error


def _private_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateError("key", "the key is not a private key in PEM without a passphrase") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise CertificateError("key-type", "the key is not a P-256 key")
    return key


def _kind(request: SigningRequest) -> Kind:
    ppt = request.ppt or "shaken"
    if ppt not in SIGNED:
        raise CallRefusedError("SVC4005", "ppt", f"this service signs {' and '.join(SIGNED)}")
    return KINDS[ppt]


def _type_claims(request: SigningRequest, kind: Kind) -> dict[str, object]:
    given = {"attest": request.attest, "origid": request.origid, "msgi": request.msgi}
    wanted = (kind.claims or BASE_CLAIMS) - BASE_CLAIMS
    for name, value in given.items():
        if name in wanted and value is None:
            raise CallRefusedError("SVC4001", name)
        if name not in wanted and value is not None:
            raise CallRefusedError("SVC4005", name, f"{kind.name} does not have it")
    claims: dict[str, object] = {name: given[name] for name in wanted}
    if request.msgi is not None and not _DIGEST.fullmatch(request.msgi):
        raise CallRefusedError("SVC4005", "msgi", "it is no digest (RFC 9475 §3.2)")
    try:
        check_type_claims(claims, kind)
    except PassportError as error:
        raise CallRefusedError("SVC4005", error.code, str(error)) from error
    return claims


def _orig(one: One) -> Identity:
    if (one.tn is None) == (one.uri is None):
        raise CallRefusedError("SVC4005", "orig", "it has either tn or uri")
    return TelephoneNumber.from_digits(one.tn) if one.tn is not None else str(one.uri)


def _dest(many: Many) -> dict[str, list[str]]:
    dest = {kind: sorted(set(values)) for kind, values in (("tn", many.tn), ("uri", many.uri)) if values}
    if not dest:
        raise CallRefusedError("SVC4001", "dest")
    if not all(map(is_identity_uri, dest.get("uri", ()))):
        raise CallRefusedError("SVC4005", "dest", "a URI in it names nobody (RFC 8224 §8.5)")
    return dest


def _claim(orig: Identity) -> dict[str, str]:
    return {"uri": orig} if isinstance(orig, str) else {"tn": orig.digits}
