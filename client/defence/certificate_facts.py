"""What rules look at in a sender's certificate."""

from functools import lru_cache
from typing import NamedTuple

from identity.certificate_fields import load_certificate, validity
from identity.certificates import leaf_number, leaf_public_point
from identity.device import device_name


class CertificateFacts(NamedTuple):
    """When a device's certificate begins to be valid (seconds), who has issued it, and the device's MLS identity."""

    begins: int
    issuer: str
    identity: bytes

    def age(self, now: int) -> int:
        """Seconds since it begins."""
        return max(now - self.begins, 0)


@lru_cache(maxsize=4096)
def facts_of_chain(chain: tuple[bytes, ...]) -> CertificateFacts:
    """Read the leaf of a validated chain."""
    leaf = load_certificate(chain[0])
    number = leaf_number(chain[0])
    assert number is not None, "the chain of a device was validated"
    return CertificateFacts(
        validity(leaf)[0], leaf.issuer.rfc4514_string(), device_name(number, leaf_public_point(chain[0]))
    )
