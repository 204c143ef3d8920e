"""Where the ciphertext of attachments lies: the port, and what its implementations have in common.

A *place* is 32 hexadecimal digits and is used for one upload only. Nothing here knows names, owners or times: that is
the database's. An implementation raises StoreError when it fails, and answers after what it was given is durable.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from delivery_service.errors import RefusedError

CHUNK = 256 * 1024  # octets that are read at once


class BlobStorage(Protocol):
    """Octets by place: they come in pieces of PIECE_SIZE octets, are sealed once, and are read in ranges."""

    async def start(self) -> None:
        """Makes ready. Raises StartError."""

    async def stop(self) -> None:
        """Ends what is under way."""

    async def begin(self, place: str) -> str:
        """Makes room for pieces at a place; returns the storage's own token for it."""

    async def put(self, place: str, token: str, piece: int, octets: bytes) -> str:
        """Keeps a piece, in the place of an earlier one of its number; returns its tag. Refuses unknown-upload."""

    async def seal(self, place: str, token: str, tags: Sequence[str]) -> bytes:
        """Makes the pieces one, which no piece changes any more; returns its SHA-256. A repeat gets the same answer.

        Refuses unknown-upload when there are no such pieces.
        """

    def read(self, place: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """The octets from `start` up to `end` of what was sealed; refuses unknown-blob when it is gone."""

    async def drop(self, place: str, token: str | None = None) -> None:
        """Deletes what is at a place, whole or in pieces, or the pieces of one token only. A repeat is harmless."""


def no_upload() -> RefusedError:
    """There is nothing to which a piece could be added."""
    return RefusedError("unknown-upload", "there is no such upload any more: it was finished or given up")


def no_blob() -> RefusedError:
    """There is nothing that could be read."""
    return RefusedError("unknown-blob", "there is no such blob: blobs are deleted after their time (RETENTION)")
