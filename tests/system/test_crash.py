"""Kill -9 at every statement of the store and around every HTTP request: nothing lost, nothing twice, no key reused."""

import asyncio
import json
import os
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import mls_rs
import pytest

from client.enrolling import enrol
from client.events import Gap, MembersChanged, MessageReceived, WelcomeRefused
from client.session import Session
from delivery_service.wire.blobs import PIECE_SIZE
from identity.authority.wire import ChallengeOpened
from identity.number import TelephoneNumber
from lab.world import COST, PASSPHRASE, World

VICTIM, PEER = TelephoneNumber.from_digits("12025550142"), TelephoneNumber.from_digits("12025550143")
CANARY = "canary-in-the-text"
REPORT_LIMIT = 1 << 24  # octets of what the victim holds, which grows with every round
MOST_OF_A_LIFE = 6 * 86_400  # seconds: a certificate is renewed, and the last quarter of the old one's life has begun
PARTS = 14
ROUND = 120  # seconds by which all clocks go on in a round: the services' hourly limits are not what is tested here

Round = Callable[[int], Awaitable[None]]
Check = Callable[[str, list[dict[str, Any]]], None]


class Crash:
    """The victim, who lives in child processes that are killed, and a peer, who lives here and sees everything."""

    def __init__(self, world: World, peer: Session, children: Process, home: Path, log: Path) -> None:
        self.world = world
        self.peer = peer
        self.home = home
        self.group_id = b""
        self.peer_saw: Counter[str] = Counter()
        self.peer_saw_renewals = 0
        self.kept: list[bool] = []
        self._children = children
        self._log = log
        self._lines = 0

    async def start(self) -> dict[str, Any]:
        """Start the victim's client, as after any crash; what it holds once it is up to date."""
        self._tell(ahead=self.world.clock.ahead)
        return await self._told()

    async def operate(self, op: str, text: str, kill_at: int) -> bool:
        """Have the started client do something; whether it was killed on the way."""
        file = str(self.home.parent / "file")
        self._tell(op=op, text=text, kill_at=kill_at, group=self.group_id.hex(), peer=PEER.digits, file=file)
        ended = await self._told()
        assert ended["killed"] or ended["ended"], "the client failed"
        return bool(ended["killed"])

    async def at_every_boundary(
        self, op: str, text: str, prepare: Round, check: Check, *, first: int = 1, step: int = 1, pause: int = ROUND
    ) -> int:
        """Kill the operation at its first boundary, at its second, and so on until it ends alive; recover each time."""
        await self.start()
        for kill_at in count(first, step):
            said = f"{text}-{kill_at}"
            await prepare(kill_at)
            witness = await self.peer.worker.run(self._copy_of_the_group) if self.group_id else None
            killed = await self.operate(op, said, kill_at)
            self.no_plaintext()
            self.world.clock.advance(pause)
            recovered = await self.start()
            await self.peer_catches_up()
            self.no_key_is_reused(witness)
            await self.everybody_agrees(recovered)
            check(said, recovered["rows"])
            if not killed:
                print(f"{op}: killed at {kill_at - 1} boundaries")
                return kill_at - 1
        raise AssertionError("unreachable")

    def _tell(self, **values: object) -> None:
        assert self._children.stdin is not None
        self._children.stdin.write(json.dumps(values).encode() + b"\n")

    async def _told(self) -> dict[str, Any]:
        assert self._children.stdout is not None
        told: dict[str, Any] = json.loads(await self._children.stdout.readline())
        return told

    async def peer_catches_up(self) -> None:
        for event in await self.peer.receive():
            assert not isinstance(event, Gap | WelcomeRefused), event
            self.peer_saw_renewals += isinstance(event, MembersChanged) and VICTIM in event.renewed
            if isinstance(event, MessageReceived):
                assert event.message.verification is not None
                assert event.message.verification.verdict in ("verified", "delayed")
                self.peer_saw[event.message.text] += 1
        assert set(self.peer_saw.values()) <= {1}

    async def everybody_agrees(self, victim: dict[str, Any]) -> None:
        """No fork, nothing left undone, nothing unreadable, nothing twice in the history or among the events."""
        assert (victim["intents"], victim["unanswered"]) == (0, 0)
        for group, authenticator in victim["authenticators"].items():
            of_peer = await self.peer.worker.run(self.peer.steps.groups.authenticator, bytes.fromhex(group))
            assert of_peer.hex() == authenticator
        rows = [row for row in victim["rows"] if row["kind"] in ("received", "sent")]
        assert not [row for row in victim["rows"] if row["kind"] == "gap"]
        assert {row["verdict"] for row in rows if row["kind"] == "received"} <= {"verified", "delayed"}
        assert {row["state"] for row in rows if row["kind"] == "sent"} <= {"delivered"}
        assert set(Counter(row["text"] for row in rows).values()) <= {1}
        shown = Counter(note["text"] for note in self._notes() if note["kind"] == "shown")
        assert set(shown.values()) <= {1}

    def no_key_is_reused(self, witness: mls_rs.Group | None) -> None:
        """One idempotency key, one body; and whatever was posted in one epoch, accepted or not, has keys of its own."""
        bodies = defaultdict(set)
        notes = self._notes()
        for note in notes:
            if note["kind"] == "post":
                bodies[note["key"]].add(note["body"])
        assert all(len(same) == 1 for same in bodies.values())
        fresh, self._lines = notes[self._lines :], len(notes)
        posted = dict.fromkeys(bytes.fromhex(note["body"]) for note in fresh if note["kind"] == "post")
        for body in posted:
            if witness is None or not _is_application(body, witness):
                continue
            witness.process(body, int(self.world.clock()))  # AlreadyReadError if its generation was used before

    def no_plaintext(self) -> None:
        for path in self.home.rglob("*"):
            assert path.is_dir() or CANARY.encode() not in path.read_bytes(), path

    def _copy_of_the_group(self) -> mls_rs.Group:
        query = "SELECT state, tree FROM chat WHERE group_id = ?"
        row = self.peer.steps.store.row(query, self.group_id)
        assert row is not None
        return self.peer.steps.groups.engine.load(*row)

    def _notes(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()] if self._log.exists() else []


