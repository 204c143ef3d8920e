"""Blobs in memory, for a service that keeps nothing."""

import hashlib
from collections.abc import AsyncGenerator, Sequence

from delivery_service.blob_storage import CHUNK, BlobStorage, no_blob, no_upload


class MemoryBlobs(BlobStorage):
    """A BlobStorage that ends with its process."""

    def __init__(self) -> None:
        self._pieces: dict[str, dict[int, bytes]] = {}
        self._sealed: dict[str, bytes] = {}

    async def start(self) -> None:
        """See BlobStorage."""

    async def stop(self) -> None:
        """See BlobStorage."""

    async def begin(self, place: str) -> str:
        """See BlobStorage."""
        self._pieces.setdefault(place, {})
        return place

    async def put(self, place: str, token: str, piece: int, octets: bytes) -> str:
        """See BlobStorage."""
        if place not in self._pieces:
            raise no_upload()
        self._pieces[place][piece] = octets
        return str(piece)

    async def seal(self, place: str, token: str, tags: Sequence[str]) -> bytes:
        """See BlobStorage."""
        if place in self._pieces:
            pieces = self._pieces.pop(place)
            self._sealed[place] = b"".join(pieces[piece] for piece in sorted(pieces))
        if place not in self._sealed:
            raise no_upload()
        return hashlib.sha256(self._sealed[place]).digest()

    async def read(self, place: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """See BlobStorage."""
        octets = self._sealed.get(place)
        if octets is None:
            raise no_blob()
        for position in range(start, end, CHUNK):
            yield octets[position : min(end, position + CHUNK)]

    async def drop(self, place: str, token: str | None = None) -> None:
        """See BlobStorage."""
        self._pieces.pop(place, None)
        if token is None:
            self._sealed.pop(place, None)
