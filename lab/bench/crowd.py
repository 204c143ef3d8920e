"""A large MLS group whose members all hold real certificates, built through the engine."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mls_rs
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from identity.binding import DeviceVerifier
from identity.certificates import TrustAnchors, leaf_number
from identity.issuing import create_issuer, create_root, issue_device_certificate
from identity.number import TelephoneNumber
from identity.tn_auth_list import TelephoneNumberRange, TNAuthList

SUITE = 2  # MLS_128_DHKEMP256_AES128GCM_SHA256_P256
GROUP_ID = b"the large group!"
FIRST_NUMBER = 1_202_555_0000
YEAR = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Newcomer:
    """The last member to be added, as a fresh process receives it: key, chain, Welcome and key package secret."""

    scalar: bytes
    chain: tuple[bytes, ...]
    welcome: bytes
    secret: bytes
    anchors: bytes  # PEM
    first_message: bytes
    now: int

    def engine(self) -> mls_rs.Engine:
        """The newcomer's engine; it validates every leaf."""
        verifier = DeviceVerifier(TrustAnchors.from_pem(self.anchors))
        return mls_rs.Engine(SUITE, mls_rs.Credential.x509(self.chain), bytearray(self.scalar), validator(verifier))


def validator(verifier: DeviceVerifier) -> Callable[[mls_rs.Credential, bytes, int], mls_rs.Approval]:
    """The engine's validator that asks `identity`."""

    def validate(credential: mls_rs.Credential, signature_key: bytes, now: int) -> mls_rs.Approval:
        device = verifier.verify(credential.chain, signature_key, now)
        return mls_rs.Approval(device.identity, device.chain.not_before, device.chain.not_after)

    return validate


class Certifier:
    """A root and an issuer that certify as many devices as asked for, each of another number."""

    def __init__(self, now: int) -> None:
        self.now = now
        numbers = TNAuthList((TelephoneNumberRange(str(FIRST_NUMBER), 1_000_000),))
        root_key, root = create_root("Bench root", now, YEAR)
        self.issuer_key, self.issuer = create_issuer(root_key, root, "Bench issuer", numbers, now, YEAR)
        self.anchors = TrustAnchors((root,))
        self._issued = 0

    def device(self, now: int | None = None) -> tuple[bytes, tuple[bytes, ...]]:
        """A fresh key (P-256 scalar) and its chain, issued `now`."""
        key = ec.generate_private_key(ec.SECP256R1())
        number = TelephoneNumber.from_digits(str(FIRST_NUMBER + self._issued))
        self._issued += 1
        chain = self._chain(key.public_key(), number, self.now if now is None else now)
        return key.private_numbers().private_value.to_bytes(32, "big"), chain

    def renewed(self, chain: Sequence[bytes], key: ec.EllipticCurvePublicKey, now: int) -> tuple[bytes, ...]:
        """A successor of the chain, for the same key and number."""
        number = leaf_number(chain[0])
        assert number is not None, "a device has one number"
        return self._chain(key, number, now)

    def _chain(self, key: ec.EllipticCurvePublicKey, number: TelephoneNumber, now: int) -> tuple[bytes, ...]:
        leaf = issue_device_certificate(self.issuer_key, self.issuer, key, number, now)
        return tuple(certificate.public_bytes(Encoding.DER) for certificate in (leaf, self.issuer))


def newcomer_to_group_of(members: int) -> Newcomer:
    """Build a group of so many members; the last one has yet to join, and one message waits for them."""
    now = int(time.time())
    certifier = Certifier(now)
    verifier = DeviceVerifier(certifier.anchors)
    engines = []
    for _ in range(members):
        scalar, chain = certifier.device()
        engines.append(mls_rs.Engine(SUITE, mls_rs.Credential.x509(chain), bytearray(scalar), validator(verifier)))
    packages = [engine.key_package(now, lifetime=86_400) for engine in engines[1:]]
    group = engines[0].create(GROUP_ID, now)
    pending = group.commit(now, add=[package.message for package in packages])
    group.apply(pending.secrets)
    return Newcomer(
        scalar=scalar,
        chain=chain,
        welcome=pending.welcomes[0],
        secret=packages[-1].secret,
        anchors=b"".join(root.public_bytes(Encoding.PEM) for root in certifier.anchors.roots),
        first_message=group.encrypt(b"x" * 600),
        now=now,
    )