@pytest.fixture
def tmp_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Files in memory where the system has such a folder: a kill leaves them as it leaves those on a disk."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)  # the services' files too
        yield Path(folder)


@pytest.fixture
async def crash(tmp_path: Path) -> AsyncIterator[Crash]:
    home, log = tmp_path / "victim", tmp_path / "posts.log"
    async with World() as world, _children(home, log) as children:
        peer = await world.person("peer", PEER.e164)
        crash = Crash(world, peer, children, home, log)

        async def ask_code(_: ChallengeOpened) -> str:
            return world.codes.codes[VICTIM]

        await enrol(
            crash.home,
            PASSPHRASE,
            VICTIM,
            authority=world.authority_url,
            delivery=world.delivery_url,
            ask_code=ask_code,
            cost=COST,
            clock=world.clock,
        )
        await crash.start()
        await crash.operate("nothing", "", 0)
        yield crash


@pytest.fixture
async def chatting(crash: Crash) -> Crash:
    """Both are in one chat."""
    crash.group_id = (await crash.peer.create_chat("chat", [VICTIM])).group_id
    return crash


@asynccontextmanager
async def _children(home: Path, log: Path) -> AsyncIterator[Process]:
    script = Path(__file__).with_name("crash_child.py")
    root = script.parents[2]
    children = await asyncio.create_subprocess_exec(
        sys.executable,
        script,
        *(str(home), PASSPHRASE, str(log)),
        stdin=PIPE,
        stdout=PIPE,
        limit=REPORT_LIMIT,
        cwd=root,
        env={"PYTHONPATH": str(root)},
    )
    try:
        yield children
    finally:
        assert children.stdin is not None
        children.stdin.close()
        children.kill()
        await children.wait()


def _is_application(body: bytes, witness: mls_rs.Group) -> bool:
    try:
        inspected = mls_rs.inspect(body)
    except mls_rs.MalformedError:
        return False  # a commit bundle
    return inspected.kind == "private_message" and (inspected.group_id, inspected.epoch) == (
        witness.group_id,
        witness.epoch,
    )


async def _nothing(_: int) -> None:
    pass


def _texts(rows: list[dict[str, Any]], kind: str) -> list[str]:
    return [row["text"] for row in rows if row["kind"] == kind]


