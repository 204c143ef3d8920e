"""What a trust policy asks of logs, held against one leaf; nothing is fetched (STI-CT draft §6.2)."""

from typing import NamedTuple

from cryptography import x509

from identity.errors import CertificateError, TransparencyError
from identity.transparency.timestamps import vouching
from identity.trust import TrustPolicy

CLOCK_TOLERANCE = 3_600  # seconds that a log's clock may be ahead: as far as an issuer dates its certificates back


class Logged(NamedTuple):
    """Since when enough logs vouch, and from when that counts; Unix time in seconds."""

    at: int | None = None
    counts_from: int = 0


def check_logged(leaf: x509.Certificate, issuer: x509.Certificate, policy: TrustPolicy) -> Logged:
    """Raise CertificateError unless as many known logs vouch for the leaf as the policy asks, and none that lies.

    With logs and no number asked, what they say is noted, and a false timestamp is still an error.
    """
    try:
        vouched = vouching(leaf, issuer, policy.logs) if policy.logs else ()
    except TransparencyError as error:
        raise CertificateError("timestamps", str(error)) from error
    if len(vouched) < policy.scts:
        detail = f"{len(vouched)} of the logs that count vouch for the certificate; the policy asks for {policy.scts}"
        raise CertificateError("not-logged", detail)
    if not vouched:
        return Logged()
    enough = sorted(each.since for each in vouched)[max(policy.scts, 1) - 1]
    return Logged(enough, enough - CLOCK_TOLERANCE if policy.scts else 0)
