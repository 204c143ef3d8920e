"""Authority tokens: a token authority's word that an ACME account may have a certificate of a TNAuthList (RFC 9448)."""

import binascii
import hashlib
import hmac
from base64 import b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlsplit

import jwt
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification

from identity.base64url import decode_base64url, encode_base64url
from identity.certificate_fields import (
    certificate_tn_auth_list,
    check_leaf_fields,
    load_certificate,
    load_pem,
    p256_key,
    policies,
)
from identity.errors import AuthorityTokenError, CertificateError, TNAuthListError
from identity.tn_auth_list import TNAuthList

TN_AUTH_LIST = "TNAuthList"  # identifier type and tktype (RFC 9448 §3, §5.4)
TOKEN_LIMIT = 100_000  # characters: a TNAuthList of 65,536 octets, encoded
PATH_LIMIT = 3  # certificates in x5c, or at an x5u
FINGERPRINT_PREFIX = "SHA256 "
FUTURE_LIMIT = 60  # seconds that a token's `iat` may lie ahead of the verifier's clock

IdentifierValue = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]+\Z", max_length=TOKEN_LIMIT)]
Fingerprint = Annotated[str, msgspec.Meta(pattern=r"\ASHA256 ([0-9A-F]{2}:){31}[0-9A-F]{2}\Z")]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]


class AuthorityTokenChallenge(msgspec.Struct, frozen=True):
    """The claim `atc` (RFC 9448 §5.4): what may be certified, whether as a CA, and for which ACME account key."""

    tktype: str
    tkvalue: IdentifierValue
    fingerprint: Fingerprint
    ca: bool = False


class Confirmation(msgspec.Struct, frozen=True):
    """The claim `cnf` (RFC 7800): the thumbprint of the only key that the token certifies."""

    jkt: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{43}\Z")]


class AuthorityTokenClaims(msgspec.Struct, frozen=True):
    """A token's payload; `right` is our token authority's own: "code", "device" or "carrier"."""

    exp: Seconds
    jti: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    atc: AuthorityTokenChallenge
    iss: Annotated[str, msgspec.Meta(max_length=1_000)] | None = None
    iat: Seconds | None = None
    nbf: Seconds | None = None
    cnf: Confirmation | None = None
    right: Annotated[str, msgspec.Meta(max_length=20)] | None = None


class _Header(msgspec.Struct, frozen=True):
    alg: str
    typ: str = "JWT"
    x5u: Annotated[str, msgspec.Meta(max_length=2_000)] | None = None
    x5c: Annotated[list[str], msgspec.Meta(min_length=1, max_length=PATH_LIMIT)] | None = None
    crit: list[str] | None = None


def _no_fetching(_: str) -> bytes:
    raise OSError("no x5u is fetched here")


@dataclass(frozen=True, slots=True)
class TokenIssuers:
    """Which token authorities are trusted: their roots, and the hosts where an x5u may lead.

    `fetch` gets the PEM at an address, without following it elsewhere; it raises OSError.
    """

    roots: Sequence[x509.Certificate]
    x5u_hosts: frozenset[str] = frozenset()
    fetch: Callable[[str], bytes] = _no_fetching


@dataclass(frozen=True, slots=True)
class AuthorityToken:
    """What a verified token grants; `name` is the same for every copy of it, what is None it does not say."""

    name: bytes
    ca: bool
    issued_at: int | None
    expires_at: int
    right: str | None
    key: str | None


def verify_authority_token(
    token: str, identifier: str, account: bytes, issuers: TokenIssuers, now: int
) -> AuthorityToken:
    """Verify a token for the order of `identifier` by the account with this key thumbprint (RFC 9448 §6).

    Raises AuthorityTokenError.

    1. a JWT with `exp`, `jti` and a whole `atc`      5. `tktype` is TNAuthList
    2. `x5u`: HTTPS at a trusted host, and the        6. `tkvalue` is the order's identifier
       certificate there is a trusted authority's     7. it has not ended, nor is it of the future
    3. or `x5c`: a trusted authority's                8. `fingerprint` is the account key's
    4. the signature is by that certificate's key     9. `ca` is the CSR's: `check_ca`, once there is a CSR
    """
    header, claims = _read(token)
    key = _signer(header, issuers, now)
    try:
        jwt.PyJWS().decode_complete(token, key, algorithms=["ES256"])
    except jwt.InvalidTokenError as error:
        raise AuthorityTokenError("signature", "the token is not signed by its certificate's key", check=4) from error
    if claims.atc.tktype != TN_AUTH_LIST:
        raise AuthorityTokenError("tktype", f"tktype is not {TN_AUTH_LIST}", check=5)
    if claims.atc.tkvalue != identifier:
        raise AuthorityTokenError("tkvalue", "the token is for another TNAuthList than the order", check=6)
    _check_time(claims, now)
    if not hmac.compare_digest(claims.atc.fingerprint, account_fingerprint(account)):
        raise AuthorityTokenError("fingerprint", "the token is for another account", check=8)
    name = hashlib.sha256(b"\0".join(part.encode() for part in (claims.iss or "", claims.jti))).digest()
    jkt = claims.cnf.jkt if claims.cnf else None
    return AuthorityToken(name, claims.atc.ca, claims.iat, claims.exp, claims.right, jkt)


