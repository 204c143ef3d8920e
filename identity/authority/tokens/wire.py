"""Every request and answer of the token authority (RFC 9448 §5), and its limits.

    POST /v1/challenges             ChallengeRequest (identity.authority.wire) -> 201 ChallengeOpened: a code is sent
    POST /at/account/{id}/token     TokenRequest  -> 200 TokenIssued
    GET  /at/anchors.pem                          -> 200 the roots under which the authority's tokens verify, PEM

`id` is a challenge's id if the right is a code, "device" for a certified device's key, "carrier" for a carrier's
assertion; in JSON `right` names its kind too, as in {"by": "code", "code": "123456"}. Refusals are problems of
identity.authority.wire (RFC 9457).

A request by code may be repeated until the code ends: the same challenge, code, `atc` and `key` get a token again.
Anything else is refused (`challenge-used`). A proof serves once, an assertion until it ends.

A token has these claims: `iss` the authority's base URL, `iat`, `exp`, `jti`, `atc`, `cnf` with `jkt` if `key` was
given (RFC 7800, RFC 9449 §6.1: the only key that it certifies), and `right`: "code", "device" or "carrier".
"""

from typing import Annotated, Literal

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from identity.authority.wire import Code, CompactJWS
from identity.enrolment.authority_token import AuthorityTokenChallenge

TOKEN_LIFETIME = 600  # seconds
ASSERTION_LIFETIME = 600  # seconds that a carrier's assertion may count
TOKEN_BODY_LIMIT = 256 * 1024  # octets of a request: a carrier's TNAuthList fits
ASSERTION_LIMIT = 200_000  # characters
RIGHT_PROOF_TYPE = "ringtrue-right+jwt"  # explicit typing (RFC 8725 §3.11): no other signature passes for a proof
ASSERTION_TYPE = "ringtrue-assertion+jwt"
BY_DEVICE, BY_CARRIER = "device", "carrier"  # the `id` of requests that answer no challenge

Right = Literal["code", "device", "carrier"]
KeyThumbprint = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{43}\Z")]
Assertion = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_.-]+\Z", max_length=ASSERTION_LIMIT)]


class CodeRight(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="by", tag="code"):
    """The code that came to the number."""

    code: Code


class DeviceRight(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="by", tag="device"):
    """A chain (DER, leaf first) of the number that is valid or ended within RENEWAL_GRACE, and a proof by its key.

    The proof is made with `sign_right_proof`. It serves the device's own account (a renewal) or another device's.
    """

    chain: list[bytes]
    proof: CompactJWS


class CarrierRight(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="by", tag="carrier"):
    """A carrier's word (`sign_assertion`) that an account may have a certificate of a TNAuthList within its own."""

    assertion: Assertion


class TokenRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Asks for an authority token. `key` is the JWK thumbprint (RFC 7638, base64url) of the key to be certified.

    Without `key` the token certifies any one key, but no device can renew on it later: renewals go by keys known here.
    """

    atc: AuthorityTokenChallenge
    right: CodeRight | DeviceRight | CarrierRight
    key: KeyThumbprint | None = None


class TokenIssued(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The authority token: a JWT in compact form, ES256, with its certificates in `x5c`."""

    token: str


class RightClaims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A device's proof: the token authority's base URL, what is asked for, for which key, when, and a nonce."""

    aud: str
    atc: AuthorityTokenChallenge
    key: KeyThumbprint | None
    iat: int
    nonce: str


class AssertionClaims(msgspec.Struct, frozen=True):
    """A carrier's assertion: for which token authority, for what, its end, and a name of its own."""

    aud: str
    atc: AuthorityTokenChallenge
    iat: int
    exp: int
    jti: str


def sign_right_proof(key: ec.EllipticCurvePrivateKey, claims: RightClaims) -> str:
    """Prove with a certified device's key that its owner asks for this token: a compact JWS, ES256."""
    return jwt.PyJWS().encode(msgspec.json.encode(claims), key, algorithm="ES256", headers={"typ": RIGHT_PROOF_TYPE})


def sign_assertion(key: ec.EllipticCurvePrivateKey, claims: AssertionClaims) -> str:
    """Assert as a carrier that an account may have what `atc` says: a compact JWS, ES256."""
    return jwt.PyJWS().encode(msgspec.json.encode(claims), key, algorithm="ES256", headers={"typ": ASSERTION_TYPE})
