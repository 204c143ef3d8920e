"""A rush on the service: people who each write now and then, wait as they are told where they are refused, and repeat.

A process of its own: `python -m lab.bench.delivery_rush` reads a Rush as JSON from standard input and prints a Rushed.
What a person does at a refusal is what the client does (client.services.service): Retry-After and a random time that
doubles, ATTEMPTS in all, then the message stays with them and counts as put off.
"""

import asyncio
import random
import resource
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from client.services.service import ATTEMPTS, backoff
from lab.bench.delivery_load import Connection, Load, cpu
from lab.bench.percentiles import percentiles

CONNECTED_AT_ONCE = 100


class Rush(Load, kw_only=True):
    """People on `connections` connections who together write at a `rate` (1/s), if each is answered at once."""

    rate: float


class Rushed(msgspec.Struct):
    """Accepted messages, other answers by status (0: the connection was lost), and messages put off.

    Milliseconds from the sending of the request that was accepted, and from the message's first one: p50, p95, p99.
    """

    accepted: int
    others: dict[int, int]
    put_off: int
    seconds: float
    request_ms: list[float]
    message_ms: list[float]
    cpu: float

    @property
    def goodput(self) -> float:
        """Accepted messages in a second."""
        return self.accepted / self.seconds


class Person(Connection):
    """A connection with pauses between its messages."""

    def __init__(self, rush: Rush, index: int, messages: list[list[bytes]], crowd: "Crowd") -> None:
        super().__init__(rush, index, messages, crowd.request_ms)
        self._pace = rush.rate / rush.connections
        self._crowd = crowd
        self._attempt = 0
        self._first = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing is written before all are connected."""
        self._transport = cast(asyncio.Transport, transport)

    def begin(self, end: float) -> None:
        """Write now and then, until the time of the performance counter."""
        self._end = end
        self._think()

    def connection_lost(self, error: Exception | None) -> None:
        """See Connection."""
        if self._attempt:
            self._crowd.others[0] += 1
        super().connection_lost(error)

    def answered(self, status: int, body: bytes) -> None:
        """See Connection."""
        now = time.perf_counter()
        if status == 201:
            self._crowd.request_ms.append(1000 * (now - self._started))
            self._crowd.message_ms.append(1000 * (now - self._first))
            self._think()
            return
        self._crowd.others[status] += 1
        wait = msgspec.json.decode(body).get("retry_after")
        if wait is None or self._attempt == ATTEMPTS:
            self._crowd.put_off += 1
            self._think()
        else:
            self._pause(wait + backoff(self._attempt))

    def _think(self) -> None:
        self._attempt = 0
        self._pause(random.expovariate(self._pace))

    def _pause(self, seconds: float) -> None:
        if time.perf_counter() + seconds < self._end:
            asyncio.get_running_loop().call_later(seconds, self._go)
        else:
            self._attempt = 0
            self._transport.close()

    def _go(self) -> None:
        if self._transport.is_closing():
            return
        self._attempt += 1
        if self._attempt == 1:
            self.compose()
        self.send()
        if self._attempt == 1:
            self._first = self._started


class Crowd:
    """What all of them saw."""

    def __init__(self) -> None:
        self.request_ms: list[float] = []
        self.message_ms: list[float] = []
        self.others: Counter[int] = Counter()
        self.put_off = 0


async def run(rush: Rush) -> Rushed:
    """Rush for the time asked, which begins when all are connected."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    messages = msgspec.msgpack.decode(Path(rush.messages).read_bytes(), type=list[list[bytes]])
    crowd, loop = Crowd(), asyncio.get_running_loop()
    people = [Person(rush, index, messages, crowd) for index in range(rush.connections)]
    for place in range(0, len(people), CONNECTED_AT_ONCE):
        some = people[place : place + CONNECTED_AT_ONCE]
        await asyncio.gather(*(loop.create_connection(partial(_itself, each), rush.host, each.port) for each in some))
    start, before = time.perf_counter(), cpu()
    for person in people:
        person.begin(start + rush.seconds)
    await asyncio.gather(*(person.done for person in people))
    return Rushed(
        len(crowd.request_ms),
        dict(crowd.others),
        crowd.put_off,
        time.perf_counter() - start,
        percentiles(crowd.request_ms),
        percentiles(crowd.message_ms),
        cpu() - before,
    )


def _itself(person: Person) -> Person:
    return person


if __name__ == "__main__":
    rush = msgspec.json.decode(sys.stdin.buffer.read(), type=Rush)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(run(rush))))
