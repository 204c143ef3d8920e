"""The load of the delivery benchmark: keep-alive connections that append, wait for the answer, and append again.

A process of its own: `python -m lab.bench.delivery_load` reads a Load as JSON from standard input and prints a Sent.
The messages are those of a file, made by real MLS engines before; each connection begins at a place of its own and goes
round. Without a file they are PrivateMessages with an honest framing around random octets.
"""

import asyncio
import os
import resource
import sys
import time
from functools import partial
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from identity.base64url import encode_base64url
from identity.reports.franking import TAG_SIZE, encode_aad

ENVELOPE = 100  # octets of framing around the random part, about


class Load(msgspec.Struct):
    """Whom to load with what; connection i appends to group i modulo their number, with the token of its device.

    Connections to one group are divided among the ports. `messages`: a file, msgpack, each group's messages in a list.
    """

    host: str
    ports: list[int]
    groups: list[bytes]
    tokens: list[str]
    connections: int
    seconds: float
    octets: int
    messages: str = ""


class Sent(msgspec.Struct):
    """Accepted appends, other answers, the seconds that all took, one append's milliseconds, and CPU seconds."""

    accepted: int
    refused: int
    seconds: float
    median_ms: float
    p99_ms: float
    cpu: float


def private_message(group_id: bytes, epoch: int, octets: int) -> bytes:
    """An MLSMessage(PrivateMessage) of application data (RFC 9420 §6.3), tagged, and random beyond its frame."""
    head = b"\0\1\0\2" + bytes([len(group_id)]) + group_id + epoch.to_bytes(8, "big") + b"\1"
    head += bytes([4 + TAG_SIZE]) + encode_aad(os.urandom(TAG_SIZE))
    sender_data = os.urandom(28)
    ciphertext = os.urandom(max(64, octets - ENVELOPE))
    return head + bytes([len(sender_data)]) + sender_data + (0x4000 | len(ciphertext)).to_bytes(2, "big") + ciphertext


class Connection(asyncio.Protocol):
    """One keep-alive connection: a request, its answer, the next request."""

    def __init__(self, load: Load, index: int, messages: list[list[bytes]], latencies: list[float]) -> None:
        turn, group = divmod(index, len(load.groups))
        self.port = load.ports[(group + turn) % len(load.ports)]
        self._messages = messages[group] if messages else []
        self._next = 7 * turn
        self._group_id = load.groups[group]
        self._octets = load.octets
        self._latencies = latencies
        self._head = (
            f"POST /v1/groups/{encode_base64url(self._group_id).decode()}/entries HTTP/1.1\r\n"
            f"host: {load.host}:{self.port}\r\ncontent-type: message/mls\r\n"
            f"authorization: Bearer {load.tokens[group]}\r\nidempotency-key: "
        ).encode()
        self._end = time.perf_counter() + load.seconds
        self._started = 0.0
        self._request = b""
        self._received = b""
        self.refused = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are none of asyncio's classes
        self._next_message()

    def connection_lost(self, error: Exception | None) -> None:
        """The end, whether expected or not."""
        if not self.done.done():
            self.done.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Collect an answer."""
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        if not blank or len(body) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return
        self._received = b""
        self.answered(int(head[9:12]), body)

    def answered(self, status: int, body: bytes) -> None:
        """Send the next request until the time is over."""
        if status == 201:
            self._latencies.append(time.perf_counter() - self._started)
        else:
            self.refused += 1
        if time.perf_counter() < self._end:
            self._next_message()
        else:
            self._transport.close()

    def _next_message(self) -> None:
        self.compose()
        self.send()

    def compose(self) -> None:
        """Make the next request, with a key of its own."""
        message, key = self._message(), os.urandom(16).hex().encode()
        self._request = b"%b%b\r\ncontent-length: %d\r\n\r\n%b" % (self._head, key, len(message), message)

    def send(self) -> None:
        """Send the request, for the first time or again."""
        self._started = time.perf_counter()
        self._transport.write(self._request)

    def _message(self) -> bytes:
        if not self._messages:
            return private_message(self._group_id, 0, self._octets)
        self._next += 1
        return self._messages[self._next % len(self._messages)]


async def run(load: Load) -> Sent:
    """Load the service for the time asked."""
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    messages = msgspec.msgpack.decode(Path(load.messages).read_bytes(), type=list[list[bytes]]) if load.messages else []
    start, before = time.perf_counter(), cpu()
    connections = [Connection(load, index, messages, latencies) for index in range(load.connections)]
    for connection in connections:
        await loop.create_connection(partial(_itself, connection), load.host, connection.port)
    await asyncio.gather(*(connection.done for connection in connections))
    seconds = time.perf_counter() - start
    latencies.sort()
    return Sent(
        len(latencies),
        sum(connection.refused for connection in connections),
        seconds,
        1000 * latencies[len(latencies) // 2],
        1000 * latencies[len(latencies) * 99 // 100],
        cpu() - before,
    )


def cpu() -> float:
    """Seconds of it that this process has used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _itself(connection: Connection) -> Connection:
    return connection


if __name__ == "__main__":
    load = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(run(load))))
