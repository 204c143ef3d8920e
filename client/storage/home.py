"""The account's folder: private files, written atomically, and the lock that makes one process the account's owner."""

import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import platformdirs

from client.errors import AccountBusyError, AccountError

AUTHORITY = "http://127.0.0.1:8441"  # what is proposed to whoever enrols: the services of the same machine
DELIVERY = "http://127.0.0.1:8442"
FOLDER_MODE = 0o700
FILE_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Home:
    """Where one account keeps its files; nothing outside `folder` is ever written."""

    folder: Path

    @property
    def database(self) -> Path:
        """The encrypted store."""
        return self.folder / "store.db"

    @property
    def key_file(self) -> Path:
        """The wrapped key of the store, or where the operating system keeps it."""
        return self.folder / "store.key"

    @property
    def anchors(self) -> Path:
        """The trust anchors (PEM), for verifying exported messages while the account is in use elsewhere."""
        return self.folder / "anchors.pem"

    @property
    def trust_policy(self) -> Path:
        """The policy that goes with the trust anchors."""
        return self.folder / "trust.json"

    @property
    def enrolment(self) -> Path:
        """The challenge that a code was sent for, while enrolment is not finished."""
        return self.folder / "enrolment.json"

    def create(self) -> None:
        """Make the folder, readable by its owner only. Raises AccountError if others may read it."""
        self.folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        mode = self.folder.stat().st_mode & 0o777
        if mode & 0o077:
            raise AccountError(f"{self.folder} is open to others (mode {mode:o}); run: chmod 700 {self.folder}")


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read: afterwards all of `data` is on the disk, or nothing has changed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a creation or a renaming inside `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def default_home() -> Path:
    """The account's folder where neither --home nor RINGTRUE_HOME says otherwise."""
    return platformdirs.user_data_path("ringtrue") / "account"


class AccountLock:
    """Ownership of an account by this process; the kernel releases it when the process ends, however it ends."""

    def __init__(self, home: Home) -> None:
        """Take the lock. Raises AccountBusyError naming the process that holds it."""
        self._descriptor = os.open(home.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise AccountBusyError(f"the account in {home.folder} is in use by process {holder}") from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode("ascii"), 0)

    def release(self) -> None:
        """Give the account free."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
