"""Ciphertext on its way to or from the service: files of one folder, under names that say nothing."""

import os
import secrets
from collections.abc import Collection
from pathlib import Path

from client.errors import StoreError
from client.storage.home import FILE_MODE, FOLDER_MODE


class Spool:
    """A folder beside the store. What is in it is ciphertext, whose key only the store has."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self) -> str:
        """The name of a new, empty file. Raises StoreError."""
        name = secrets.token_hex(16)
        try:
            self._folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
            os.close(os.open(self.path(name), os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE))
        except OSError as error:
            raise StoreError(f"a file cannot be kept in {self._folder}: {error.strerror}") from error
        return name

    def path(self, name: str) -> Path:
        """Where a file is."""
        return self._folder / name

    def size(self, name: str) -> int:
        """How many octets a file has; 0 if it is gone."""
        try:
            return self.path(name).stat().st_size
        except FileNotFoundError:
            return 0

    def piece(self, name: str, start: int, size: int) -> bytes:
        """A part of a file. Raises StoreError if it is gone or was shortened."""
        try:
            with open(self.path(name), "rb") as file:
                file.seek(start)
                octets = file.read(size)
        except OSError as error:
            raise StoreError(f"the encrypted file cannot be read: {error.strerror}") from error
        if len(octets) != size:
            raise StoreError("the encrypted file was shortened")
        return octets

    def drop(self, name: str) -> None:
        """Delete a file, if it is there."""
        self.path(name).unlink(missing_ok=True)

    def sweep(self, known: Collection[str]) -> None:
        """Delete every file but these: what an earlier process began and did not note."""
        if self._folder.exists():
            for path in self._folder.iterdir():
                if path.name not in known:
                    path.unlink(missing_ok=True)
