"""The line mode in a real pseudo-terminal: what reaches it is printable text and newlines, whatever others write."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pexpect
import pytest

from client.desk.daemon import Daemon
from client.desk.desk import open_desk
from client.errors import NotFoundError
from client.records.chats import Chat
from client.session import Session
from identity.number import TelephoneNumber
from lab.world import World
from tests.client.plain.plain_scene import ALICE, BOB, PASSPHRASE, enrolled
from tests.client.terminal_attacks import CONTROLS, SEQUENCES, UNSEEN

ROOT = Path(__file__).parents[3]
COLUMNS = 40
PATIENCE = 60  # seconds
PROMPT = r": $"
MAIN = "from client.plain.cli import plain; plain()"


class Terminal:
    """A terminal of 40 columns in which Bob runs the line mode."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.home = world.folder / "bob"
        self.octets = bytearray()
        self.child: pexpect.spawn[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        named = {"RINGTRUE_HOME": str(self.home), "RINGTRUE_CONFIG": str(self.world.folder / "config.toml")}
        return {**kept, **named, "PYTHONPATH": str(ROOT), "TERM": "dumb", "LC_ALL": "C.UTF-8"}

    def start(self) -> None:
        services = ["--authority", self.world.authority_url, "--delivery", self.world.delivery_url]
        self.child = pexpect.spawn(
            sys.executable,
            ["-c", MAIN, *services],
            env=self.environment,
            dimensions=(24, COLUMNS),
            timeout=PATIENCE,
        )
        self.child.logfile_read = self

    def write(self, octets: bytes) -> None:
        self.octets += octets

    def flush(self) -> None:
        """Nothing is held back."""

    def hears(self, words: str) -> None:
        assert self.child is not None
        self.child.expect_exact(words.encode())

    def prompted(self, *typed: str) -> None:
        """Answer one prompt after the other."""
        assert self.child is not None
        for line in typed:
            self.child.expect(rb"[:?)] $")
            self.child.sendline(line)

    def end(self, how: Callable[[], object]) -> int | None:
        assert self.child is not None
        how()
        self.child.expect(pexpect.EOF)
        self.child.close()
        return self.child.exitstatus


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World() as world:
        yield world


async def _reached(alice: Session, number: TelephoneNumber) -> Chat:
    """A chat with a device that has enrolled just now: its key packages follow its enrolment."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await alice.create_chat(None, [number])
            except NotFoundError:
                await asyncio.sleep(0.5)


async def test_from_nothing_to_a_conversation_in_a_dumb_terminal(world: World) -> None:
    alice = await world.person("Alice", ALICE.e164)
    bob = Terminal(world)
    await asyncio.to_thread(_enrols, bob, world)
    chat = await _reached(alice, BOB)
    sendable = [text for text in (*SEQUENCES.values(), *CONTROLS.values(), *UNSEEN.values()) if _is_unicode(text)]
    for text in (*sendable, "the last \x1b[31mwords"):
        await alice.send(chat.group_id, text)
    await alice.sync()
    await asyncio.to_thread(_reads, bob)
    text = bob.octets.decode()
    assert {character for character in text if not character.isprintable()} <= {"\r", "\n", "\a"}
    assert max(len(line) for line in text.replace("\r", "").split("\n")) <= COLUMNS + len(ALICE.e164)
    assert PASSPHRASE not in text
    assert "␛[31mwords" in text


async def test_an_interrupt_keeps_what_was_being_written(world: World) -> None:
    await world.person("Alice", ALICE.e164)
    bob = Terminal(world)
    await enrolled(world, bob.home, BOB)
    await asyncio.to_thread(_is_interrupted, bob)
    async with Session.open(bob.home, PASSPHRASE, clock=world.clock, jitter=0) as session:
        (chat,) = await session.chats()
        assert chat.draft == "first line\nsecond"


async def test_a_script_on_standard_input_gives_a_transcript(world: World, tmp_path: Path) -> None:
    await world.person("Alice", ALICE.e164)
    bob = Terminal(world)
    await enrolled(world, bob.home, BOB)
    script = tmp_path / "script"
    script.write_text(f"{PASSPHRASE}\nnew {ALICE.e164}\nhello\n/quit\n")
    for opened in (script.open("rb"), _piped(script.read_bytes())):
        with opened as source:
            done = await asyncio.to_thread(_run, bob, source)
        assert (done.returncode, done.stderr) == (0, b"")
        lines = done.stdout.decode().split("\n")
        assert "Passphrase (it is not shown): " in lines
        assert f"Message to “{ALICE}”, / for menu: hello" in lines
        assert lines[-2:] == ["Left. Nothing is lost.", ""]
    with Path(os.devnull).open("rb") as source:
        nothing = await asyncio.to_thread(_run, bob, source)
    assert (nothing.returncode, nothing.stderr) == (0, b"")
    assert b"The input has ended." in nothing.stdout


async def test_a_running_daemon_is_used_and_its_end_is_said(world: World) -> None:
    await world.person("Alice", ALICE.e164)
    bob = Terminal(world)
    await enrolled(world, bob.home, BOB)
    ready, stop = asyncio.Event(), asyncio.Event()
    async with open_desk(bob.home, PASSPHRASE, clock=world.clock, jitter=0) as desk:
        serving = asyncio.create_task(Daemon(desk, bob.home, lambda _: None).run(ready.set, stop))
        await ready.wait()
        await asyncio.to_thread(_talks, bob)
        assert "Passphrase" not in bob.octets.decode()
        assert (await desk.messages.search("through the daemon"))[0].state in ("accepted", "delivered")
        stop.set()
        await serving
        assert await asyncio.to_thread(_finds_no_daemon, bob) == 6
    assert "You were writing: half a thought" in bob.octets.decode().replace("\r\n    ", " ")


def _enrols(bob: Terminal, world: World) -> None:
    bob.start()
    bob.prompted("12345", "+1 (202) 555-0143", "", "")
    bob.prompted("yes")
    bob.hears("The code")
    assert bob.end(lambda: bob.child.sendintr()) == 130  # type: ignore[union-attr]
    bob.start()
    bob.hears("was begun here")
    bob.prompted("", "", "", "yes", "000000", world.codes.codes[BOB], PASSPHRASE, "something else")
    bob.hears("The two are not the same.")
    bob.prompted(PASSPHRASE, PASSPHRASE, "", f"know {ALICE.e164}")
    bob.hears("accepted at once")
    assert bob.end(lambda: bob.child.sendeof()) == 0  # type: ignore[union-attr]


def _reads(bob: Terminal) -> None:
    bob.start()
    bob.prompted("wrong", PASSPHRASE, "sync", "chats", "1")
    for _ in range(6):
        bob.prompted("/newer")

    bob.prompted("/inspect 3", "/find pwned", "", "/", "/quit")
    bob.hears("Left.")
    assert bob.end(lambda: None) == 0


def _talks(bob: Terminal) -> None:
    bob.start()
    bob.prompted(f"new {ALICE.e164}", "through the daemon")
    bob.hears("you, ")
    bob.hears("menu: ")


def _finds_no_daemon(bob: Terminal) -> int | None:
    assert bob.child is not None
    bob.child.sendline("half a thought")
    return bob.end(lambda: None)


def _is_interrupted(bob: Terminal) -> None:
    bob.start()
    bob.prompted(PASSPHRASE, f"new {ALICE.e164}", "/write", "first line")
    bob.hears("Line: ")
    assert bob.child is not None
    bob.child.send("second")
    bob.hears("second")
    assert bob.end(bob.child.sendintr) == 130


def _run(bob: Terminal, source: object) -> subprocess.CompletedProcess[bytes]:
    services = ["--authority", bob.world.authority_url, "--delivery", bob.world.delivery_url]
    return subprocess.run(  # noqa: UP022
        [sys.executable, "-c", MAIN, *services],
        env=bob.environment,
        stdin=source,  # type: ignore[arg-type]
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=PATIENCE,
        check=False,
    )


def _piped(octets: bytes):
    reading, writing = os.pipe()
    os.write(writing, octets)
    os.close(writing)
    return os.fdopen(reading, "rb")


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def test_it_needs_no_widgets() -> None:
    program = "import sys, client.plain.cli; print([n for n in sys.modules if n.startswith(('textual', 'client.tui'))])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
