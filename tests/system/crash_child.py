"""A client that is killed at the n-th boundary of an operation, over and over.

For each round it forks, because importing anew would take too long. The new process opens the account, as after any
crash, brings it up to date and reports; then it reads the operation and carries it out, to its end or to its death.
A boundary is every statement of the store, and every HTTP request twice: before it leaves, after its answer came.
"""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import anyio._backends._asyncio  # noqa: F401 - what httpx imports late is imported once, before the forks
import certifi  # noqa: F401
import h11  # noqa: F401
import httpcore  # noqa: F401
import httpx

from client.events import Event, MessageReceived
from client.records.message import Message
from client.session import Session
from identity.number import TelephoneNumber


class Boundary:
    """Counts boundaries and kills this process at the one that was asked for."""

    def __init__(self, log: Path) -> None:
        self._left = 0
        self._log = log.open("a")

    def kill_at(self, number: int) -> None:
        self._left = number

    def statement(self, sql: str) -> None:
        """Count a statement of the store; those that the search index runs inside it, now more, now fewer, do not."""
        if not sql.startswith("--"):
            self.reached()

    def reached(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def note(self, kind: str, **values: object) -> None:
        self._log.write(json.dumps({"kind": kind, **values}) + "\n")
        self._log.flush()


class Transport(httpx.AsyncHTTPTransport):
    def __init__(self, boundary: Boundary) -> None:
        super().__init__(verify=False)  # plain HTTP on loopback; loading trust roots would cost most
        self._boundary = boundary

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if "idempotency-key" in request.headers:
            body = (await request.aread()).hex()
            self._boundary.note("post", key=request.headers["idempotency-key"], path=request.url.path, body=body)
        self._boundary.reached()
        response = await super().handle_async_request(request)
        body = await response.aread()
        self._boundary.reached()
        return httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(body))


async def work(home: Path, passphrase: str, log: Path) -> None:
    boundary = Boundary(log)
    ahead = asked()["ahead"]
    async with Session.open(
        home,
        passphrase,
        clock=lambda: time.time() + ahead,
        transport=Transport(boundary),
        jitter=0,
    ) as session:
        note(boundary, await session.receive())
        answer(await report(session))
        job = asked()
        boundary.kill_at(job["kill_at"])
        session.steps.store.connection.set_trace_callback(boundary.statement)
        await operate(session, boundary, job)
        session.steps.store.connection.set_trace_callback(None)


async def operate(session: Session, boundary: Boundary, job: dict[str, object]) -> None:
    group_id = bytes.fromhex(job["group"])
    match job["op"]:
        case "send":
            await session.send(group_id, job["text"])
        case "attach":
            await session.uploads.send(group_id, Path(job["file"]), job["text"], lambda done, total: None)
            await session.drive(group_id)
        case "refresh":
            await session.refresh(group_id)
        case "create":
            await session.create_chat(job["text"], [TelephoneNumber.from_digits(job["peer"])])
        case "receive":
            note(boundary, await session.receive())


def note(boundary: Boundary, events: list[Event]) -> None:
    for event in events:
        if isinstance(event, MessageReceived):
            boundary.note("shown", text=event.message.text)
            boundary.reached()


async def report(session: Session) -> dict[str, object]:
    run, steps = session.worker.run, session.steps
    chats = await session.chats()
    rows = [row for chat in chats for row in await session.history(chat.group_id, 100_000)]
    return {
        "rows": [{"kind": row.kind, "text": row.text, "state": row.state, "verdict": verdict(row)} for row in rows],
        "authenticators": {
            group_id.hex(): (await run(steps.groups.authenticator, group_id)).hex()
            for (group_id,) in await run(steps.store.rows, "SELECT group_id FROM chat ORDER BY rowid DESC LIMIT 2")
        },
        "intents": len(await run(steps.intents.groups)),
        "unanswered": len(await run(steps.outbox.groups)),
    }


def verdict(row: Message) -> str | None:
    return None if row.verification is None else row.verification.verdict.value


def asked() -> dict[str, object]:
    line = sys.stdin.readline()
    if not line:  # the test is over
        os._exit(0)
    return json.loads(line)


def answer(values: dict[str, object]) -> None:
    print(json.dumps(values), flush=True)


def main() -> None:
    home, passphrase, log = sys.argv[1:]
    while True:
        child = os.fork()
        if child == 0:
            asyncio.run(work(Path(home), passphrase, Path(log)))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        answer({"killed": killed, "ended": status == 0})
        if not killed and status:
            return


if __name__ == "__main__":
    main()
