"""Chains that have ended a while ago still say who asks: to renew, and to appeal."""

from collections.abc import Sequence

from identity.authority.errors import RefusedError
from identity.authority.wire import RENEWAL_GRACE
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
