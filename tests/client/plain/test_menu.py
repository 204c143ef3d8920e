"""Every item of both menus does what it says; a new item without a scene here makes this fail."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

import client
from client.errors import ClientError
from client.plain.account_items import ACCOUNT_ITEMS
from client.plain.menu import IN_CHAT, MAIN, NOT_HERE, Choice, meant
from client.proof import verify
from client.tui.command import Command
from client.tui.commands import COMMANDS
from identity.binding import Verdict
from identity.certificates import TrustAnchors
from lab.clock import SettableClock
from lab.world import World
from tests.client.plain.plain_scene import ALICE, BOB, CAROL, PASSPHRASE, Person, befriend, people

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Stage:
    """Alice and Bob know each other; Carol knows nobody. Each scene has a group, called `name`."""

    def __init__(self, alice: Person, bob: Person, carol: Person, clock: SettableClock) -> None:
        self.alice, self.bob, self.carol = alice, bob, carol
        self._clock = clock
        self.name = ""
        self._groups: dict[str, str] = {}

    async def group(self, name: str) -> str:
        """A group of Alice's with Bob, in which she has said one thing; its id."""
        self.name = name
        if name not in self._groups:
            self._clock.advance(60)  # for each, key packages are claimed: 60 times an hour at most
            view = await self.alice.desk.chats.create(name, [BOB.e164])
            await self.alice.desk.messages.send(view.group, f"first words of {name}")
            await self.settle()
            self._groups[name] = view.group
        return self._groups[name]

    async def settle(self) -> None:
        """Everybody posts and reads, until everybody has seen everything."""
        for _ in range(2):
            for person in (self.alice, self.bob, self.carol):
                await person.desk.device.sync()

    async def asked(self) -> None:
        """Carol asks Bob for a chat, as a stranger: whom Bob has asked is one of his contacts, and needs no request."""
        await self.bob.desk.people.block(CAROL.e164)
        await self.bob.desk.people.unblock(CAROL.e164)
        view = await self.carol.desk.chats.create("Cheap pills", [BOB.e164], roles=False)
        await self.carol.desk.messages.send(view.group, "buy now")
        await self.settle()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stage() -> AsyncIterator[Stage]:
    async with World() as world, people(world, ALICE, BOB, CAROL) as (alice, bob, carol):
        await befriend(alice, bob)
        yield Stage(alice, bob, carol, world.clock)


@dataclass(frozen=True)
class Scene:
    """What Bob (or Alice, if `alice`) types in the group, and words of one line that he then hears."""

    lines: tuple[str, ...]
    heard: str
    alice: bool = False
    before: Callable[[Stage, str], Awaitable[None]] | None = None
    after: Callable[[Stage, str], Awaitable[None]] | None = None


async def _old_rows(stage: Stage, group: str) -> None:
    for number in range(40):
        await stage.alice.desk.messages.send(group, f"row {number}")
    await stage.settle()
    (*_, newest) = await stage.bob.desk.messages.page(group)
    await stage.bob.desk.chats.read(group, newest.row)


async def _elsewhere(stage: Stage, group: str) -> None:
    for chat in await stage.bob.desk.chats.all():  # that this one is the only unread one beside the scene's own
        rows = await stage.bob.desk.messages.page(chat.group, limit=1)
        await stage.bob.desk.chats.read(chat.group, rows[-1].row)
    other = await stage.alice.desk.chats.create("Another", [BOB.e164])
    await stage.alice.desk.messages.send(other.group, "elsewhere")
    await stage.settle()


async def _with_file(stage: Stage, group: str) -> None:
    file = stage.alice.config.download_folder.parent / "notes.txt"
    file.write_text("the crux is on the left")
    await stage.alice.desk.messages.send_file(group, str(file), "read this")
    await stage.settle()


async def _with_answer(stage: Stage, group: str) -> None:
    rows = await stage.alice.desk.messages.page(group)
    await stage.alice.desk.messages.send(group, "an answer", reply_to=rows[-1].row)
    await stage.settle()


async def _with_draft(stage: Stage, group: str) -> None:
    await stage.bob.desk.chats.draft(group, "half a thought")


async def _with_carol(stage: Stage, group: str) -> None:
    await stage.carol.desk.people.know(ALICE.e164)
    await stage.alice.desk.chats.invite(group, [CAROL.e164])
    await stage.settle()


async def _ask_carol(stage: Stage, group: str) -> None:
    await stage.bob.desk.people.ask(CAROL.e164)


async def _bob_says(stage: Stage, group: str) -> None:
    await stage.bob.desk.messages.send(group, "of my own")
    await stage.settle()


