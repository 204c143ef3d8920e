"""Files on their way out: sealed, stored at the service in pieces, and offered in a message once all of it is there.

What is to be uploaded is sealed into the spool and noted in the store first. So it goes on after a dropped connection,
a restarted service or a killed client, with the same octets; one that is cancelled, refused for good or older than a
day leaves nothing behind.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from client.errors import (
    ChatError,
    ClientError,
    NotFoundError,
    RateLimitedError,
    ServiceError,
    UnexpectedAnswerError,
    UnreachableError,
)
from client.events import Event, Trouble
from client.records.message import Message
from client.services.blobs import BlobService
from client.services.service import backoff
from client.steps.wired import Steps
from client.transfers.attachments import Sealed, read_file, seal
from client.transfers.rows import TransferRows, Upload
from client.transfers.spool import Spool
from client.worker import Worker
from delivery_service.wire.blobs import UPLOAD_LIFETIME

FAILURES = 6  # interruptions without any progress between them, after which a transfer waits for a later attempt
# Refusals that a repeat of the same upload does not cure.
FINAL = frozenset(("too-much-stored", "too-large", "wrong-digest", "not-allowed", "malformed"))
WAITS = "It goes on by itself from where it is. To stop it: ringtrue transfers --cancel"
_GIVEN_UP = "{} could not be sent within a day, and was given up"
_AGAIN = "Send it again if it is still wanted."

Progress = Callable[[int, int], None]  # octets done, octets in all


@dataclass(frozen=True, slots=True)
class Moving:
    """An upload as it stands; `done` and `total` count octets of ciphertext, `active` whether it is at work now."""

    id: int
    name: str
    group_id: bytes
    done: int
    total: int
    active: bool


class Uploads:
    """The files that one account sends."""

    def __init__(
        self,
        steps: Steps,
        rows: TransferRows,
        blobs: BlobService,
        worker: Worker,
        spool: Spool,
        *,
        clock: Callable[[], float],
        tell: Callable[[Iterable[Event]], None],
        drive: Callable[[bytes], Awaitable[None]],
    ) -> None:
        self._steps = steps
        self._blobs = blobs
        self._worker = worker
        self._spool = spool
        self._rows = rows
        self._clock = clock
        self._tell = tell
        self._drive = drive
        self._running: dict[int, asyncio.Task[None]] = {}
        self._done: dict[int, int] = {}
        self._sealing: set[str] = set()
        self._going_on: asyncio.Task[None] | None = None

    async def send(self, group_id: bytes, path: Path, caption: str, progress: Progress) -> Message:
        """Seal a file, upload it, and queue the message that offers it; `progress` hears how far it is.

        Raises ClientError. What passes by itself, such as an unreachable service, leaves the upload to `go_on`.
        """
        upload = await self._sealed(group_id, path, caption)
        return await self._carry(upload, progress)

    async def go_on(self) -> None:
        """Go on with what was interrupted, one after another; what cannot be sent is told as trouble."""
        await self._worker.run(self._sweep)
        await self._delete_due()
        for upload in await self._worker.run(self._rows.uploads):
            if upload.id in self._running:
                continue
            try:
                if self._now() - upload.began > UPLOAD_LIFETIME:
                    await self._drop(upload)
                    raise ClientError(_GIVEN_UP.format(upload.sealed.filename), code="transfer-too-old", hint=_AGAIN)
                await self._carry(upload, lambda done, total: None)
                await self._drive(upload.group_id)
            except (UnreachableError, RateLimitedError):
                continue  # the next attempt may get further
            except ClientError as error:
                self._tell([Trouble(upload.group_id, error, error.code, str(error))])

    async def _delete_due(self) -> None:
        """Have the files of messages deleted that were taken back; what cannot be done now is done the next time."""
        for digest in await self._worker.run(self._rows.due):
            try:
                await self._blobs.delete(digest.hex())
            except (NotFoundError, UnexpectedAnswerError):
                pass  # it is gone, or this service deletes none before its time
            except ClientError:
                return
            await self._worker.run(self._rows.deleted, digest)

    def go_on_soon(self) -> None:
        """Go on with what was interrupted, without anybody waiting for it."""
        if self._going_on is None or self._going_on.done():
            self._going_on = asyncio.create_task(self.go_on())

    async def moving(self) -> list[Moving]:
        """What is not offered yet, oldest first."""
        return [
            Moving(
                upload.id,
                upload.sealed.filename,
                upload.group_id,
                self._done.get(upload.id, 0),
                upload.size,
                upload.id in self._running,
            )
            for upload in await self._worker.run(self._rows.uploads)
        ]

    def waiting(self) -> int:
        """How many files are not offered yet; on the worker thread."""
        return self._rows.count()

    async def cancel(self, number: int) -> None:
        """Give an upload up, here and at the service. Raises ChatError if there is none of that number."""
        upload = await self._worker.run(self._rows.upload, number)
        if upload is None:
            raise ChatError("no such file is on its way", code="unknown-transfer", hint="See: ringtrue transfers")
        running = self._running.get(number)
        await self._drop(upload)
        if running is not None:
            running.cancel()
        if upload.place:
            with suppress(ClientError):  # what the service cannot be told now, it forgets after a day
                await self._blobs.cancel(upload.place)

    async def close(self) -> None:
        """End what is under way; it goes on with the next session."""
        ending = [task for task in (self._going_on, *self._running.values()) if task is not None]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _sealed(self, group_id: bytes, path: Path, caption: str) -> Upload:
        name = await self._worker.run(self._begin)
        try:
            sealed = await asyncio.to_thread(self._seal, path, name)
            return await self._worker.run(self._rows.add, group_id, caption, sealed, name, self._now())
        except BaseException:
            self._spool.drop(name)
            raise
        finally:
            self._sealing.discard(name)

    def _begin(self) -> str:
        name = self._spool.create()
        self._sealing.add(name)  # within the step: what sweeps the folder is another one
        return name

    def _seal(self, path: Path, name: str) -> Sealed:
        with open(self._spool.path(name), "wb") as target:
            return seal(read_file(path), path.name, target)

    async def _carry(self, upload: Upload, progress: Progress) -> Message:
        """Upload and queue; a task of its own does the first, so that it can be cancelled without its caller."""
        task = self._running[upload.id] = asyncio.create_task(self._upload(upload, progress))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():  # the caller was cancelled, not the upload
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                raise
            raise ClientError(f"{upload.sealed.filename} is not sent", code="transfer-cancelled", hint=_AGAIN) from None
        except RateLimitedError as error:
            error.hint = WAITS
            raise
        except ServiceError as error:
            if error.code in FINAL:
                await self._drop(upload)
            raise
        finally:
            del self._running[upload.id]
            self._done.pop(upload.id, None)
        message = await self._worker.run(self._offer, upload)
        self._spool.drop(upload.spool)
        return message

    async def _upload(self, upload: Upload, progress: Progress) -> None:
        failures, best = 0, -1
        while True:
            try:
                return await self._attempt(upload, progress)
            except (UnreachableError, NotFoundError) as error:  # not found: the service gave the upload up
                done = self._done.get(upload.id, 0)
                failures, best = (0, done) if done > best else (failures + 1, best)
                if failures >= FAILURES or upload.id not in self._done:  # it was never reached: say so at once
                    error.hint = WAITS
                    raise
            await asyncio.sleep(backoff(failures + 1))

    async def _attempt(self, upload: Upload, progress: Progress) -> None:
        state = await self._blobs.open(upload.blob, upload.size)
        if state.stored:
            return
        await self._worker.run(self._rows.placed, upload.id, state.upload)
        left = set(state.missing)
        sizes = {piece: min(state.piece_size, upload.size - piece * state.piece_size) for piece in left}
        for piece in sorted(left):
            self._done[upload.id] = upload.size - sum(sizes[each] for each in left)
            progress(self._done[upload.id], upload.size)
            octets = await asyncio.to_thread(self._spool.piece, upload.spool, piece * state.piece_size, sizes[piece])
            await self._blobs.put(state.upload, piece, octets)
            left.discard(piece)
        self._done[upload.id] = upload.size
        progress(upload.size, upload.size)
        await self._blobs.finish(state.upload)

    def _offer(self, upload: Upload) -> Message:
        """Queue the message, in the transaction that forgets the upload. Raises ChatError if the chat is closed."""
        part = upload.sealed.part(self._blobs.url(upload.blob))
        with self._steps.store.transaction():
            self._rows.drop(upload.id)
            try:
                return self._steps.sender.queue_file(upload.group_id, part, upload.caption, self._now())
            except ClientError as error:
                refusal = error
        raise refusal  # after the transaction: a file for a chat that is closed is forgotten all the same

    async def _drop(self, upload: Upload) -> None:
        await self._worker.run(self._rows.drop, upload.id)
        self._spool.drop(upload.spool)

    def _sweep(self) -> None:
        self._spool.sweep(self._rows.known_files(self._now() - UPLOAD_LIFETIME) | self._sealing)

    def _now(self) -> int:
        return int(self._clock())
