"""What really reaches a terminal: every octet that the client writes while it shows what a hostile peer wrote.

The same session is played twice, with harmless words and with attacks. Attacks may change words, and nothing else: each
kind of control that the terminal received the second time, the client had sent by itself the first time.
"""

import asyncio
import base64
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import pytest

from client.errors import ContentError
from client.formats import content
from client.formats.parts import ExternalPart
from client.formats.text import safe_text
from client.records.message import Message
from client.session import Session
from identity.binding import group_uri, user_uri
from identity.number import TelephoneNumber
from lab.world import HOST, World
from tests.client.terminal_attacks import ATTACKS, CONTROLS, LONG, MARKUP, SEQUENCES, TELLTALE, UNSEEN
from tests.system.raw_terminal import Pty, commands, kinds, words
from tests.system.shell import Shell

BOB, MALLORY = "+12025550143", "+12025550177"
SHORT = [text for name, text in ATTACKS.items() if name not in LONG and name != "lone surrogate"]


ESCAPE, UP, DOWN, PAGE_UP, F3, F4, F7, F9 = (
    "\x1b",
    "\x1b[A",
    "\x1b[B",
    "\x1b[5~",
    "\x1bOR",
    "\x1bOS",
    "\x1b[18~",
    "\x1b[20~",
)
CTRL_Q, CTRL_T, CTRL_U = "\x11", "\x14", "\x15"