async def _refused_once(stage: Stage, group: str) -> None:
    await stage.alice.desk.chats.remove(group, BOB.e164)
    await stage.bob.desk.messages.send(group, "of one who was removed")
    await stage.settle()
    await stage.alice.desk.chats.invite(group, [BOB.e164])
    await stage.settle()
    assert (await stage.bob.desk.messages.search("of one who was removed"))[0].state == "failed"


async def _asked(stage: Stage, group: str) -> None:
    await stage.asked()


async def _admin_bob(stage: Stage, group: str) -> None:
    await stage.alice.desk.chats.admin(group, BOB.e164, True)
    await stage.settle()


async def _archive_it(stage: Stage, group: str) -> None:
    for other in await stage.bob.desk.chats.all(archived=True):
        await stage.bob.desk.chats.archive(other.group, False)
    await stage.bob.desk.chats.archive(group, True)


async def _hold_back(stage: Stage, group: str) -> None:
    await _with_carol(stage, group)
    await stage.bob.desk.people.block(CAROL.e164)
    await stage.carol.desk.messages.send(group, "let me in")
    await stage.settle()


async def _strangers(stage: Stage, group: str) -> None:
    await stage.bob.desk.people.block(CAROL.e164)
    await stage.bob.desk.people.unblock(CAROL.e164)


async def _decline_all(stage: Stage, group: str) -> None:
    for request in await stage.bob.desk.people.requests():
        await stage.bob.desk.people.decline(request.group)


async def _unname(stage: Stage, group: str) -> None:
    await stage.bob.desk.people.name(ALICE.e164, "")


async def _everybody_sees(stage: Stage, group: str, words: str) -> None:
    await stage.settle()
    assert any(words in row.text for row in await stage.alice.desk.messages.page(group))


async def _sent_lines(stage: Stage, group: str) -> None:
    await _everybody_sees(stage, group, "line one\nline two")


async def _sent_draft(stage: Stage, group: str) -> None:
    await _everybody_sees(stage, group, "half a thought")
    assert (await stage.bob.desk.chats.get(group)).draft == ""


async def _sent_edit(stage: Stage, group: str) -> None:
    await _everybody_sees(stage, group, "said better")


async def _sent_reply(stage: Stage, group: str) -> None:
    await stage.settle()
    last = (await stage.alice.desk.messages.page(group))[-1]
    assert (last.text, last.reply.text if last.reply else "") == ("indeed", f"first words of {stage.name}")


async def _saved(stage: Stage, group: str) -> None:
    assert (stage.bob.config.download_folder / "notes.txt").read_text() == "the crux is on the left"


async def _exported(stage: Stage, group: str) -> None:
    written = stage.bob.config.download_folder / f"ringtrue-{group[:8]}.txt"
    assert f"first words of {stage.name}" in written.read_text()
    assert written.stat().st_mode & 0o077 == 0


async def _proved(stage: Stage, group: str) -> None:
    (written,) = stage.bob.config.download_folder.glob("ringtrue-proof-*.json")
    anchors = TrustAnchors.from_pem(stage.bob.home.anchors.read_bytes())
    verification, text = verify(written.read_bytes(), anchors)
    assert (verification.verdict, text) == (Verdict.VERIFIED, f"first words of {stage.name}")


async def _publishes(stage: Stage, group: str) -> None:
    await stage.bob.desk.session.maintain()  # or nobody could add him to the scenes that follow


async def _gone_for_carol(stage: Stage, group: str) -> None:
    await stage.settle()
    assert (await stage.carol.desk.chats.get(group)).standing == "removed"


FILE = str(Path(__file__))
RULES = str(Path(client.__file__).parent / "defence" / "default_rules.toml")
OF_ALICE = f"NUMBER VERIFIED {ALICE}: first words of"

