"""Renewal: the old chain and a proof by its key stand in for a code."""

import hashlib
import hmac
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric import ec

from identity.authority.errors import RefusedError
from identity.authority.proof import read_proof
from identity.authority.wire import RENEWAL_GRACE, RENEWAL_PROOF_TYPE, RenewalClaims
from identity.certificate_fields import load_certificate, validity
from identity.certificates import TrustAnchors, VerifiedChain, verify_chain
from identity.errors import CertificateError


def verify_old_chain(
    chain: Sequence[bytes], anchors: TrustAnchors, now: int, grace: int = RENEWAL_GRACE
) -> VerifiedChain:
    """Verify the chain now or, up to `grace` seconds after its end, as of its end. Raises RefusedError."""
    if not chain:
        raise RefusedError("chain-refused", "the chain is empty")
    try:
        leaf_end = validity(load_certificate(chain[0]))[1]
        if now - leaf_end >= grace:
            detail = f"the certificate ended {now - leaf_end} seconds ago; enrol again with a new code"
            raise RefusedError("chain-refused", detail)
        return verify_chain(chain, anchors, min(now, leaf_end))
    except CertificateError as error:
        raise RefusedError("chain-refused", str(error)) from error


def check_proof(token: str, key: ec.EllipticCurvePublicKey, csr: bytes, audience: str, now: int) -> bytes:
    """Check the old key's proof for this CSR at this authority; return its digest, to be spent. Raises RefusedError."""
    claims, digest = read_proof(token, key, RenewalClaims, RENEWAL_PROOF_TYPE, audience, now)
    if not hmac.compare_digest(claims.csr.encode(), hashlib.sha256(csr).hexdigest().encode()):
        raise RefusedError("proof-refused", "the proof is not for this certificate request")
    return digest
