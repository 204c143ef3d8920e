"""P-256 devices with two-certificate chains, and the validator that believes them."""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from mls_rs import Approval, Credential

SUITE = 2
LIFETIME = datetime.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Identity:
    """A signature key and the chain that certifies it, leaf first."""

    private: bytes  # 32-byte scalar
    public: bytes  # 65-byte uncompressed point
    chain: tuple[bytes, ...]

    @property
    def credential(self) -> Credential:
        return Credential.x509(self.chain)

    def to_json(self) -> dict[str, object]:
        chain = [certificate.hex() for certificate in self.chain]
        return {"private": self.private.hex(), "public": self.public.hex(), "chain": chain}


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _certificate(
    name: str, key: ec.EllipticCurvePublicKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey, now: int, ca: bool
) -> bytes:
    start = datetime.datetime.fromtimestamp(now, datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(Encoding.DER)


class Authority:
    """Issues device chains and validates them: the leaf is signed by this authority and certifies the signature key."""

    def __init__(self, now: int) -> None:
        self.now = now
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = _certificate("issuer", self._key.public_key(), "root", self._key, now, ca=True)

    def device(self, name: str) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _certificate(name, key.public_key(), "issuer", self._key, self.now, ca=False)
        private = key.private_numbers().private_value.to_bytes(32, "big")
        return Identity(private, point(key.public_key()), (leaf, self.certificate))


def validator(authority: bytes) -> Callable[[Credential, bytes, int], Approval]:
    """The validator of one authority's devices; two certificates of one name are one identity."""
    issuer = x509.load_der_x509_certificate(authority)

    def validate(credential: Credential, signature_key: bytes, now: int) -> Approval:
        leaf = x509.load_der_x509_certificate(credential.chain[0])
        leaf.verify_directly_issued_by(issuer)
        key = leaf.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or point(key) != signature_key:
            raise ValueError("the leaf certificate is for another key")
        not_after = int(leaf.not_valid_after_utc.timestamp())
        return Approval(leaf.subject.rfc4514_string().encode(), now, not_after)

    return validate


def chain_content(chain: Sequence[bytes]) -> bytes:
    """The contents of `Certificate certificates<V>` (RFC 9420 §5.3)."""
    return b"".join(_variable_length(len(certificate)) + certificate for certificate in chain)


def _variable_length(length: int) -> bytes:
    if length < 0x40:
        return bytes([length])
    return (length | 0x4000).to_bytes(2, "big") if length < 0x4000 else (length | 0x80000000).to_bytes(4, "big")
