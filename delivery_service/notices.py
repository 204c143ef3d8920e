"""Notices: what the replicas of the service on one PostgreSQL database tell each other, to wake watchers.

They carry heads and names, no contents, and they may be lost: whoever misses one finds the same in the database at its
next look. So they are sent after the change is durable, by a connection of their own, and what gathered while the last
were on their way goes in one transaction. Too many at once, or a lost connection, let everybody look again.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec
import psycopg

from delivery_service.storage.servers import Servers
from delivery_service.storage.values import Change, Notified
from delivery_service.wakeups import Wakeups

CHANNEL = "ringtrue_delivery"
APPLICATION = "ringtrue notices"  # in pg_stat_activity
PAYLOAD_LIMIT = 7_999  # octets that PostgreSQL takes in one notification
PAYLOADS_LIMIT = 16  # in one transaction, about 4,000 groups; with more everybody looks again
UNTOLD_LIMIT = 50_000  # changes that wait to be told; more are not remembered, and everybody looks again
RETRY_AFTER = 1.0  # seconds between two attempts to reach the database
PING_INTERVAL = 10.0  # seconds after which a silent connection is asked whether it still is one
PING_TIMEOUT = 5.0
LOOKING_AT_ONCE, LOOKING_PAUSE = 256, 0.1  # watchers that look again together, and seconds until the next ones do
KEEPER = 5_734_110_218  # pg_advisory_lock of the one replica that does what one alone must do

_SEND = "SELECT pg_notify(%s, payload) FROM unnest(%s::text[]) payload"


class News(msgspec.Struct, array_like=True, frozen=True):
    """A Change or a Notified as it is sent."""

    group_id: bytes = b""
    seq: int = 0
    joined: frozenset[bytes] = frozenset()
    left: frozenset[bytes] = frozenset()
    numbers: frozenset[str] = frozenset()


class Notice(msgspec.Struct, array_like=True, frozen=True):
    """One notification: who sends it, and its news; with none of them, everybody must look again."""

    origin: str
    news: tuple[News, ...]


_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder(Notice).decode


def payloads(origin: str, changes: Sequence[Change | Notified]) -> list[str]:
    """The notifications that tell of changes; of several heads of one group, the last is enough."""
    heads: dict[bytes, News] = {}
    others = []
    for change in changes:
        if isinstance(change, Notified):
            others.append(News(numbers=change.numbers))
        elif change.joined or change.left:
            others.append(News(change.group_id, change.seq, change.joined, change.left))
        elif change.group_id not in heads or heads[change.group_id].seq < change.seq:
            heads[change.group_id] = News(change.group_id, change.seq)
    packed = _pack(origin, [*heads.values(), *others])
    return [_encode(notice).decode() for notice in packed or [Notice(origin, ())]]


def _pack(origin: str, news: Sequence[News]) -> list[Notice] | None:
    """As few notices as hold the news; None if there would be too many, or one of the news is too long."""
    notices: list[list[News]] = [[]]
    room = most = PAYLOAD_LIMIT - len(_encode(Notice(origin, ())))
    for item in news:
        size = len(_encode(item)) + 1
        if size > room:
            notices.append([])
            room = most
        if size > room or len(notices) > PAYLOADS_LIMIT:
            return None
        notices[-1].append(item)
        room -= size
    return [Notice(origin, tuple(part)) for part in notices if part]


class Notices:
    """Sends and hears notices, and says whether this replica is the keeper."""

    def __init__(self, servers: Servers, wakeups: Wakeups) -> None:
        self._servers = servers
        self._wakeups = wakeups
        self._origin = secrets.token_hex(8)
        self._untold: list[Change | Notified] = []
        self._more = asyncio.Event()
        self._missed = False  # whether the others lack what was sent last
        self.keeping = asyncio.Event()  # set while this replica is the keeper

    def publish(self, change: Change | Notified) -> None:
        """The engine's listener: wakes this replica's watchers now, and the others' as soon as they hear."""
        self._wakeups.publish(change)
        if len(self._untold) <= UNTOLD_LIMIT:
            self._untold.append(change)
        self._more.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hears and sends until the end, whatever becomes of the connections."""
        tasks = [asyncio.create_task(self._again_and_again(part)) for part in (self._hear, self._send)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _again_and_again(self, part: Callable[["_Connection", str], Awaitable[None]]) -> None:
        while True:
            url = self._servers.url  # where the engine is, which may move
            try:
                async with await _connect(url) as connection:
                    await part(connection, url)
            except (psycopg.Error, OSError, TimeoutError):
                if self._missed:
                    self._more.set()
                await asyncio.sleep(RETRY_AFTER)

    async def _hear(self, connection: "_Connection", url: str) -> None:
        await connection.execute(f"LISTEN {CHANNEL}")
        await self._let_look()
        try:
            while self._servers.url == url:
                async with asyncio.timeout(PING_TIMEOUT):
                    await self._ask_to_keep(connection)
                async for notification in connection.notifies(timeout=PING_INTERVAL):
                    await self._heard(notification.payload)
        finally:
            self.keeping.clear()

    async def _ask_to_keep(self, connection: "_Connection") -> None:
        """Asks for the keeper's lock, which is held as long as the connection; who has it just asks for an answer."""
        query = "SELECT true" if self.keeping.is_set() else f"SELECT pg_try_advisory_lock({KEEPER})"
        row = await (await connection.execute(query)).fetchone()
        if row == (True,):
            self.keeping.set()

    async def _heard(self, payload: str) -> None:
        try:
            notice = _decode(payload)
        except msgspec.MsgspecError:
            notice = Notice("", ())
        if notice.origin == self._origin:
            return
        if not notice.news:
            await self._let_look()
        for news in notice.news:
            if news.numbers:
                self._wakeups.publish(Notified(news.numbers))
            else:
                self._wakeups.publish(Change(news.group_id, news.seq, news.joined, news.left))

    async def _let_look(self) -> None:
        """Lets every watcher look again, a few at a time: all at once would be a rush on the database."""
        for start, watcher in enumerate(self._wakeups.watchers(), 1):
            watcher.look_again()
            if start % LOOKING_AT_ONCE == 0:
                await asyncio.sleep(LOOKING_PAUSE)

    async def _send(self, connection: "_Connection", url: str) -> None:
        while True:
            await self._more.wait()
            if self._servers.url != url:
                return
            self._more.clear()
            changes, self._untold = self._untold, []
            lost = self._missed or len(changes) > UNTOLD_LIMIT
            told = payloads(self._origin, () if lost else changes)
            self._missed = True
            async with asyncio.timeout(PING_TIMEOUT):
                await connection.execute(_SEND, [CHANNEL, told])
            self._missed = False


_Connection = psycopg.AsyncConnection[tuple[object, ...]]


async def _connect(url: str) -> _Connection:
    async with asyncio.timeout(PING_TIMEOUT):
        return await psycopg.AsyncConnection.connect(url, autocommit=True, application_name=APPLICATION)
