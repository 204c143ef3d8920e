"""Proofs by a device's key: fresh, for this authority and for one purpose; their use once is the store's part."""

import hashlib
from typing import Protocol, TypeVar

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from identity.authority.errors import RefusedError
from identity.authority.wire import PROOF_MAX_AGE


class Claims(Protocol):
    """What every proof says: for which base URL it is, and when it was signed."""

    @property
    def aud(self) -> str: ...
    @property
    def iat(self) -> int: ...


Read = TypeVar("Read", bound=Claims)


def read_proof(
    token: str, key: ec.EllipticCurvePublicKey, shape: type[Read], proof_type: str, audience: str, now: int
) -> tuple[Read, bytes]:
    """Check a compact JWS by `key`; return its claims and its digest, to be spent. Raises RefusedError."""
    try:
        # PyJWS, not PyJWT: the latter judges iat by the machine's clock.
        signed = jwt.PyJWS().decode_complete(token, key, algorithms=["ES256"])
        claims = msgspec.json.decode(signed["payload"], type=shape)
    except (jwt.InvalidTokenError, msgspec.DecodeError, UnicodeDecodeError) as error:
        detail = f"the proof is not a {proof_type} signed by the certificate's key"
        raise RefusedError("proof-refused", detail) from error
    if signed["header"] != {"alg": "ES256", "typ": proof_type}:
        raise RefusedError("proof-refused", f"the proof's header must have alg ES256 and typ {proof_type} alone")
    if claims.aud != audience:
        raise RefusedError("proof-refused", f"the proof is not for {audience}")
    if abs(now - claims.iat) > PROOF_MAX_AGE:
        raise RefusedError("proof-refused", f"the proof's time differs by more than {PROOF_MAX_AGE} seconds from {now}")
    # If (r, s) verifies, so does (r, n - s): only the signing input names a proof.
    return claims, hashlib.sha256(token.rpartition(".")[0].encode("ascii")).digest()