@pytest.mark.parametrize("contested", [False, True], ids=["in the same epoch", "after another commit"])
async def test_sending_survives_a_kill_anywhere(chatting: Crash, contested: bool) -> None:
    async def prepare(_: int) -> None:
        if contested:
            await chatting.peer.refresh(chatting.group_id)

    def check(said: str, rows: list[dict[str, Any]]) -> None:
        kept = said in _texts(rows, "sent")
        assert chatting.peer_saw[said] == kept
        # Once the text was stored it is never lost again, wherever the process dies.
        assert kept or not any(chatting.kept)
        chatting.kept.append(kept)

    boundaries = await chatting.at_every_boundary("send", CANARY, prepare, check)
    assert boundaries > 30
    assert chatting.kept.count(False) < 15  # statements until the text is stored


async def test_sending_a_file_survives_a_kill_anywhere(chatting: Crash) -> None:
    (chatting.home.parent / "file").write_bytes(CANARY.encode() + os.urandom(PIECE_SIZE))
    sent: list[str] = []

    def check(said: str, rows: list[dict[str, Any]]) -> None:
        said = f"(file) file\n{said}"
        kept = said in _texts(rows, "sent")
        assert chatting.peer_saw[said] == kept
        # Once the file was sealed and noted it is never lost again, and whatever happened nothing is left over.
        assert kept or not sent
        assert not any((chatting.home / "transfers").glob("*"))
        sent.extend([said] * kept)

    boundaries = await chatting.at_every_boundary("attach", CANARY, _nothing, check)
    assert boundaries > 40
    assert len(sent) > 30
    uploads = "SELECT count(*) FROM blob_uploads"
    assert await chatting.world.service.engine.read(lambda tx: tx.value(uploads)) == 0


async def test_receiving_survives_a_kill_anywhere(chatting: Crash) -> None:
    async def prepare(kill_at: int) -> None:
        for part in "ab":
            await chatting.peer.send(chatting.group_id, f"{CANARY}-{kill_at}-{part}")

    def check(said: str, rows: list[dict[str, Any]]) -> None:
        received = _texts(rows, "received")
        assert [received.count(f"{said}-{part}") for part in "ab"] == [1, 1]

    assert await chatting.at_every_boundary("receive", CANARY, prepare, check) > 20


async def test_joining_and_acknowledging_survive_a_kill_anywhere(crash: Crash) -> None:
    async def prepare(kill_at: int) -> None:
        chat = await crash.peer.create_chat(f"join {kill_at}", [VICTIM])
        await crash.peer.send(chat.group_id, f"{CANARY}-{kill_at}")

    def check(said: str, rows: list[dict[str, Any]]) -> None:
        assert _texts(rows, "received").count(said) == 1

    assert await crash.at_every_boundary("receive", CANARY, prepare, check) > 30


@pytest.mark.parametrize("contested", [False, True], ids=["alone", "against another commit"])
async def test_committing_survives_a_kill_anywhere(chatting: Crash, contested: bool) -> None:
    async def prepare(_: int) -> None:
        if contested:
            await chatting.peer.refresh(chatting.group_id)

    boundaries = await chatting.at_every_boundary("refresh", "", prepare, lambda said, rows: None)
    assert boundaries > 30


async def test_creating_a_chat_survives_a_kill_anywhere(crash: Crash) -> None:
    def check(said: str, rows: list[dict[str, Any]]) -> None:
        chats = {chat.name for chat in crash.peer.steps.chats.all()}
        # Either nothing was created, or the peer is in it and knows its name.
        assert (f"(named this chat “{said}”)" in _texts(rows, "titled")) == (said in chats)
        crash.kept.append(said in chats)

    boundaries = await crash.at_every_boundary("create", "made", _nothing, check)
    assert boundaries > 50
    assert crash.kept[-1]


@pytest.mark.parametrize("first", range(1, PARTS + 1))
async def test_putting_a_new_certificate_in_before_a_message_survives_a_kill_anywhere(
    chatting: Crash, first: int
) -> None:
    """In parts, because a number is proved anew every 90 days, and each round takes most of a certificate's life."""

    async def prepare(_: int) -> None:
        await chatting.peer.refresh(chatting.group_id)  # the peer's new certificate comes along

    def check(said: str, rows: list[dict[str, Any]]) -> None:
        assert chatting.peer_saw[said] == (said in _texts(rows, "sent"))

    chatting.world.clock.advance(MOST_OF_A_LIFE)
    await chatting.peer.receive()
    renew = chatting.at_every_boundary("send", CANARY, prepare, check, first=first, step=PARTS, pause=MOST_OF_A_LIFE)
    assert await renew > 60  # a message alone has fewer
    assert chatting.peer_saw_renewals > 60 // PARTS
