"""Over a real socket: a peer that sends endlessly, slowly or does not read loses its connection, and only that."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn

from delivery_service.http.connections import BoundedConnection


class Impatient(BoundedConnection):
    head_limit = 4096
    request_time = 0.3
    patience = 0.3


async def application(scope, receive, send):
    size = int(scope["query_string"] or b"2")
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]})
    await send({"type": "http.response.body", "body": bytes(size)})


@asynccontextmanager
async def connected(
    protocol: type[BoundedConnection] = Impatient,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    config = uvicorn.Config(application, port=0, http=protocol, lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    reader, writer = await asyncio.open_connection(*server.servers[0].sockets[0].getsockname(), limit=1024)
    try:
        yield reader, writer
    finally:
        writer.close()
        server.should_exit = True
        await task


async def closed(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(3):
        try:
            while await reader.read(65536):
                pass
        except ConnectionResetError:
            pass
    return True


async def test_a_connection_carries_request_after_request():
    async with connected() as (reader, writer):
        for pieces in (
            [b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"],
            [b"POST / HTTP/1.1\r\nhost: x\r\n", b"content-length: 1\r\n\r\n", b"x"],
        ):
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0.05)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(2) == bytes(2)
            await asyncio.sleep(0.2)


async def test_endless_header_fields_end_the_connection():
    async with connected() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nx: " + bytes(4096).replace(b"\0", b"y"))
        assert await closed(reader)


@pytest.mark.parametrize("start", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc"])
async def test_a_request_that_does_not_come_ends_the_connection(start):
    async with connected() as (reader, writer):
        writer.write(start)
        assert await closed(reader)


async def test_a_peer_that_does_not_read_loses_its_connection():
    async with connected() as (reader, writer):
        writer.write(b"GET /?50000000 HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.sleep(1)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(50_000_000)


@pytest.mark.parametrize("fields", [b"", b"connection: close\r\n"])
async def test_a_peer_that_leaves_the_last_octets_unread_loses_its_connection(fields):
    """They are too few for the server to wait for, and a transport that closes waits for them without an end."""
    closing: list[asyncio.Transport] = []

    class Closing(Impatient):
        def connection_made(self, transport):
            super().connection_made(transport)
            self.timeout_keep_alive = 0.1
            transport.set_write_buffer_limits(high=2**30)  # so that it never asks for a pause
            closing.append(transport)

    async with connected(Closing) as (_, writer):
        writer.write(b"GET /?50000000 HTTP/1.1\r\nhost: x\r\n" + fields + b"\r\n")
        async with asyncio.timeout(10):
            while not closing or not closing[0].is_closing():
                await asyncio.sleep(0.01)
            assert closing[0].get_write_buffer_size()
            while closing[0].get_write_buffer_size():
                await asyncio.sleep(0.01)
