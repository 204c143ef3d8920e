"""Files on their way in: ciphertext collects in the spool, whatever interrupts it, and is checked once it is whole."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import FileIO
from pathlib import Path
from weakref import WeakValueDictionary

from client.errors import (
    ClientError,
    ContentError,
    NotFoundError,
    ServiceError,
    UnexpectedAnswerError,
    UnreachableError,
)
from client.formats.parts import ExternalPart
from client.services.blobs import BlobService, Download
from client.services.service import backoff
from client.transfers.attachments import ciphertext_limit, digest_of
from client.transfers.rows import TransferRows
from client.transfers.spool import Spool
from client.transfers.uploading import FAILURES, Progress
from client.worker import Worker

WRITTEN_AT_ONCE = 1024 * 1024  # octets
AGAIN = "Ask for it again: what has come is kept for a day, and it goes on from there."

ALTERED_HINT = "Nothing was saved. Try again; if it goes on, tell the operator of the delivery service."
ALTERED = "the delivery service handed out other octets than the name of the file says"


class Downloads:
    """The files that one account fetches."""

    def __init__(
        self, rows: TransferRows, blobs: BlobService, worker: Worker, spool: Spool, *, clock: Callable[[], float]
    ) -> None:
        self._rows = rows
        self._blobs = blobs
        self._worker = worker
        self._spool = spool
        self._clock = clock
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def fetched(self, part: ExternalPart, progress: Progress) -> AsyncIterator[Path]:
        """The ciphertext that a part offers, in a file that is deleted afterwards; its hash is the part's.

        Raises ContentError if the part cannot be right, NotFoundError if the service has it no more, and
        UnexpectedAnswerError if the service hands out other octets. What was interrupted stays for the next attempt.
        """
        limit, blob = ciphertext_limit(part), self._blobs.name(part)
        async with self._turns.setdefault(blob, asyncio.Lock()):
            spool = await self._worker.run(self._begin, part.content_hash)
            try:
                await self._collect(blob, spool, limit, progress)
                await asyncio.to_thread(self._check, spool, part.content_hash)
            except ClientError as error:
                if isinstance(error, ContentError | NotFoundError | UnexpectedAnswerError) or not self._spool.size(
                    spool
                ):
                    await self._worker.run(self._drop, spool, part.content_hash)
                raise
            try:
                yield self._spool.path(spool)
            finally:
                await self._worker.run(self._drop, spool, part.content_hash)

    def _begin(self, digest: bytes) -> str:
        new = self._spool.create()
        spool = self._rows.arriving(digest, new, int(self._clock()))
        if spool != new:
            self._spool.drop(new)
        return spool

    async def _collect(self, blob: str, spool: str, limit: int, progress: Progress) -> None:
        begun = best = self._spool.size(spool)
        failures = 0
        while True:
            try:
                return await self._attempt(blob, spool, limit, progress)
            except UnreachableError as error:
                done = self._spool.size(spool)
                failures, best = (0, done) if done > best else (failures + 1, best)
                if failures >= FAILURES or best == begun:  # nothing came: say so at once
                    error.hint = AGAIN if best else error.hint
                    raise
            await asyncio.sleep(backoff(failures + 1))

    async def _attempt(self, blob: str, spool: str, limit: int, progress: Progress) -> None:
        done = self._spool.size(spool)
        if done >= limit:
            return
        try:
            async with self._blobs.read(blob, done) as download:
                if download.total > limit:
                    raise ContentError(f"the attachment has more than {limit} octets", code="attachment-size")
                await self._write(spool, download, progress)
        except ServiceError as error:
            if error.code != "range-not-satisfiable":  # all of it is here: the message did not say how long it is
                raise

    async def _write(self, spool: str, download: Download, progress: Progress) -> None:
        waiting, done = bytearray(), download.start
        with open(self._spool.path(spool), "r+b", buffering=0) as file:
            file.truncate(download.start)
            file.seek(download.start)
            try:
                async for octets in download.octets:
                    waiting += octets
                    done += len(octets)
                    if done > download.total:
                        raise UnexpectedAnswerError("the service handed out more than it said")
                    if len(waiting) >= WRITTEN_AT_ONCE:
                        written, waiting = waiting, bytearray()
                        await asyncio.to_thread(_write, file, written)
                        progress(done, download.total)
            finally:
                _write(file, waiting)
        progress(done, download.total)
        if done < download.total:
            raise UnreachableError("the service broke off in the middle of a file", retryable=True)

    def _check(self, spool: str, digest: bytes) -> None:
        with open(self._spool.path(spool), "rb") as file:
            if digest_of(file) != digest:
                raise UnexpectedAnswerError(ALTERED, code="blob-altered", hint=ALTERED_HINT)

    def _drop(self, spool: str, digest: bytes) -> None:
        self._rows.arrived(digest)
        self._spool.drop(spool)


def _write(file: FileIO, octets: bytearray) -> None:
    left = memoryview(octets)
    while left:
        left = left[file.write(left) or 0 :]
