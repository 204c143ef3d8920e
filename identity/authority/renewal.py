"""Renewal: the old chain and a proof by its key stand in for a code."""

import hashlib
import hmac
from collections.abc import Sequence

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from identity.authority.errors import RefusedError
from identity.authority.wire import PROOF_MAX_AGE, RENEWAL_GRACE, RENEWAL_PROOF_TYPE, RenewalClaims
from identity.certificate_fields import load_certificate, validity
from identity.certificates import TrustAnchors, VerifiedChain, verify_chain
from identity.errors import CertificateError

_HEADER = {"alg": "ES256", "typ": RENEWAL_PROOF_TYPE}


def verify_old_chain(chain: Sequence[bytes], anchors: TrustAnchors, now: int) -> VerifiedChain:
    """Verify the chain now or, up to RENEWAL_GRACE after its end, as of its end. Raises RefusedError."""
    if not chain:
        raise RefusedError("chain-refused", "the chain is empty")
    try:
        leaf_end = validity(load_certificate(chain[0]))[1]
        if now - leaf_end >= RENEWAL_GRACE:
            detail = f"the certificate ended {now - leaf_end} seconds ago; enrol again with a new code"
            raise RefusedError("chain-refused", detail)
        return verify_chain(chain, anchors, min(now, leaf_end))
    except CertificateError as error:
        raise RefusedError("chain-refused", str(error)) from error


def check_proof(token: str, key: ec.EllipticCurvePublicKey, csr: bytes, audience: str, now: int) -> bytes:
    """Check the old key's proof for this CSR at this authority; return its digest, to be spent. Raises RefusedError."""
    try:
        # PyJWS, not PyJWT: the latter judges iat by the machine's clock.
        signed = jwt.PyJWS().decode_complete(token, key, algorithms=["ES256"])
        claims = msgspec.json.decode(signed["payload"], type=RenewalClaims)
    except (jwt.InvalidTokenError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RefusedError("proof-refused", "the proof is not a renewal signed by the old certificate's key") from error
    if signed["header"] != _HEADER:
        raise RefusedError(
            "proof-refused", f"the proof's header must have alg ES256 and typ {RENEWAL_PROOF_TYPE} alone"
        )
    if claims.aud != audience:
        raise RefusedError("proof-refused", f"the proof is not for {audience}")
    if not hmac.compare_digest(claims.csr.encode(), hashlib.sha256(csr).hexdigest().encode()):
        raise RefusedError("proof-refused", "the proof is not for this certificate request")
    if abs(now - claims.iat) > PROOF_MAX_AGE:
        raise RefusedError("proof-refused", f"the proof's time differs by more than {PROOF_MAX_AGE} seconds from {now}")
    # If (r, s) verifies, so does (r, n - s): only the signing input names a proof.
    return hashlib.sha256(token.rpartition(".")[0].encode("ascii")).digest()
