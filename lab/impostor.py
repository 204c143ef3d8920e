"""A device with a certificate that is right in every field, for anybody's number, under a root that nobody trusts."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from identity.issuing import create_issuer, create_root, issue_device_certificate
from identity.number import TelephoneNumber
from identity.tn_auth_list import OneNumber, TNAuthList
from lab.mallory import Credentials

LIFETIME = 30 * 86_400  # seconds


def impostor(number: TelephoneNumber, now: int) -> tuple[Credentials, x509.Certificate]:
    """Make such a device, and its root."""
    root_key, root = create_root("Mallory's root", now, LIFETIME)
    numbers = TNAuthList((OneNumber(number.digits),))
    issuer_key, issuer = create_issuer(root_key, root, "Mallory's issuer", numbers, now, LIFETIME)
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = issue_device_certificate(issuer_key, issuer, key.public_key(), number, now)
    chain = tuple(certificate.public_bytes(Encoding.DER) for certificate in (leaf, issuer))
    return Credentials(number, key, chain, "https://mallory.example"), root
