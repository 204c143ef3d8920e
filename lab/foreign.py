"""Certificates that the world's authority has not issued: right in every field, or wrong in exactly one.

Mallory makes a root of her own, which nobody trusts. Where a recipient is told to trust it, she is a carrier whose
certificates count for the numbers in its list, and no further.
"""

from dataclasses import dataclass
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from identity.certificate_fields import TN_AUTH_LIST_OID
from identity.issuing import DEVICE_LIFETIME, create_issuer, create_root, issue_device_certificate
from identity.number import TelephoneNumber
from identity.number_attributes import NumberAttributes
from identity.tn_auth_list import OneNumber, TNAuthList
from lab.mallory import Credentials

LIFETIME = 400 * 86_400  # seconds
PUBLISHED = "https://mallory.example"


@dataclass(frozen=True, slots=True)
class Foreign:
    """A root and an issuer below it, which speaks for the numbers in its list."""

    root: x509.Certificate
    issuer_key: ec.EllipticCurvePrivateKey
    issuer: x509.Certificate

    @classmethod
    def over(cls, numbers: TNAuthList, now: int) -> Self:
        """Make both."""
        root_key, root = create_root("Mallory's root", now, LIFETIME)
        return cls(root, *create_issuer(root_key, root, "Mallory's issuer", numbers, now, LIFETIME))

    def device(
        self,
        number: TelephoneNumber,
        now: int,
        lifetime: int = DEVICE_LIFETIME,
        attributes: NumberAttributes | None = None,
    ) -> Credentials:
        """A device of a number, as an honest authority certifies it, with what it knows of the number."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = issue_device_certificate(
            self.issuer_key, self.issuer, key.public_key(), number, now, lifetime, attributes=attributes
        )
        return self.credentials(number, key, leaf)

    def credentials(
        self, number: TelephoneNumber, key: ec.EllipticCurvePrivateKey, leaf: x509.Certificate
    ) -> Credentials:
        """A device with this leaf."""
        chain = tuple(certificate.public_bytes(Encoding.DER) for certificate in (leaf, self.issuer))
        return Credentials(number, key, chain, PUBLISHED)

    def altered(self, device: Credentials, *, numbers: TNAuthList | None = None, ca: bool = False) -> Credentials:
        """The same device with another list in its leaf, or as a CA; called by its number, signed by the issuer."""
        honest = x509.load_der_x509_certificate(device.chain[0])
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(device.number.e164))
            .issuer_name(honest.issuer)
            .public_key(device.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(honest.not_valid_before_utc)
            .not_valid_after(honest.not_valid_after_utc)
        )
        for extension in honest.extensions:
            value = extension.value
            if ca and isinstance(value, x509.BasicConstraints):
                value = x509.BasicConstraints(ca=True, path_length=0)
            if numbers is not None and extension.oid == TN_AUTH_LIST_OID:
                value = x509.UnrecognizedExtension(TN_AUTH_LIST_OID, numbers.encode())
            builder = builder.add_extension(value, extension.critical)
        return self.credentials(device.number, device.key, builder.sign(self.issuer_key, hashes.SHA256()))


def one(number: TelephoneNumber) -> TNAuthList:
    """The list with this number alone."""
    return TNAuthList((OneNumber(number.digits),))


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