SCENES: dict[str, Scene] = {
    "chats": Scene(("/close", "chats chats"), OF_ALICE),
    "new": Scene(("/close", f"new {ALICE.e164}"), f"Chat “{ALICE}”"),
    "group": Scene(("/close", "group Band", ALICE.e164, "hello, band"), "you, sent: hello, band"),
    "next": Scene(("/close", "next"), ": elsewhere", before=_elsewhere),
    "findall": Scene(("/close", "findall words of findall", "1"), OF_ALICE),
    "archived": Scene(("archived", "1"), "Chat “archived”", before=_archive_it),
    "requests": Scene(("/requests", "1", "2"), "Declined.", before=_asked),
    "accept": Scene((f"/accept {CAROL.e164}", "yes"), "buy now", before=_asked, after=_strangers),
    "decline": Scene((f"/decline {CAROL.e164}",), "Declined.", before=_asked),
    "block": Scene((f"/block {CAROL.e164}", "yes"), "Blocked.", after=_strangers),
    "unblock": Scene((f"/unblock {CAROL.e164}",), "a stranger again"),
    "quarantine": Scene(
        ("/quarantine", "1", "2", "yes"), f"NUMBER VERIFIED {CAROL}: let me in", before=_hold_back, after=_strangers
    ),
    "rules": Scene(("/rules", "2", RULES), "Tried on"),
    "contacts": Scene(("/contacts",), f"{ALICE}, contact"),
    "know": Scene((f"/know {ALICE.e164}",), "accepted at once"),
    "ask": Scene((f"/ask {CAROL.e164}",), f"{CAROL}: You can write to them."),
    "asked": Scene(("/asked",), f"{CAROL}: You can write to them.", before=_ask_carol),
    "reachable": Scene(("/reachable ask", "/reachable open", "/reachable"), "open: Anybody can write to you"),
    "name": Scene(("/name", ALICE.e164, "Ali"), f"{ALICE} (Ali), contact", after=_unname),
    "numberkeys": Scene((f"/numberkeys {ALICE.e164}",), "the first key of this number that you met"),
    "alarms": Scene(("/alarms",), "Nothing was seen: no certificate"),
    "devices": Scene(("/devices",), "✓ valid until"),
    "me": Scene(("/me",), "Short code: B6CE-N9ZS-J"),
    "qr": Scene(("/qr",), "███"),
    "status": Scene(("/status",), "Certificate: ends"),
    "doctor": Scene(("/doctor",), "In order: store: opens"),
    "sync": Scene(("/sync",), "Online."),
    "settings": Scene(("/settings",), "To change them, edit"),
    "lock": Scene(("/lock", "wrong", PASSPHRASE), "Opened."),
    "incognito": Scene(("/incognito", "/incognito"), "Incognito has ended."),
    "listen": Scene(("/listen", ""), "Listening."),
    "quit": Scene(("/quit",), "Left. Nothing is lost."),
    "help": Scene(("/help",), "Any line is sent as a message."),
    "older": Scene(("/older", "/older"), "row 0", before=_old_rows),
    "newer": Scene(("/older", "/newer"), "row 30", before=_old_rows),
    "unread": Scene(("/unread",), "Nothing is unread here."),
    "write": Scene(("/write", "line one", "line two", "."), "you, sent: line one", after=_sent_lines),
    "draft": Scene(("/draft", "yes"), "you, sent: half a thought", before=_with_draft, after=_sent_draft),
    "reply": Scene(("/reply", "", "indeed"), "in answer to message", after=_sent_reply),
    "react": Scene(("/react", "", "👍"), "reaction 👍 by you"),
    "edit": Scene(("/edit", "", "said better"), "edited: said better", before=_bob_says, after=_sent_edit),
    "delete": Scene(("/delete", "", "yes"), "(took this message back)", before=_bob_says),
    "retry": Scene(
        ("/find of one who", "", "/unread", "/retry", "4"), "you, sent: of one who was removed", before=_refused_once
    ),
    "attach": Scene((f"/attach {FILE}", "my test"), "file test_menu.py"),
    "open": Scene(("/open", "", "yes"), "the crux is on the left", before=_with_file, after=_saved),
    "proof": Scene(("/proof", "", ""), "To check it: ringtrue verify", after=_proved),
    "save": Scene(("/save", ""), "Saved as ", before=_with_file, after=_saved),
    "quoted": Scene(("/quoted", ""), OF_ALICE, before=_with_answer),
    "back": Scene(("/quoted", "", "/back"), "an answer", before=_with_answer),
    "inspect": Scene(("/inspect", ""), "The service can confirm this message: yes, without having read it."),
    "find": Scene(("/find words of find", "1"), OF_ALICE),
    "members": Scene(("/members",), f"{BOB}, you: in order"),
    "invite": Scene((f"/invite {CAROL.e164}",), "Added 1 number.", alice=True),
    "remove": Scene(
        (f"/remove {CAROL.e164}", "yes"), "Removed.", alice=True, before=_with_carol, after=_gone_for_carol
    ),
    "admin": Scene((f"/admin {BOB.e164}", "/members"), f"{BOB}, admin", alice=True),
    "beginagain": Scene(("/beginagain", "yes"), "This chat takes the place of ", alice=True),
    "reset": Scene(("/reset", "yes"), "This chat takes the place of an earlier one", alice=True),
    "deletechat": Scene(("/deletechat", "yes"), "Deleted at the service.", alice=True),
    "successor": Scene(("/successor",), "This chat goes on in no other one."),
    "transfers": Scene(("/transfers",), "No file is on its way."),
    "deletedata": Scene(("/deletedata", "yes", "no"), "What remains there:", after=_publishes),
    "addagain": Scene((f"/addagain {CAROL.e164}", "yes"), "Added again.", alice=True, before=_with_carol),
    "member": Scene((f"/member {BOB.e164}", "/members"), f"{BOB}: in order", alice=True, before=_admin_bob),
    "leave": Scene(("/leave", "yes"), "You asked to be taken out."),
    "rename": Scene(("/rename Ropes",), "you, sent: (named this chat “Ropes”)", alice=True),
    "mute": Scene(("/mute 8h",), "Muted until"),
    "pin": Scene(("/pin",), "Pinned"),
    "archive": Scene(("/archive",), "Archived."),
    "timer": Scene(("/timer 1d",), "disappear 1 day after", alice=True),
    "wantproof": Scene(("/wantproof",), "without a proof is held back from now on"),
    "report": Scene(("/report 3", "1", "", "yes", "no"), "The report was verified"),
    "standing": Scene(("/standing",), "No verified report counts against this number."),
    "trust": Scene(("/trust",), "a carrier's code delegates any number"),
    "appeal": Scene(("/appeal They asked me to.",), "has no status"),
    "export": Scene(("/export", "1", ""), "Written to", after=_exported),
    "check": Scene(("/check",), "Check number: "),
    "close": Scene(("/close",), "the main menu again"),
}


