"""A target of fuzzing, and the path of certificates that valid octets are made of."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from identity.issuing import create_root, issue_device_certificate, issuer_certificate
from identity.number import TelephoneNumber
from identity.tn_auth_list import OneNumber, ServiceProviderCode, TelephoneNumberRange, TNAuthList

NOW, DAY = 1_800_000_000, 86_400
ISSUER_SCALAR = 2  # of the issuer's key, so that lists and responses can be signed with it
ALICE = TelephoneNumber.from_digits("12025550142")
NUMBERS = TNAuthList((TelephoneNumberRange("12025550100", 100), ServiceProviderCode("709J"), OneNumber("441632960000")))


@dataclass(frozen=True, slots=True)
class Target:
    """One parser, with valid octets to begin from."""

    name: str
    parse: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]


@cache
def path() -> tuple[ec.EllipticCurvePrivateKey, tuple[x509.Certificate, ...]]:
    """A device's key with its leaf, issuer and root."""
    root_key, root = create_root("Fuzzed root", NOW, 365 * DAY)
    issuer_key = ec.derive_private_key(ISSUER_SCALAR, ec.SECP256R1())
    issuer = issuer_certificate(root_key, root, issuer_key.public_key(), "Fuzzed issuer", NUMBERS, NOW, 90 * DAY)
    key = ec.generate_private_key(ec.SECP256R1())
    return key, (issue_device_certificate(issuer_key, issuer, key.public_key(), ALICE, NOW), issuer, root)


def ders() -> list[bytes]:
    """The DER of the path, leaf first."""
    return [certificate.public_bytes(Encoding.DER) for certificate in path()[1]]
