"""Blobs as files of one folder: written at their place, synchronised, and renamed once they are whole."""

import asyncio
import fcntl
import hashlib
import os
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import ParamSpec, TypeVar

from delivery_service.blob_storage import CHUNK, BlobStorage, no_blob, no_upload
from delivery_service.errors import StartError, StoreError
from delivery_service.wire.blobs import PIECE_SIZE

THREADS = 4
LOCKS = 64  # a piece and the sealing of its upload exclude each other; so may, rarely, two uploads
ARRIVING = ".part"

P = ParamSpec("P")
T = TypeVar("T")


class FolderBlobs(BlobStorage):
    """A BlobStorage of one process: `xx/PLACE` is a whole blob, `xx/PLACE.part` one that arrives; xx: two digits."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._threads: ThreadPoolExecutor | None = None
        self._owned: int | None = None
        self._locks = [Lock() for _ in range(LOCKS)]

    async def start(self) -> None:
        """See BlobStorage."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._owned = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self._owned, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._disown()
            raise StartError(
                f"another delivery service keeps blobs in {self._folder}; replicas share an object storage: --blobs"
            ) from error
        except OSError as error:
            raise StartError(f"blobs cannot be kept in {self._folder}: {error}") from error
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="ringtrue-blobs")

    async def stop(self) -> None:
        """See BlobStorage."""
        if self._threads is not None:
            await asyncio.to_thread(self._threads.shutdown)
        self._disown()

    async def begin(self, place: str) -> str:
        """See BlobStorage."""
        await self._run(self._begin, place)
        return place

    async def put(self, place: str, token: str, piece: int, octets: bytes) -> str:
        """See BlobStorage."""
        await self._run(self._put, place, piece, octets)
        return str(piece)

    async def seal(self, place: str, token: str, tags: Sequence[str]) -> bytes:
        """See BlobStorage."""
        return await self._run(self._seal, place)

    async def read(self, place: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """See BlobStorage. A blob that is deleted while it is read is read to its end."""
        descriptor = await self._run(self._open, place)
        try:
            while start < end:
                octets = await self._run(os.pread, descriptor, min(CHUNK, end - start), start)
                if not octets:
                    raise StoreError(f"the file of {place} is shorter than it was")
                start += len(octets)
                yield octets
        finally:
            os.close(descriptor)

    async def drop(self, place: str, token: str | None = None) -> None:
        """See BlobStorage."""
        await self._run(self._drop, place, token is None)

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(*args, **kwargs))
        except OSError as error:
            raise StoreError(f"the folder of blobs: {error}") from error

    def _disown(self) -> None:
        if self._owned is not None:
            os.close(self._owned)
            self._owned = None

    def _begin(self, place: str) -> None:
        path = self._arriving(place)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with self._locked(place):
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            _synchronise(path.parent)
            _synchronise(self._folder)

    def _put(self, place: str, piece: int, octets: bytes) -> None:
        with self._locked(place):
            try:
                descriptor = os.open(self._arriving(place), os.O_WRONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                raise no_upload() from None
            try:
                _write(descriptor, octets, piece * PIECE_SIZE)
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)

    def _seal(self, place: str) -> bytes:
        arriving, whole = self._arriving(place), self._whole(place)
        with self._locked(place):
            if arriving.exists():
                arriving.rename(whole)
                _synchronise(whole.parent)
        try:
            with open(whole, "rb") as file:
                return hashlib.file_digest(file, "sha256").digest()
        except FileNotFoundError:
            raise no_upload() from None

    def _open(self, place: str) -> int:
        try:
            return os.open(self._whole(place), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise no_blob() from None

    def _drop(self, place: str, whole: bool) -> None:
        with self._locked(place), suppress(FileNotFoundError):
            self._arriving(place).unlink(missing_ok=True)
            if whole:
                self._whole(place).unlink(missing_ok=True)
            _synchronise(self._whole(place).parent)

    @contextmanager
    def _locked(self, place: str) -> Iterator[None]:
        # Held by the thread that writes and not by the request that waits for it, which may be gone before.
        with self._locks[int(place[:2], 16) % LOCKS]:
            yield

    def _whole(self, place: str) -> Path:
        return self._folder / place[:2] / place

    def _arriving(self, place: str) -> Path:
        return self._folder / place[:2] / f"{place}{ARRIVING}"


def _write(descriptor: int, octets: bytes, position: int) -> None:
    left = memoryview(octets)
    while left:
        written = os.pwrite(descriptor, left, position)
        left, position = left[written:], position + written


def _synchronise(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
