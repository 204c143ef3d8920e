"""What rules look at in a sender's certificate."""

from functools import lru_cache

from identity.certificate_fields import load_certificate, validity


@lru_cache(maxsize=4096)
def facts_of_chain(chain: tuple[bytes, ...]) -> tuple[int, str]:
    """When a validated chain's leaf begins to be valid (seconds), and the name of its issuer."""
    leaf = load_certificate(chain[0])
    return validity(leaf)[0], leaf.issuer.rfc4514_string()
