"""Kill -9 at random in a busy session, 200 times: the restarted client shows exactly what the log and its calls say."""

import asyncio
import json
import os
import random
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from client.desk.desk import Desk, open_desk
from client.desk.views import MessageView
from client.enrolling import enrol
from client.events import Event, Gap, MembersChanged, MessageReceived, Trouble, WelcomeRefused
from identity.authority.wire import ChallengeOpened
from identity.number import TelephoneNumber
from lab.world import COST, PASSPHRASE, World

pytest.register_assert_rewrite("tests.system.busy_keys", "tests.system.busy_model")
from tests.system.busy_keys import KeyWitness  # noqa: E402
from tests.system.busy_model import PEER, VICTIM, Calls, Chat, Row, Said  # noqa: E402
from tests.system.busy_script import CANARY, LASTING  # noqa: E402

GUEST = "+12025550144"
EMOJIS = ("👍", "❤️")
CALLS = ("send", "edit", "delete", "react", "file", "draft", "read", "timer", "rename")
SEEDS, KILLS = 4, 51  # kills of each seed
ROUND = 120  # seconds by which all clocks go on in a round: the services' hourly limits are not what is tested here
PATIENCE = 120  # seconds until a client that neither reports nor dies is called stuck


class Busy:
    """The victim, whose lives are killed one after the other, and a peer, who lives here and writes all the while."""

    def __init__(self, world: World, peer: Desk, lives: Process, home: Path, outside: Path, seed: int) -> None:
        self.kills = 0
        self.keys = KeyWitness(peer.session)
        self._world, self._peer, self._lives, self._home, self._outside = world, peer, lives, home, outside
        self._seed, self._random = seed, random.Random(seed)
        self._chats: dict[str, Chat] = {}
        self._events: list[Event] = []
        self._created: set[str] = set()
        self._creating: set[str] = set()
        self._told: Counter[int] = Counter()
        self._life = self._said = self._lines = self._row = 0
        self._fetched: set[str] = set()
        peer.session.add_listener(self._events.append)

    async def begin(self) -> None:
        """Let the victim be reached, and put both into a chat of their own and one with roles."""
        await self._start({"when": "script", "after": 0})
        await self._go()
        direct = await self._peer.chats.direct(VICTIM)
        group = await self._peer.chats.create("Climbing", [VICTIM])
        await self._peer.chats.admin(group.group, VICTIM, True)
        await self._catch_up()
        names = {direct.group: str(TelephoneNumber.parse(PEER)), group.group: "Climbing"}
        self._chats = {each: Chat(each, Calls(name)) for each, name in names.items()}
        self.kills = 0

    async def round(self) -> None:
        """A life: it catches up, and all that it shows is compared; then it is busy, and killed."""
        await self._catch_up()
        if self._random.random() < 0.3:
            await self._start(self._some_kill("opening", boundaries=160, seconds=0.25))
            await self._until_killed()
        await self.compare(self._some_kill("script", boundaries=900, seconds=0.5))
        await self._go()
        self._no_plaintext()
        self._world.clock.advance(ROUND)

    async def compare(self, kill: dict[str, Any] | None = None) -> None:
        """Start the victim's client, as after any crash, and compare what it shows with the log and with its calls."""
        await self._catch_up()
        shown = await self._start(kill or {"when": "script", "after": 0})
        await self._catch_up()
        await self._read_journal()
        assert shown["apart"] == 0
        chats = {chat["view"]["group"]: chat for chat in shown["chats"]}
        assert len(chats) == len(shown["chats"])
        for chat in self._chats.values():
            chat.agrees(chats[chat.group], shown["opened"], self._world.clock())
            await self._peer_has(chats[chat.group])
            await self._files_are_whole(chat)
        await self._made([chat for group, chat in chats.items() if group not in self._chats])
        rows = [row for chat in chats.values() for row in chat["rows"]]
        words = {row["row"] for row in rows if row["kind"] in ("sent", "received") and CANARY in row["text"]}
        assert (set(shown["found"]), len(shown["found"])) == (words, len(words))
        assert set(self._told.values()) <= {1}

    def _some_kill(self, when: str, boundaries: int, seconds: float) -> dict[str, Any]:
        """After a time, or at a boundary; half of these are counted from the beginning of some call."""
        if self._random.random() < 0.5:
            if when == "script" and self._random.random() < 0.5:
                return {"when": when, "call": self._random.choice(CALLS), "at": self._random.randint(1, 15)}
            return {"when": when, "at": self._random.randint(1, boundaries)}
        return {"when": when, "after": self._random.uniform(0, seconds)}

    async def _start(self, kill: dict[str, Any]) -> Row:
        """A new life; what it shows once it is up to date, if it is to live that long."""
        self._life += 1
        self._tell(
            number=self._life,
            ahead=self._world.clock.ahead,
            seed=self._seed,
            groups=list(self._chats),
            peer=PEER,
            guest=GUEST,
            kill=kill,
        )
        return await self._answer() if kill["when"] == "script" else {}

    async def _go(self) -> None:
        self._tell(go=True)
        await self._until_killed()

    async def _until_killed(self) -> None:
        """The peer goes on, whatever the victim does."""
        end = asyncio.create_task(self._answer())
        try:
            while not end.done():
                await (self._act() if self._chats else asyncio.wait([end]))
            assert (await end)["killed"]
        finally:
            end.cancel()
        self.kills += 1

    def _tell(self, **values: object) -> None:
        assert self._lives.stdin is not None
        self._lives.stdin.write(json.dumps(values).encode() + b"\n")

    async def _answer(self) -> Row:
        assert self._lives.stdout is not None
        answer: Row = json.loads(await asyncio.wait_for(self._lives.stdout.readline(), PATIENCE))
        assert "failed" not in answer, answer["failed"]
        return answer

    async def _act(self) -> None:
        acts: dict[Callable[[Chat], Awaitable[None]], int] = {
            self._say: 5,
            self._edit: 2,
            self._delete: 1,
            self._react: 3,
            self._change_keys: 2,
        }
        (act,) = self._random.choices(list(acts), list(acts.values()))
        await act(self._random.choice(list(self._chats.values())))
        await self._catch_up()

    async def _say(self, chat: Chat) -> None:
        text = self._words()
        answered = await self._target(chat, own=False) if self._random.random() < 0.4 else None
        row, name = (None, "") if answered is None else (answered.row, answered.id)
        sent = await self._peer.messages.send(chat.group, text, row)
        chat.said[sent.id] = Said(False, text, name, self._world.clock(), chat.timer)

    async def _edit(self, chat: Chat) -> None:
        if target := await self._target(chat, own=True):
            text = chat.said[target.id].text = self._words()
            await self._peer.messages.edit(target.row, text)
            chat.said[target.id].edited = True

    async def _delete(self, chat: Chat) -> None:
        if target := await self._target(chat, own=True):
            await self._peer.messages.delete(target.row)
            chat.said[target.id].withdrawn = True

    async def _react(self, chat: Chat) -> None:
        if target := await self._target(chat, own=False):
            emoji = self._random.choice(EMOJIS)
            await self._peer.messages.react(target.row, emoji)
            chat.toggle(target.id, emoji)

    async def _change_keys(self, chat: Chat) -> None:
        await self._peer.session.refresh(bytes.fromhex(chat.group))

    async def _target(self, chat: Chat, *, own: bool) -> MessageView | None:
        rows = [
            row
            for row in await self._peer.messages.page(chat.group, limit=25)
            if row.kind == "sent" or (row.kind == "received" and not own)
            if not row.withdrawn and (row.expires is None or row.expires.timestamp() > self._world.clock() + LASTING)
        ]
        return self._random.choice(rows) if rows else None

    def _words(self) -> str:
        self._said += 1
        return f"{CANARY} p{self._said:05}"

    async def _catch_up(self) -> None:
        """Let the peer read and post everything, and replay what it read."""
        status = await self._peer.device.sync()
        assert (status.waiting, status.trouble, status.quarantined) == (0, "", 0)
        await self.keys.look()
        events, self._events[:] = self._events.copy(), []
        for event in events:
            assert not isinstance(event, Gap | WelcomeRefused | Trouble), event
            self._replay(event)
        # A name is told as an event without the words that were sent.
        for row in await self._peer.session.worker.run(self._peer.session.steps.browsing.since, self._row, 10_000):
            self._row = row.id
            if row.kind == "titled" and row.sender is not None and row.sender.e164 == VICTIM:
                self._replay(MessageReceived(row))

    def _replay(self, event: Event) -> None:
        match event:
            case MessageReceived(message=message):
                assert message.verification is not None
                assert message.verification.verdict in ("verified", "delayed")
                if message.group_id.hex() in self._chats:
                    self._chats[message.group_id.hex()].heard(message)
            case MembersChanged(group_id=group_id) if group_id.hex() in self._chats:
                self._chats[group_id.hex()].changed(event)

    async def _read_journal(self) -> None:
        """What the victim began, finished, was told and posted since the last time."""
        lines = (self._outside / "journal").read_text().splitlines()
        notes, self._lines = [json.loads(line) for line in lines[self._lines :]], len(lines)
        for note in notes:
            match note["kind"]:
                case "told":
                    self._told[note["row"]] += 1
                case "begin" | "end" if note["call"] == "create":
                    (self._created if note["kind"] == "end" else self._creating).add(note["name"])
                case "begin" | "end":
                    self._chats[note["group"]].calls.note(note)
        posts = [note for note in notes if note["kind"] == "post"]
        await self.keys.check(posts, int(self._world.clock()))

    async def _peer_has(self, chat: Row) -> None:
        """The same state of the group, the same members, and the same of them coming and going."""
        group = chat["view"]["group"]
        run, groups = self._peer.session.worker.run, self._peer.session.steps.groups
        assert (await run(groups.authenticator, bytes.fromhex(group))).hex() == chat["authenticator"]
        assert [each.number for each in await self._peer.chats.members(group)] == chat["members"]
        rows = await self._peer.session.history(bytes.fromhex(group), 100_000)
        notices = [row.text for row in rows if row.kind == "notice"]
        shown = [row["text"] for row in chat["rows"] if row["kind"] == "notice"]
        assert shown[1:] == notices[1:]  # first they were added, each in other words

    async def _made(self, chats: list[Row]) -> None:
        """A new chat is there for both or for nobody, and for both if the call that made it returned."""
        names = [chat["view"]["chat"] for chat in chats]
        assert len(set(names)) == len(names)
        assert self._created <= set(names) <= self._created | self._creating
        self._created, self._creating = set(names), set()
        for chat in chats:
            assert (await self._peer.chats.get(chat["view"]["group"])).chat == chat["view"]["chat"]
            await self._peer_has(chat)

    async def _files_are_whole(self, chat: Chat) -> None:
        for name, said in chat.said.items():
            if said.file and not said.withdrawn and name not in self._fetched:
                self._fetched.add(name)
                row = (await self._peer.messages.find(name)).row
                assert await self._peer.messages.fetch(row) == f"contents of {said.text}".encode()

    def _no_plaintext(self) -> None:
        for path in self._home.rglob("*"):
            assert path.is_dir() or CANARY.encode() not in path.read_bytes(), path


