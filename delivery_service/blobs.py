"""Blobs: the ciphertext of attachments, taken and handed out in pieces, so that none is ever whole in memory."""

import hashlib
import secrets
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AsyncExitStack, suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from delivery_service.errors import DeliveryError, RefusedError, StoreError
from delivery_service.limits import Turns
from delivery_service.storage.store import Store
from delivery_service.storage.values import NewBlob, StoredBlob
from delivery_service.wire import BLOB_TYPE, RETENTION, BlobStored

PIECE = 256 * 1024  # octets that are written, read and sent at once
TRANSFERS_PER_NUMBER = 8  # blobs of one number that may be under way at once, either way
TRANSFERS = 64  # of all numbers: about 50 MB in memory, and half of what may wait for the writer
NAME_SIZE = 16  # octets


class Blobs:
    """What is behind /v1/blobs. Whose a blob is and who may read it is not known here: its name is unguessable."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.transfers = Turns(TRANSFERS_PER_NUMBER, TRANSFERS)

    async def store(self, chunks: AsyncIterable[bytes], key: bytes, now: int) -> BlobStored:
        """Keeps a blob, answering once it is durable; a repeat of the key gets the first answer. Refuses malformed."""
        name = secrets.token_bytes(NAME_SIZE)
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self._drop, name)
            blob = await self._store.finish_blob(await self._write(name, chunks, key, now))
            undo.pop_all()
        return BlobStored(blob.name.hex(), blob.at + RETENTION)

    async def find(self, name: bytes) -> StoredBlob:
        """A blob that may be read; refuses unknown-blob."""
        return await self._store.blob(name)

    async def pieces(self, blob: StoredBlob) -> AsyncIterator[bytes]:
        """The blob's octets in order; refuses unknown-blob when it is deleted meanwhile."""
        position = sent = 0
        while sent < blob.size:
            piece = await self._store.blob_piece(blob.name, position)
            position, sent = position + 1, sent + len(piece)
            yield piece

    async def _write(self, name: bytes, chunks: AsyncIterable[bytes], key: bytes, now: int) -> NewBlob:
        digest, size, position = hashlib.sha256(), 0, 0
        async for piece in _regrouped(chunks):
            digest.update(piece)
            await self._store.add_piece(name, position, piece, now)
            size, position = size + len(piece), position + 1
        if not size:
            raise RefusedError("malformed", "a blob has at least one octet")
        return NewBlob(name, key, digest.digest(), size)

    async def _drop(self, name: bytes) -> None:
        with suppress(DeliveryError):  # what cannot be deleted now is deleted at the next start
            await self._store.drop_blob(name)


class BlobAnswer(Response):
    """The response that hands out one blob; it takes a turn for as long as it lasts."""

    def __init__(self, blobs: Blobs, name: bytes, number: str) -> None:
        super().__init__(None, headers={"cache-control": "no-store"}, media_type=BLOB_TYPE)
        self._blobs = blobs
        self._name = name
        self._number = number

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._blobs.transfers.of(self._number):
            blob = await self._blobs.find(self._name)
            self.headers["content-length"] = str(blob.size)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            with suppress(RefusedError, StoreError):  # without the last part: the server closes the connection
                async for piece in self._blobs.pieces(blob):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _regrouped(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The same octets in pieces of PIECE octets, the last one shorter."""
    waiting = bytearray()
    async for chunk in chunks:
        waiting += chunk
        while len(waiting) >= PIECE:
            yield bytes(waiting[:PIECE])
            del waiting[:PIECE]
    if waiting:
        yield bytes(waiting)
