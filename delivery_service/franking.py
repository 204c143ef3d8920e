"""Franking: the service's confirmation of each message that carries a tag, and its key (docs/binding.md §6.1)."""

import hmac
import os
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from delivery_service.errors import RefusedError, StartError
from identity.binding import group_uri, user_uri
from identity.errors import FrankingError
from identity.number import TelephoneNumber
from identity.reports.franking import FrankingContext, FrankingKey, decode_aad

KEY_FILE = "franking.key"


class Franking:
    """Franks in the name of one service; the key is in its folder, or as long-lived as the process without one."""

    def __init__(self, folder: Path | None, host: str) -> None:
        self._folder = folder
        self._host = host
        self._key = FrankingKey.generate()
        self._secrets: dict[str, bytes] = {}

    def start(self) -> None:
        """Takes the folder's key, and makes one in a folder without. Raises StartError."""
        if self._folder is not None:
            self._key = read_key(self._folder) if (self._folder / KEY_FILE).exists() else write_key(self._folder)
            self._secrets.clear()

    @property
    def public_key(self) -> bytes:
        """What recipients check by: an uncompressed point of P-256."""
        return self._key.public.point

    def pseudonym(self, number: str) -> bytes:
        """What is kept in the place of a number (+E164): 16 octets of a keyed hash, the same at each replica."""
        # Not hmac.digest: for these few octets it lets go of the interpreter's lock, and then waits for other threads.
        return hmac.new(self.secret("pseudonym"), number.encode(), "sha256").digest()[:16]

    def secret(self, purpose: str) -> bytes:
        """32 octets for one purpose of the service, the same at each replica (HKDF, RFC 5869)."""
        if purpose not in self._secrets:
            derivation = HKDFExpand(SHA256(), 32, f"ringtrue delivery {purpose}".encode())
            self._secrets[purpose] = derivation.derive(self._key.hub_key)
        return self._secrets[purpose]

    def frank(self, number: str, group_id: bytes, authenticated_data: bytes, at_ms: int) -> bytes | None:
        """The frank of a message from a number (+E164), None without a tag; refuses not-allowed for other data."""
        try:
            tag = decode_aad(authenticated_data)
        except FrankingError as error:
            raise RefusedError("not-allowed", str(error)) from error
        if tag is None:
            return None
        sender = user_uri(self._host, TelephoneNumber.from_digits(number[1:]))
        return self._key.frank(tag, FrankingContext(sender, group_uri(self._host, group_id), at_ms))


def read_key(folder: Path) -> FrankingKey:
    """The key of a service. Raises StartError."""
    try:
        return FrankingKey.from_octets((folder / KEY_FILE).read_bytes())
    except (OSError, FrankingError) as error:
        raise StartError(
            f"the franking key {folder / KEY_FILE} cannot be read ({error}); restore it from a backup: "
            "with another key nothing that was franked before can be confirmed, and every client will ask why"
        ) from error


def write_key(folder: Path) -> FrankingKey:
    """A new key, stored where only the service's user reads it before it is used. Raises StartError."""
    key, arriving = FrankingKey.generate(), folder / f"{KEY_FILE}.new"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        arriving.unlink(missing_ok=True)
        with open(os.open(arriving, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(key.to_octets())
            file.flush()
            os.fsync(file.fileno())
        arriving.rename(folder / KEY_FILE)
    except OSError as error:
        raise StartError(f"the franking key cannot be stored in {folder}: {error}") from error
    return key
