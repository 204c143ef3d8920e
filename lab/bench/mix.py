"""What people do at a service, all at once: 70 % messages, 5 % commits, 25 % reads; real devices, sessions and MLS.

Open loop: requests come at their own times (exponential pauses), whether earlier ones were answered or not, and are
timed from when they were due. What people send is made by their engines before, if `prepare` was asked for it.
"""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from delivery_service.wire import MLS_TYPE, MSGPACK_TYPE, Appended
from lab.bench.chats import Chat
from lab.bench.cores import on_one_core
from lab.bench.delivery import SERVE, Server, served
from lab.histories.devices import HOST, Certifier, Device
from lab.histories.line import Line, LostAnswerError

PEOPLE = 64
GROUPS_EACH = 2
BATCH = 20  # entries that a reader is behind
SPARE = 1.5  # times as many commits are prepared as will probably be sent: chance does not treat groups alike
RENEWAL = 300  # seconds after which a device has opened its next session, and half of it before which it has not
WAITING_LIMIT = 20_000  # requests that may wait for a connection here; more are not sent

Kind: TypeAlias = Literal["message", "commit", "read"]
SHARES: dict[Kind, float] = {"message": 0.70, "commit": 0.05, "read": 0.25}


@dataclass
class Outcome:
    """Answers by kind and status (0: lost, -1: never sent), and the milliseconds of those accepted."""

    seconds: float = 0.0
    late: int = 0  # commits that an engine made only when they were due
    put_off: int = 0  # answers 429, 503 or none to a commit, which was repeated
    answers: Counter[tuple[Kind, int]] = field(default_factory=Counter)
    spent: dict[Kind, list[float]] = field(default_factory=lambda: {kind: [] for kind in SHARES})

    @property
    def writes(self) -> float:
        """Messages and commits accepted in a second."""
        return (self.answers["message", 201] + self.answers["commit", 201]) / self.seconds

    @property
    def goodput(self) -> float:
        """Requests served in a second."""
        return sum(count for (_, status), count in self.answers.items() if 200 <= status < 300) / self.seconds

    def others(self) -> Counter[int]:
        """Answers that are no success, by status."""
        counted: Counter[int] = Counter()
        for (_, status), count in self.answers.items():
            if not 200 <= status < 300:
                counted[status] += count
        return counted