NEVER = re.compile(
    "[\x80-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


@dataclass(frozen=True)
class Script:
    """What the peer writes: `texts` with a file's name and a reaction each, `titles` of chats, one last text."""

    texts: Sequence[str]
    titles: Sequence[str]
    last: str


HARMLESS = Script(
    [f"harmless words {n} https://evil.example" for n in range(len(SHORT) + len(LONG))],
    [f"Harmless club {n}" for n in range(4)],
    "the last harmless words",
)
HOSTILE = Script(
    [*SHORT, *LONG.values()],
    ["".join(texts)[:200] for texts in (SEQUENCES.values(), reversed(SEQUENCES.values()), CONTROLS.values())]
    + ["".join([*MARKUP.values(), *(text[:20] for text in UNSEEN.values() if "\ud800" not in text)])[:200]],
    "".join(list(SEQUENCES.values())[:9]),
)


class Played(NamedTuple):
    """The octets that reached a terminal: before consent, after it, and in line mode."""

    stranger: bytes
    contact: bytes
    lines: bytes


class Peer:
    """Somebody whose client sends whatever it likes, under proofs that are in order."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._groups: list[bytes] = []

    async def write(self, script: Script) -> None:
        """Make a chat for each title; in the first, say, name and react with everything."""
        for title in script.titles:
            chat = await self._session.create_chat(None, [TelephoneNumber.parse(BOB)])
            self._groups.append(chat.group_id)
            await self._queue(chat.group_id, content.title("", "", title))
            await self._queue(chat.group_id, content.text("", "", title))
        talk = self._groups[0]
        await self._queue(talk, content.text("", "", "the first words"))
        for text in script.texts:
            said = await self._queue(talk, content.text("", "", text))
            with suppress(ContentError):  # of more than one line: no client takes that for a reaction
                await self._queue(talk, content.reaction("", "", _cut(text), bytes.fromhex(said.message_id)))
            await self._queue(talk, content.attachment("", "", _file(text), text[:200]))
        await self._queue(talk, content.text("", "", "the last marker"))
        for group_id in self._groups:
            await self._session.drive(group_id)

    async def write_elsewhere(self, text: str) -> None:
        """Write in the last chat."""
        await self._session.send(self._groups[-1], text)

    async def _queue(self, group_id: bytes, said: content.Content) -> Message:
        uris = {"sender_uri": user_uri(HOST, self._session.account.number), "room_uri": group_uri(HOST, group_id)}
        queue, now = self._session.steps.sender.queue, self._session.now()
        return await self._session.worker.run(queue, group_id, replace(said, **uris), now)


def _cut(text: str) -> str:
    return text.encode()[: content.REACTION_LIMIT].decode(errors="ignore")


def _file(text: str) -> ExternalPart:
    return ExternalPart(
        text[:90], "https://evil.example/file", 5, bytes(16), bytes(12), bytes(32), text[:200], text[:200]
    )


async def see_nothing_of_a_stranger(bob: Shell, script: Script) -> bytes:
    """Look at the requests and at what can be inspected of them."""
    pty = Pty(bob)
    await pty.shows(f"! Requests {len(script.titles)}")
    pty.types(F3)
    await pty.shows(f"{2 * len(script.texts) + 3} messages wait")
    await pty.until(lambda: pty.screen.count("NUMBER VERIFIED") == len(script.titles), "every request")
    for _ in script.titles:
        pty.types("i")
        await pty.shows("A verified number proves control")
        pty.types(ESCAPE)
        await pty.hides("A verified number proves control")
        pty.types(DOWN)
    pty.types(CTRL_Q)
    await pty.ends()
    return bytes(pty.octets)


async def see_everything_of_a_contact(bob: Shell, peer: Peer, script: Script) -> bytes:
    """Open every chat, read all that there is, inspect, search, copy, and be notified."""
    pty = Pty(bob)
    await pty.shows("✓ online")
    for _ in script.titles:
        seen = len(pty.titles)
        pty.types(CTRL_T)
        await pty.until(lambda before=seen: len(pty.titles) > before, "another title of the terminal")
    pty.types(F7)
    await pty.shows("Find in all chats")
    pty.types("evil")
    await pty.shows("Enter goes to the one under the cursor")
    pty.types(CTRL_U)
    await pty.shows("Type what you are looking for")
    pty.types("the last marker")
    await pty.shows("1 message found")
    pty.types("\r")
    await pty.shows("r Reply")
    await read_upwards(pty)
    pty.types(UP)
    await pty.shows("►")
    for key, shown in (("i", "15 passed"), (F4, "Check number"), (F9, "Members"), (F3, "Nobody is waiting")):
        pty.types(key)
        await pty.shows(shown)
        pty.types(ESCAPE)
        await pty.hides(shown)
    pty.types("c")
    await pty.sends(b"\x1b]52;", 0)
    before = len(pty.octets)
    await peer.write_elsewhere(script.last)
    await pty.sends(b"\x1b]9;", before)
    pty.types(CTRL_Q)
    await pty.ends()
    return bytes(pty.octets)


async def read_upwards(pty: Pty) -> None:
    """From the newest message to the first, by pages."""
    while "first words" not in pty.screen:
        screen = pty.screen
        pty.types(PAGE_UP)
        await pty.until(lambda before=screen: pty.screen != before, "another page")


async def hear_everything_by_lines(bob: Shell) -> bytes:
    """The chats, and the first of them, in line mode."""
    pty = Pty(bob, "--plain", TERM="dumb")
    await pty.shows("Write a number or a word")
    pty.types("chats\n")
    await pty.shows("Open which?")
    listed = re.search(r"(\d+)\. [^\n]*(?:\n(?!\d+\. )[^\n]*)*?the last marker", pty.screen)
    assert listed is not None, pty.screen
    pty.types(f"{listed[1]}\n")
    await pty.shows("Message to")
    pty.types("/older\n/older\n/older\n/quit\n")
    await pty.ends()
    return bytes(pty.octets)


async def played(script: Script, folder: Path) -> Played:
    """The whole session with what this script says."""
    async with World() as world:
        bob = Shell(world, folder, BOB)
        await bob.enroll()
        peer = Peer(await world.person("Mallory", MALLORY))
        await peer.write(script)
        before = await see_nothing_of_a_stranger(bob, script)
        assert (await bob.run("contacts", "add", MALLORY)).code == 0
        after = await see_everything_of_a_contact(bob, peer, script)
        return Played(before, after, await hear_everything_by_lines(bob))


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    """Both sessions, played once."""
    scripts = {"harmless": HARMLESS, "hostile": HOSTILE}
    return {name: asyncio.run(played(script, tmp_path_factory.mktemp(name))) for name, script in scripts.items()}


def test_attacks_add_no_control_to_what_the_client_sends_by_itself(sessions: dict[str, Played]) -> None:
    for harmless, hostile in zip(sessions["harmless"], sessions["hostile"], strict=True):
        assert kinds(hostile) <= kinds(harmless)
        assert not kinds(hostile) & {b"\x07", b"\x00", b"\x05", b"\x0e", b"\x1bc"}


def test_nothing_unseen_and_no_loose_control_is_drawn(sessions: dict[str, Played]) -> None:
    for octets in sessions["hostile"]:
        drawn = words(octets)
        assert "\x1b" not in drawn
        assert NEVER.findall(drawn) == []


def test_nothing_of_a_stranger_reaches_the_terminal_before_consent(sessions: dict[str, Played]) -> None:
    for told, played in sessions.items():
        for word in ("armless", TELLTALE, "evil", "bank", "␛", "marker"):
            assert word not in words(played.stranger), told


def test_the_attacks_were_really_shown(sessions: dict[str, Played]) -> None:
    for octets in (sessions["hostile"].contact, sessions["hostile"].lines):
        assert words(octets).count("␛]52;c;cHduZWQ=") >= 1
    assert any(TELLTALE in title for title in commands(sessions["hostile"].contact, 2))


def test_what_leaves_the_screen_is_as_harmless(sessions: dict[str, Played]) -> None:
    octets = sessions["hostile"].contact
    for line in (*commands(octets, 2), *commands(octets, 9)):
        assert safe_text(line).text == line
        assert "\n" not in line
    assert commands(octets, 9)
    assert all(line.startswith("Ringtrue: ") for line in commands(octets, 9))
    for copied in commands(octets, 52):
        text = base64.b64decode(copied.removeprefix("c;"), validate=True).decode()
        assert safe_text(text).text == text
    for link in commands(octets, 8):
        assert re.fullmatch(r"[^;]*;(?:https?://[!-~]+)?", link)


def test_line_mode_sends_no_control_at_all(sessions: dict[str, Played]) -> None:
    assert kinds(sessions["hostile"].lines) == set()
