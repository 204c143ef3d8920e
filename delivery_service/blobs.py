"""Blobs: the ciphertext of attachments, named by its digest, taken in pieces and handed out in ranges.

What is stored counts against the quota of a number, which is kept as a keyed hash only. Whoever knows a blob's name may
read it: for which group it is, is known nowhere here.
"""

import secrets
from collections.abc import AsyncGenerator, Callable

from delivery_service.blob_storage import BlobStorage, no_blob
from delivery_service.errors import RefusedError
from delivery_service.storage import blobs as records
from delivery_service.storage.blobs import StoredBlob, Upload
from delivery_service.storage.engine import Engine
from delivery_service.transfers import Transfers
from delivery_service.wire import BLOB_LIMIT, RETENTION
from delivery_service.wire.blobs import (
    BLOB_OCTETS_KEPT,
    PIECE_SIZE,
    UPLOAD_LIFETIME,
    BlobStored,
    BlobUpload,
    UploadState,
)

DOWNLOADS_PER_NUMBER = 8  # at once
DOWNLOADS = 64  # of all numbers: at most 64 MB in memory, of an object storage, and 16 MB of a folder
UPLOADS_PER_NUMBER = 4  # pieces of one number that may arrive at once
UPLOADS = 64  # of all numbers: at most 320 MB in memory


class Blobs:
    """What is behind /v1/blobs and /v1/uploads. `owner` makes of a number (+E164) what is kept in its place."""

    def __init__(
        self,
        engine: Engine,
        storage: BlobStorage,
        owner: Callable[[str], bytes],
        quota: int = BLOB_OCTETS_KEPT,
        retention: int = RETENTION,
    ) -> None:
        self._engine = engine
        self._retention = retention
        self._storage = storage
        self._owner = owner
        self._quota = quota
        self.downloads = Transfers(DOWNLOADS_PER_NUMBER, DOWNLOADS)
        self.uploads = Transfers(UPLOADS_PER_NUMBER, UPLOADS)

    async def open(self, number: str, wanted: BlobUpload, now: int) -> UploadState:
        """Begins an upload, or goes on with the number's same one; refuses malformed, too-large, too-much-stored."""
        _check_size(wanted.size)
        name = bytes.fromhex(wanted.blob)
        stored = await self._engine.read(records.blob, name)
        if stored is not None:
            return UploadState("", PIECE_SIZE, [], True, stored.at + self._retention)
        new = Upload(secrets.token_hex(16), name, wanted.size, now, self._owner(number))
        opened = await self._engine.write(records.open_upload, new, self._quota)
        if opened.token is None:
            await self._begin(opened.place)
        return await self.state(number, opened.place)

    async def state(self, number: str, place: str) -> UploadState:
        """What is missing of an upload; refuses unknown-upload."""
        upload, tags = await self._engine.read(records.upload, place, self._owner(number))
        missing = [piece for piece in range(_count(upload)) if piece not in tags]
        return UploadState(place, PIECE_SIZE, missing, False, upload.at + UPLOAD_LIFETIME)

    async def wanted(self, number: str, place: str, piece: int) -> Upload:
        """The upload that a piece is for; refuses unknown-upload, malformed."""
        upload, _ = await self._engine.read(records.upload, place, self._owner(number))
        if piece >= _count(upload):
            raise RefusedError("malformed", f"the upload has the pieces 0 to {_count(upload) - 1}")
        return upload

    async def put(self, upload: Upload, piece: int, octets: bytes) -> None:
        """Keeps a piece, answering once it is durable; a repeat changes nothing. Refuses malformed, unknown-upload."""
        size = min(PIECE_SIZE, upload.size - piece * PIECE_SIZE)
        if len(octets) != size:
            raise RefusedError("malformed", f"piece {piece} has {size} octets, not {len(octets)}")
        if piece in await self._engine.read(records.pieces, upload.place):
            return
        tag = await self._storage.put(upload.place, upload.token or "", piece, octets)
        await self._engine.write(records.add_piece, upload.place, piece, tag)

    async def finish(self, number: str, place: str, now: int) -> BlobStored:
        """Makes a blob readable if its octets are those that its name says.

        Refuses unknown-upload, missing-pieces, and wrong-digest, after which nothing is left of the upload.
        """
        owner = self._owner(number)
        upload, tags = await self._engine.read(records.upload, place, owner)
        if len(tags) < _count(upload):
            raise RefusedError("missing-pieces", f"{_count(upload) - len(tags)} of {_count(upload)} pieces are missing")
        try:
            digest = await self._storage.seal(place, upload.token or "", [tags[piece] for piece in sorted(tags)])
        except RefusedError:  # the storage has lost it: whoever uploads can only begin anew
            await self.cancel(number, place)
            raise
        if digest != upload.name:
            await self.cancel(number, place)
            raise RefusedError("wrong-digest", f"the octets have the SHA-256 {digest.hex()}; nothing was kept")
        stored = await self._engine.write(records.finish, place, now)
        if stored.place != place:  # the same octets came by another upload meanwhile
            await self.clean()
        return BlobStored(stored.name.hex(), stored.at + self._retention)

    async def cancel(self, number: str, place: str) -> None:
        """Gives an upload up; refuses unknown-upload."""
        await self._engine.write(records.cancel, place, self._owner(number))
        await self.clean()

    async def find(self, name: bytes) -> StoredBlob:
        """A blob that may be read; refuses unknown-blob."""
        stored = await self._engine.read(records.blob, name)
        if stored is None:
            raise no_blob()
        return stored

    async def delete(self, number: str, name: bytes) -> None:
        """Deletes a blob that this number has stored; refuses unknown-blob, also for another's."""
        await self._engine.write(records.delete, name, self._owner(number))
        await self.clean()

    def read(self, blob: StoredBlob, start: int, end: int) -> AsyncGenerator[bytes]:
        """The blob's octets from `start` up to `end`; refuses unknown-blob when it is deleted meanwhile."""
        return self._storage.read(blob.place, start, end)

    async def forget(self, number: str) -> int:
        """Deletes everything that a number has stored or begun; returns how many blobs and uploads."""
        count = await self._engine.write(records.give_up, self._owner(number))
        await self.clean()
        return count

    async def expire(self, cutoff: int, now: int) -> None:
        """Deletes blobs from before `cutoff`, uploads that took too long, and what was left to be deleted."""
        while await self._engine.write(records.expire, cutoff, now - UPLOAD_LIFETIME):
            pass
        await self.clean()

    async def clean(self) -> None:
        """Deletes from the blob storage what has been given up."""
        while places := await self._engine.read(records.leavings):
            for place in places:
                await self._storage.drop(place)
                await self._engine.write(records.left, place)

    async def _begin(self, place: str) -> None:
        token = await self._storage.begin(place)
        noted = await self._engine.write(records.begun, place, token)
        if noted != token:  # another request for the same upload was first
            await self._storage.drop(place, token)


def _check_size(size: int) -> None:
    if size < 1:
        raise RefusedError("malformed", "a blob has at least one octet")
    if size > BLOB_LIMIT:
        detail = f"at most {BLOB_LIMIT} octets (BLOB_LIMIT)"
        raise RefusedError("too-large", detail, limit=BLOB_LIMIT, limit_name="BLOB_LIMIT")


def _count(upload: Upload) -> int:
    """How many pieces an upload has."""
    return -(-upload.size // PIECE_SIZE)
