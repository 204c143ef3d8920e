"""Reading logs of certificates at intervals: whole, page by page, and no further in one look than a line can bear."""

from collections.abc import Callable

import httpx

from client.credentials.log_client import LogClient
from client.credentials.log_monitor import LogLiesError, LogMonitor
from client.credentials.logs_seen import SeenLog
from client.errors import UnexpectedAnswerError
from client.worker import Worker
from identity.errors import TransparencyError
from identity.transparency.heads import TreeHead

ENTRIES_PER_LOOK = 4_096  # about 12 MB; a log that is longer is read over several looks


class LogWatch:
    """Looks at every log that the authority names. Raises ClientError if one cannot be read; a lie is an alarm."""

    def __init__(
        self,
        monitor: LogMonitor,
        worker: Worker,
        *,
        clock: Callable[[], float],
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        self._monitor = monitor
        self._worker = worker
        self._clock = clock
        self._transport = transport

    async def look(self, authority: str) -> bool:
        """Look at all of them; returns whether there is an alarm."""
        try:
            async with LogClient(authority, self._transport) as asked:
                named = (await asked.logs()).logs
            raised = await self._worker.run(self._monitor.adopt, named, self._now())
            for log in await self._worker.run(self._monitor.seen.all):
                raised |= await self._look(log)
        except TransparencyError as error:
            raise UnexpectedAnswerError(f"a log of certificates answers with what cannot be read: {error}") from error
        return raised

    async def _look(self, log: SeenLog) -> bool:
        raised = False
        try:
            async with LogClient(log.url, self._transport) as client:
                head = await self._accept(log, client)
                raised = await self._read(log, client, head)
                await self._own(log, client, head)
        except LogLiesError as lie:
            return await self._worker.run(self._monitor.caught, log, lie, self._now()) or raised
        await self._worker.run(self._monitor.seen.in_order, log.key.log_id, self._now())
        return raised

    async def _accept(self, log: SeenLog, client: LogClient) -> TreeHead:
        head = await self._worker.run(self._monitor.check_head, log, await client.head(), self._now())
        grown = 0 < log.head.size < head.size
        proof = await client.consistency(log.head.size, head.size) if grown else []
        await self._worker.run(self._monitor.accept, log, head, proof)
        return head

    async def _read(self, log: SeenLog, client: LogClient, head: TreeHead) -> bool:
        raised, position = False, log.frontier.size
        end = min(head.size, position + ENTRIES_PER_LOOK)
        while position < end:
            entries = await client.entries(position, end)
            raised |= await self._worker.run(self._monitor.read, log.key.log_id, head, entries, self._now())
            position += len(entries)
        return raised

    async def _own(self, log: SeenLog, client: LogClient, head: TreeHead) -> None:
        for promise in await self._worker.run(self._monitor.promises, log):
            proof = await client.proof(promise.leaf_hash, head.size) if head.size else None
            await self._worker.run(self._monitor.check_kept, log, promise, head, proof)

    def _now(self) -> int:
        return int(self._clock())