# These need no group of their own: Bob's key packages are handed out 60 times an hour at most.
SHARING = {item.word for item in ACCOUNT_ITEMS} | {
    *("rules", "wantproof", "contacts", "know", "block", "unblock", "check", "members", "pin"),
    *("devices", "standing", "appeal", "transfers", "successor"),
}


@pytest.mark.parametrize("word", list(dict.fromkeys(item.word for item in (*MAIN, *IN_CHAT))))
async def test_every_item_does_what_it_says(stage: Stage, word: str) -> None:
    scene = SCENES[word]
    name = "account" if word in SHARING else word
    group = await stage.group(name)
    if scene.before is not None:
        await scene.before(stage, group)
    person = stage.alice if scene.alice else stage.bob
    opening = () if word == "archived" else (f"chats {name}",)
    said = await person.visit(*opening, *scene.lines)
    heard = [line.replace("you, delivered", "you, sent") for line in said]  # either, by the time it is read out
    asked = next(place for place, line in enumerate(heard) if line.endswith(scene.lines[0]))
    assert [line for line in heard[asked + 1 :] if scene.heard in line], "\n".join(heard)
    if scene.after is not None:
        await scene.after(stage, group)


@pytest.mark.parametrize(("items", "in_chat"), [(MAIN, False), (IN_CHAT, True)])
async def test_each_item_is_chosen_by_its_number_and_by_its_word(items, in_chat: bool) -> None:
    slash = "/" if in_chat else ""
    for number, item in enumerate(items, 1):
        assert meant(f"{slash}{number}", in_chat=in_chat) == Choice("", item)
        assert meant(f"{slash}{item.word}  an argument ", in_chat=in_chat) == Choice("an argument", item)
        assert meant(f"/{item.word.upper()}", in_chat=in_chat) == Choice("", item)


async def test_in_a_chat_only_a_slash_makes_a_choice() -> None:
    assert meant("7", in_chat=True) == Choice("7")
    assert meant("leave", in_chat=True) == Choice("leave")
    assert meant("//leave", in_chat=True) == Choice("/leave")
    assert meant("   ", in_chat=True) == Choice("")
    with pytest.raises(ClientError, match="there is no choice 'laeve'"):
        meant("/laeve", in_chat=True)


async def test_what_belongs_to_a_chat_needs_an_open_one() -> None:
    with pytest.raises(ClientError, match="no chat is open"):
        meant("members", in_chat=False)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.id)
async def test_every_command_of_the_full_screen_is_here_too_or_it_is_said_why(command: Command) -> None:
    here = {item.word for item in (*MAIN, *IN_CHAT)}
    assert (command.slash in here) != (command.slash in NOT_HERE)
    if command.slash in NOT_HERE:
        with pytest.raises(ClientError, match=f"{command.slash} is not in line mode: "):
            meant(f"/{command.slash}", in_chat=True)


async def test_only_commands_of_the_full_screen_are_said_to_be_missing() -> None:
    assert NOT_HERE.keys() <= {command.slash for command in COMMANDS}
