"""Whether keys were used twice, seen from outside: one idempotency key for one body; one key for one message."""

from collections import defaultdict
from typing import Any

import mls_rs

from client.session import Session


class KeyWitness:
    """Copies of the peer's groups, one for each epoch: all that is posted in it, accepted or not, can be read with it.

    Reading a message deletes its key. A second one under the same key is therefore refused (mls_rs.AlreadyReadError).
    """

    def __init__(self, peer: Session) -> None:
        self._peer = peer
        self._groups: dict[tuple[bytes, int], tuple[int, mls_rs.Group]] = {}
        self._logs: defaultdict[bytes, dict[bytes, int]] = defaultdict(dict)
        self._bodies: defaultdict[str, set[str]] = defaultdict(set)
        self._keys: defaultdict[str, set[str]] = defaultdict(set)
        self._known: set[bytes] = set()
        self.read = 0

    async def look(self) -> None:
        """Keep the groups as they are now, where this is the first look at their epoch."""
        query = "SELECT group_id, epoch, cursor, state, tree FROM chat WHERE standing = 'active'"
        for group_id, epoch, cursor, state, tree in await self._peer.worker.run(self._peer.steps.store.rows, query):
            if (group_id, epoch) not in self._groups:
                group = await self._peer.worker.run(self._peer.steps.groups.engine.load, state, tree)
                self._groups[group_id, epoch] = cursor, group

    async def check(self, posts: list[dict[str, Any]], now: int) -> None:
        """Read what was posted since the last time."""
        for post in posts:
            self._bodies[post["key"]].add(post["body"])
            self._keys[post["body"]].add(post["key"])
            assert (len(self._bodies[post["key"]]), len(self._keys[post["body"]])) == (1, 1)
        fresh = dict.fromkeys(bytes.fromhex(post["body"]) for post in posts)
        for body in fresh:
            if body not in self._known:
                self._known.add(body)
                await self._read(body, now)

    async def _read(self, body: bytes, now: int) -> None:
        try:
            inspected = mls_rs.inspect(body)
        except mls_rs.MalformedError:
            return  # a commit bundle, or a file
        witness = self._groups.get((inspected.group_id or b"", inspected.epoch or 0))
        if inspected.kind != "private_message" or witness is None:
            return
        cursor, group = witness
        if (await self._log(group.group_id)).get(body, cursor + 1) <= cursor:
            return  # the peer had read it when the copy was made: its key is gone
        await self._peer.worker.run(group.process, body, now)
        self.read += 1

    async def _log(self, group_id: bytes) -> dict[bytes, int]:
        log = self._logs[group_id]
        more = True
        while more:
            batch = await self._peer.delivery.entries(group_id, max(log.values(), default=0))
            log |= {entry.body: entry.seq for entry in batch.entries}
            more = batch.more
        return log
