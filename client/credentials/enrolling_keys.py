"""The two keys of an enrolment: what is certified, and what orders the certificate (RFC 8555 §11.1: never one key)."""

from dataclasses import dataclass
from typing import Self

from cryptography.hazmat.primitives.asymmetric import ec

from client.storage.store import Store

SCALAR_SIZE = 32  # octets of a P-256 private key


@dataclass(frozen=True, slots=True)
class EnrollingKeys:
    """The device's key, and that of its account at the certification authority. A code is spent on these two."""

    device: ec.EllipticCurvePrivateKey
    account: ec.EllipticCurvePrivateKey

    @classmethod
    def generate(cls, device: ec.EllipticCurvePrivateKey | None = None) -> Self:
        """Fresh keys; a device that is certified already keeps its own."""
        return cls(device or ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1()))


def kept_keys(store: Store, device: ec.EllipticCurvePrivateKey | None = None) -> EnrollingKeys:
    """An earlier attempt's keys, or fresh ones, kept from now on; a certified device keeps its own (`device`)."""
    row = store.row("SELECT device, account FROM enrolling_keys WHERE id = 1")
    if row is not None:
        return EnrollingKeys(*(ec.derive_private_key(int.from_bytes(scalar), ec.SECP256R1()) for scalar in row))
    keys = EnrollingKeys.generate(device)
    store.execute("INSERT INTO enrolling_keys VALUES (1, ?, ?)", _scalar(keys.device), _scalar(keys.account))
    return keys


def forget_keys(store: Store) -> None:
    """Forget them: they are the account's now."""
    store.execute("DELETE FROM enrolling_keys")


def _scalar(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_numbers().private_value.to_bytes(SCALAR_SIZE)
