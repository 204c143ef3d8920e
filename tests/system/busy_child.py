"""A client in the middle of a busy day, killed at any moment, over and over.

Each life is a fork of this process. It opens the account and follows its service, as a screen would have it, catches up
and reports what it shows; then it writes, edits, reacts and rearranges in two chats at once until it is killed: by this
process after a time, or by itself at a boundary, which is a statement of the store or one side of an HTTP request.
What it begins and what has returned stands in a journal outside the account, on the disk before it goes on.
"""

import asyncio
import json
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import aclosing
from itertools import count
from pathlib import Path
from typing import Any

import anyio._backends._asyncio  # noqa: F401 - what httpx imports late is imported once, before the forks
import certifi  # noqa: F401
import h11  # noqa: F401
import httpcore  # noqa: F401
import httpx
import msgspec

from client.desk.desk import Desk, open_desk
from client.desk.told import MessageArrived
from client.desk.views import MessageView
from client.records.outbox import OPEN
from tests.system.busy_script import CANARY, Journal, Life, Script

PAGE = 200  # rows


class Boundary:
    """Counts boundaries, of whichever thread, and kills this process at the one that was asked for."""

    def __init__(self) -> None:
        self.kill_at(0)

    def kill_at(self, number: int) -> None:
        self._last, self._reached = number, count(1)

    def statement(self, sql: str) -> None:
        """Count a statement of the store; those that the search index runs inside it, now more, now fewer, do not."""
        if threading.current_thread() is threading.main_thread():
            # With two threads in one connection, one may read the other's rows.
            answer({"failed": f"{sql}\nran beside the worker's thread\n" + "".join(traceback.format_stack())})
            os._exit(1)
        if not sql.startswith("--"):
            self.reached()

    def reached(self) -> None:
        if next(self._reached) == self._last:
            os.kill(os.getpid(), signal.SIGKILL)


class Transport(httpx.AsyncHTTPTransport):
    def __init__(self, boundary: Boundary, journal: Journal) -> None:
        super().__init__(verify=False)  # plain HTTP on loopback; loading trust roots would cost most
        self._boundary = boundary
        self._journal = journal

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if "idempotency-key" in request.headers:
            body = (await request.aread()).hex()
            self._journal.note("post", key=request.headers["idempotency-key"], body=body)
        self._boundary.reached()
        response = await super().handle_async_request(request)
        if request.url.path != "/v1/events":  # that one does not end
            whole = httpx.ByteStream(await response.aread())
            response = httpx.Response(response.status_code, headers=response.headers, stream=whole)
        self._boundary.reached()
        return response


class Listener:
    """Notes each row that the desk tells of."""

    def __init__(self, desk: Desk, journal: Journal) -> None:
        self._desk = desk
        self._journal = journal
        self._first = desk.session.steps.browsing.last_row()
        self._heard: set[int] = set()
        self._more = asyncio.Event()

    async def listen(self) -> None:
        async with aclosing(self._desk.events()) as events:
            async for told in events:
                if isinstance(told, MessageArrived):
                    self._journal.note("told", row=told.message.row)
                    self._heard.add(told.message.row)
                    self._more.set()

    async def hear(self, shown: list[int]) -> None:
        """Wait until everything was told that came in this life."""
        while not {row for row in shown if row > self._first} <= self._heard:
            self._more.clear()
            await asyncio.wait_for(self._more.wait(), 60)


async def live(life: Life, home: Path, passphrase: str, outside: Path, going: int) -> None:
    boundary, journal = Boundary(), Journal(outside / "journal")
    opened = time.time() + life.ahead
    if life.is_short:
        boundary.kill_at(life.kill.get("at", 0))
    async with open_desk(
        home,
        passphrase,
        clock=lambda: time.time() + life.ahead,
        transport=Transport(boundary, journal),
        jitter=0,
    ) as desk:
        listener = Listener(desk, journal)
        desk.session.steps.store.connection.set_trace_callback(boundary.statement)
        listening = asyncio.create_task(listener.listen())
        await desk.people.know(life.peer)
        await catch_up(desk)
        seen = await report(desk, opened)
        await listener.hear([row["row"] for chat in seen["chats"] for row in chat["rows"]])
        if not life.is_short:
            answer(seen)
        os.read(going, 1)  # nothing before the test has compared; a life that is killed before ends here
        kill = life.kill or {}
        boundary.kill_at(kill.get("at", 0) if "call" not in kill else 0)

        def begins(call: str) -> None:
            if kill.get("call") == call:
                boundary.kill_at(kill["at"])

        scripts = [Script(desk, journal, life, chat, outside, begins) for chat in range(len(life.groups))]
        await asyncio.gather(listening, *(script.run() for script in scripts))


async def catch_up(desk: Desk) -> None:
    """Bring everything up to date, until nothing is open that this or following the service has begun."""
    run, steps = desk.session.worker.run, desk.session.steps
    async with asyncio.timeout(60):
        await desk.device.sync()
        while (
            await run(steps.store.row, f"SELECT 1 FROM outbox WHERE {OPEN}")
            or await run(steps.intents.groups)
            or await desk.session.uploads.moving()
        ):
            await desk.device.sync()


async def report(desk: Desk, opened: float) -> dict[str, Any]:
    """Everything that is shown; and what is shown nowhere but must be in agreement with the others."""
    run, steps = desk.session.worker.run, desk.session.steps
    listed = [*await desk.chats.all(), *await desk.chats.all(archived=True)]
    chats = [
        {
            "view": msgspec.to_builtins(chat),
            "rows": await everything(desk, chat.group),
            "first_unread": await desk.messages.first_unread(chat.group),
            "members": [each.number for each in await desk.chats.members(chat.group)],
            "authenticator": (await run(steps.groups.authenticator, bytes.fromhex(chat.group))).hex(),
        }
        for chat in listed
    ]
    return {
        "opened": opened,
        "chats": chats,
        "found": [row.row for row in await desk.messages.search(CANARY, limit=1000)],
        "apart": len(await desk.people.requests()) + len(await desk.messages.quarantine()),
    }


async def everything(desk: Desk, group: str) -> list[dict[str, Any]]:
    """All rows of a chat, a page at a time, as a person would scroll back."""
    rows: list[MessageView] = []
    while page := await desk.messages.page(group, rows[0].row if rows else None, PAGE):
        rows = [*page, *rows]
    return msgspec.to_builtins(rows)


def answer(values: dict[str, Any]) -> None:
    print(json.dumps(values), flush=True)


def begin(life: Life, home: Path, passphrase: str, outside: Path) -> tuple[int, int]:
    """A new life: its process, and where to write that it may go on."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(reading)
        return child, writing
    os.close(writing)
    try:
        asyncio.run(live(life, home, passphrase, outside, reading))
    finally:  # it ends by being killed, not here
        answer({"failed": traceback.format_exc()})
        os._exit(1)


def main() -> None:
    home, passphrase, outside = sys.argv[1:]
    while line := sys.stdin.readline():
        life = Life(**json.loads(line))
        child, going = begin(life, Path(home), passphrase, Path(outside))
        if not life.is_short:
            sys.stdin.readline()
            os.write(going, b"!")
        if life.kill is None or "after" in life.kill:
            time.sleep((life.kill or {}).get("after", 0))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.close(going)
        answer({"killed": os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL})


if __name__ == "__main__":
    main()