@pytest.fixture
def tmp_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Files in memory where the system has such a folder: a kill leaves them as it leaves those on a disk."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)  # the services' files too
        yield Path(folder)


@asynccontextmanager
async def _busy(folder: Path, seed: int) -> AsyncIterator[Busy]:
    home, outside = folder / "victim", folder / "outside"
    outside.mkdir()
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(World())
        await world.person("guest", GUEST)
        for number, place in ((VICTIM, home), (PEER, folder / "peer")):
            await _enrol(world, place, number)
        lives = await stack.enter_async_context(_lives(home, outside))
        opening = open_desk(folder / "peer", PASSPHRASE, clock=world.clock, jitter=0, follow=False)
        peer = await stack.enter_async_context(opening)
        await peer.people.know(VICTIM)
        await peer.device.sync()
        yield Busy(world, peer, lives, home, outside, seed)


async def _enrol(world: World, home: Path, number: str) -> None:
    telephone = TelephoneNumber.parse(number)

    async def ask_code(_: ChallengeOpened) -> str:
        return world.codes.codes[telephone]

    services = {"authority": world.authority_url, "delivery": world.delivery_url}
    await enrol(home, PASSPHRASE, telephone, **services, ask_code=ask_code, cost=COST, clock=world.clock)


@asynccontextmanager
async def _lives(home: Path, outside: Path) -> AsyncIterator[Process]:
    script = Path(__file__).with_name("busy_child.py")
    root = script.parents[2]
    lives = await asyncio.create_subprocess_exec(
        sys.executable,
        script,
        *(str(home), PASSPHRASE, str(outside)),
        stdin=PIPE,
        stdout=PIPE,
        limit=2**27,  # octets of a line: a report is one
        cwd=root,
        env={"PYTHONPATH": str(root)},
        start_new_session=True,
    )
    try:
        yield lives
    finally:
        assert lives.stdin is not None
        lives.stdin.close()
        os.killpg(lives.pid, signal.SIGKILL)  # and the life that may be under way
        await lives.wait()


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_a_busy_client_that_is_killed_shows_what_was_said(tmp_path: Path, seed: int) -> None:
    async with _busy(tmp_path, seed) as busy:
        await busy.begin()
        while busy.kills < KILLS:
            await busy.round()
        await busy.compare()
        assert busy.keys.read > KILLS