class Crowd:
    """People at a service, and the connections that they share."""

    def __init__(self, server: Server, certifier: Certifier, seed: int = 1) -> None:
        self.server = server
        self._certifier = certifier
        self._chance = random.Random(seed)  # noqa: S311 - who does what when
        self._lines: asyncio.Queue[Line] = asyncio.Queue()
        self._renewed: dict[str, float] = {}
        self.chats: list[Chat] = []
        self.connections = 0

    async def arrive(self, people: int) -> None:
        """Open sessions, and found groups."""
        await self.connect(1)
        for person in range(people):
            device = self._certifier.device(person)
            await self._renew(device)
            for _ in range(GROUPS_EACH):
                chat = Chat.found(device)
                body, key = chat.group.group_info(), os.urandom(16).hex()
                status, answer = await self._ask(device.request("POST", "/v1/groups", body, MLS_TYPE, key=key))
                assert status == 201, answer
                self.chats.append(chat)

    async def prepare(self, requests: float) -> None:
        """Let people's engines make the commits of so many requests, and messages of the epochs that these begin."""
        each = ceil(SPARE * SHARES["commit"] * requests / len(self.chats)) + 1
        await asyncio.gather(*(asyncio.to_thread(chat.prepare, each) for chat in self.chats))

    async def connect(self, connections: int) -> None:
        """Have so many connections at least."""
        for _ in range(connections - self.connections):
            line = Line([("127.0.0.1", self.server.port)])
            await line.connect()
            self._lines.put_nowait(line)
        self.connections = max(self.connections, connections)

    def leave(self) -> None:
        """Close the connections."""
        while not self._lines.empty():
            self._lines.get_nowait().hang_up()

    async def saturate(self, workers: int, seconds: float, kind: Kind | None = None) -> Outcome:
        """A closed loop: each worker's next request follows its answer; all of one kind, or of the mix."""
        outcome, began = Outcome(), time.perf_counter()

        async def work() -> None:
            while time.perf_counter() < began + seconds:
                await self._one(kind or self._kind(), time.perf_counter(), outcome)

        await asyncio.gather(*(work() for _ in range(workers)))
        outcome.seconds = time.perf_counter() - began
        return outcome

    async def offer(self, rate: float, seconds: float) -> Outcome:
        """An open loop."""
        outcome, tasks = Outcome(), set[asyncio.Task[None]]()
        began = due = time.perf_counter()
        while (due := due + self._chance.expovariate(rate)) < began + seconds:
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            elif not len(tasks) % 64:
                await asyncio.sleep(0)
            kind = self._kind()
            if len(tasks) >= WAITING_LIMIT:
                outcome.answers[kind, -1] += 1
                continue
            task = asyncio.create_task(self._one(kind, due, outcome))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        outcome.seconds = time.perf_counter() - began
        await asyncio.gather(*tasks)
        return outcome

    def _kind(self) -> Kind:
        return self._chance.choices(list(SHARES), list(SHARES.values()))[0]

    async def _one(self, kind: Kind, due: float, outcome: Outcome) -> None:
        status = await (self._commit(outcome) if kind == "commit" else self._write_or_read(kind))
        outcome.answers[kind, status] += 1
        if 200 <= status < 300:
            outcome.spent[kind].append(1000 * (time.perf_counter() - due))

    async def _write_or_read(self, kind: Kind) -> int:
        chat = await self._chat(idle=False)
        chat.under_way += 1
        try:
            if kind == "read":
                path = f"{chat.path}/entries?after={max(0, chat.head - BATCH)}"
                return (await self._ask(await self._in_session(chat, "GET", path)))[0]
            request = await self._in_session(chat, "POST", f"{chat.path}/entries", chat.message(), MLS_TYPE)
            status, answer = await self._ask(request)
            self._note(chat, status, answer)
            return status
        finally:
            chat.under_way -= 1

    async def _commit(self, outcome: Outcome) -> int:
        chat = await self._chat(idle=True)
        chat.committing = True
        try:
            outcome.late += not chat.prepared
            request = await self._in_session(chat, "POST", f"{chat.path}/commits", chat.commit(), MSGPACK_TYPE)
            status, answer = await self._ask(request)
            while status in (0, 429, 503):  # whether it was accepted is known by a repeat only
                outcome.put_off += 1
                await asyncio.sleep(1)
                status, answer = await self._ask(request)
            if status == 201:
                chat.committed()
            self._note(chat, status, answer)
            return status
        finally:
            chat.committing = False

    async def _chat(self, *, idle: bool) -> Chat:
        while True:
            chat = self._chance.choice(self.chats)
            if not chat.committing and not (idle and chat.under_way):
                return chat
            await asyncio.sleep(0)

    @staticmethod
    def _note(chat: Chat, status: int, answer: bytes) -> None:
        if status == 201:
            chat.head = max(chat.head, msgspec.json.decode(answer, type=Appended).seq)

    async def _in_session(self, chat: Chat, method: str, path: str, body: bytes = b"", kind: str = MLS_TYPE) -> bytes:
        if time.monotonic() > self._renewed[chat.owner.number] + RENEWAL:
            await self._renew(chat.owner)
        return chat.owner.request(method, path, body, kind, key=os.urandom(16).hex())

    async def _renew(self, device: Device) -> None:
        self._renewed[device.number] = time.monotonic() - self._chance.uniform(0, RENEWAL / 2)  # not all in one second
        line, opened = await self._lines.get(), False
        try:
            while not opened:
                await line.connect()
                with suppress(LostAnswerError):  # the service had ended an idle connection: a session more harms nobody
                    await device.renew(line, device.token)
                    opened = True
        finally:
            self._lines.put_nowait(line)

    async def _ask(self, request: bytes) -> tuple[int, bytes]:
        line = await self._lines.get()
        try:
            await line.connect()
            answer = await line.ask(request)
        except LostAnswerError:
            return 0, b""
        finally:
            self._lines.put_nowait(line)
        return answer.status, answer.body


@asynccontextmanager
async def crowded(
    folder: Path, connections: int, options: Sequence[str | Path] = (), *, one_core: bool = False
) -> AsyncIterator[Crowd]:
    """A service of its own, on one core if asked for, with a crowd that has arrived."""
    certifier = Certifier()
    (folder / "anchors.pem").write_bytes(certifier.anchors)
    where = ("--port", "0", "--data-dir", folder / "service", "--anchors", folder / "anchors.pem", "--name", HOST)
    async with AsyncExitStack() as stack:
        with on_one_core() if one_core else nullcontext():
            server = await stack.enter_async_context(served("-c", SERVE, "serve", *where, *options))
        crowd = Crowd(server, certifier)
        await crowd.arrive(PEOPLE)
        await crowd.connect(connections)
        try:
            yield crowd
        finally:
            crowd.leave()