def check_ca(granted: bool, asked: bool) -> None:
    """Check 9: whether the request is for a CA is what the token says. Raises AuthorityTokenError."""
    if granted != asked:
        words = "a certification authority" if granted else "an end entity"
        raise AuthorityTokenError("ca", f"the token is for {words}, and the request is not", check=9)


def identifier_value(tn_auth_list: TNAuthList) -> str:
    """A TNAuthList as identifier and `tkvalue`: base64url of its DER (RFC 9448 §3)."""
    return encode_base64url(tn_auth_list.encode()).decode("ascii")


def read_identifier(value: str) -> TNAuthList:
    """The TNAuthList in an identifier or `tkvalue`. Raises TNAuthListError."""
    try:
        return TNAuthList.decode(decode_base64url(value.encode("ascii")))
    except ValueError as error:
        raise TNAuthListError("malformed", "the identifier is not base64url of a TNAuthList") from error


def account_fingerprint(thumbprint: bytes) -> str:
    """The thumbprint of an account's key as `atc` states it: "SHA256 56:3E:..." (RFC 9448 §5.4)."""
    return FINGERPRINT_PREFIX + thumbprint.hex(":").upper()


def _read(token: str) -> tuple[_Header, AuthorityTokenClaims]:
    parts = token.encode("ascii", "replace").split(b".")
    if len(parts) != 3:
        raise AuthorityTokenError("malformed", "the token is not a JWT", check=1)
    try:
        header = msgspec.json.decode(decode_base64url(parts[0]), type=_Header)
        claims = msgspec.json.decode(decode_base64url(parts[1]), type=AuthorityTokenClaims)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise AuthorityTokenError("malformed", f"the token is not one of RFC 9448: {error}", check=1) from error
    if header.typ != "JWT" or header.crit is not None or (header.x5u is None) == (header.x5c is None):
        raise AuthorityTokenError("malformed", "a token's header has typ JWT and one of x5u and x5c", check=1)
    return header, claims


def _signer(header: _Header, issuers: TokenIssuers, now: int) -> ec.EllipticCurvePublicKey:
    if header.x5u is not None:
        return _trusted(_fetched(header.x5u, issuers), issuers, now, check=2)
    assert header.x5c is not None, "checked with the header"
    try:
        path = [b64decode(text, validate=True) for text in header.x5c]
    except (binascii.Error, ValueError) as error:
        raise AuthorityTokenError("x5c", "x5c is not base64 of certificates", check=3) from error
    return _trusted(path, issuers, now, check=3)


def _fetched(address: str, issuers: TokenIssuers) -> list[bytes]:
    try:
        parts = urlsplit(address)
        known = parts.scheme == "https" and parts.netloc in issuers.x5u_hosts
    except ValueError:
        known = False
    if not known:
        raise AuthorityTokenError("x5u", "x5u is not an HTTPS address of a trusted host", check=2)
    try:
        found = load_pem(issuers.fetch(address))
    except (OSError, CertificateError) as error:
        raise AuthorityTokenError("x5u", f"no certificate can be had at the x5u: {str(error)!a}", check=2) from error
    return [certificate.public_bytes(Encoding.DER) for certificate in found[:PATH_LIMIT]]


def _trusted(path: list[bytes], issuers: TokenIssuers, now: int, *, check: int) -> ec.EllipticCurvePublicKey:
    """The key of the first certificate: an end entity below a trusted root, which holds no number itself.

    Where one root stands above token authorities and devices, a device would else grant every number.
    """
    try:
        leaf, *above = (load_certificate(der) for der in path)
        leaf_policy, issuer_policy = policies()
        builder = verification.PolicyBuilder().store(verification.Store(list(issuers.roots)))
        builder = builder.time(datetime.fromtimestamp(now, UTC).replace(tzinfo=None)).max_chain_depth(PATH_LIMIT)
        builder = builder.extension_policies(ee_policy=leaf_policy, ca_policy=issuer_policy)
        builder.build_client_verifier().verify(leaf, above)
        check_leaf_fields(leaf)
        if certificate_tn_auth_list(leaf) is not None:
            raise CertificateError("tn-auth-list", "it speaks for numbers itself")
        return p256_key(leaf)
    except (CertificateError, verification.VerificationError, ValueError) as error:
        words = f"the token's certificate is not a trusted token authority's: {str(error)!a}"
        raise AuthorityTokenError("untrusted", words, check=check) from error


def _check_time(claims: AuthorityTokenClaims, now: int) -> None:
    if claims.exp <= now:
        raise AuthorityTokenError("expired", f"the token ended at {claims.exp}", check=7)
    if max(claims.iat or 0, claims.nbf or 0) > now + FUTURE_LIMIT:
        raise AuthorityTokenError("expired", "the token is of the future: check both clocks", check=7)
