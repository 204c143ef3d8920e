"""Every command of the palette and every key of the main screen, each looked up in a table of what must follow.

The tables below have an entry for each command: a command without one fails here.
"""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from textual.command import CommandList, CommandPalette
from textual.pilot import Pilot

from client.desk.desk import Desk
from client.desk.views import ChatView
from client.tui.app import RingtrueApp
from client.tui.chat_list import ChatList
from client.tui.commands import BY_ID, COMMANDS, Typed, UnknownCommandError, beginning_with, typed
from client.tui.composer import Composer
from client.tui.keymap import ACTIONS
from client.tui.main_screen import KEYS, MainScreen
from client.tui.places import Places
from client.words.duration import LIMIT, DurationError, seconds_of
from tests.client.conftest import ALICE, BOB, CAROL, PASSPHRASE
from tests.client.tui.shell_scene import Scene, text_of, until

LAST = ("decline", "accept", "block", "unblock", "remove", "leave", "lock", "quit")  # each leaves less to act on


@dataclass
class Room:
    """Alice before the client, in a group with Bob; `bob` is his desk."""

    pilot: Pilot[int]
    app: RingtrueApp
    bob: Desk
    group: ChatView
    spare: ChatView | None = None

    async def prepare(self, command: str = "") -> None:
        """Nothing above the main screen, the group open, and a row selected that the command can act on."""
        while not isinstance(self.app.screen, MainScreen):
            self.app.screen.dismiss()
            await self.pilot.pause()
        self.app.clear_notifications()
        if command in ("reset", "delete_chat"):  # what is left of it would be of no use to the others
            self.spare = await self.app.api.chats.create(command, [BOB.e164])
            await self.app.open_chat(self.spare)
            return
        await self.app.open_chat(await self.app.api.chats.get(self.group.group))
        rows = await self.app.api.messages.page(self.group.group)
        wanted = {"edit": "mine", "delete": "mine", "open_attachment": "picture", "save": "picture"}.get(command, "his")
        row = next(each.row for each in rows if (wanted == "picture" and each.attachment) or each.text == wanted)
        await self.app.main.conversation.messages.jump(row)

    async def choose(self, title: str) -> None:
        """Find a command in the palette and press Enter on it."""
        await self.pilot.press("ctrl+p")
        await until(self.pilot, lambda: isinstance(self.app.screen, CommandPalette), "the palette is open")
        self.app.screen.query_one("CommandInput").value = title  # as pasted: each letter would be a search of its own
        found = self.app.screen.query_one(CommandList)

        def first() -> str:
            return found.get_option_at_index(0).hit.text if found.option_count and found.highlighted == 0 else ""

        await until(self.pilot, lambda: first() == title, f"{title} is found")
        await self.pilot.press("enter")

    async def chat(self) -> ChatView:
        return await self.app.api.chats.get(self.group.group)

    async def sees(self, words: str) -> None:
        await until(self.pilot, lambda: words in text_of(self.app), words)

    async def becomes(self, holds: Callable[[], Awaitable[bool]], what: str) -> None:
        for _ in range(400):
            if await holds():
                return
            await self.pilot.pause(0.01)
        raise AssertionError(f"never came about: {what}\n{text_of(self.app)}")


Follows = Callable[[Room], Awaitable[None]]


def opens(name: str) -> Follows:
    async def follows(room: Room) -> None:
        await until(room.pilot, lambda: type(room.app.screen).__name__ == name, f"{name} is open")

    return follows


def asks(answer: str, holds: Callable[[Room], Awaitable[bool]]) -> Follows:
    """A question comes, and after this answer something is different."""

    async def follows(room: Room) -> None:
        await opens("Prompt")(room)
        await room.pilot.pause()
        room.app.screen.query_one("Input").value = answer
        await room.pilot.press("enter")
        await room.becomes(lambda: holds(room), f"what {answer} leads to")

    return follows


def confirms(holds: Callable[[Room], Awaitable[bool]]) -> Follows:
    async def follows(room: Room) -> None:
        await opens("Confirm")(room)
        await room.pilot.pause()
        await room.pilot.click("#yes")
        await room.becomes(lambda: holds(room), "what was agreed to")

    return follows


def shows(words: str) -> Follows:
    async def follows(room: Room) -> None:
        await room.sees(words)

    return follows


def changes(holds: Callable[[Room], Awaitable[bool]]) -> Follows:
    async def follows(room: Room) -> None:
        await room.becomes(lambda: holds(room), "the change")

    return follows


def in_turn(*steps: Follows) -> Follows:
    async def follows(room: Room) -> None:
        for step in steps:
            await step(room)

    return follows


async def _renamed(room: Room) -> bool:
    return (await room.chat()).chat == "Saturday"


async def _muted(room: Room) -> bool:
    return (await room.chat()).muted_until is not None


async def _pinned(room: Room) -> bool:
    return (await room.chat()).pinned


async def _archived(room: Room) -> bool:
    return (await room.chat()).archived


async def _timed(room: Room) -> bool:
    return (await room.chat()).timer == 86400


async def _wants_proof(room: Room) -> bool:
    return (await room.chat()).wants_proof


async def _grouped(room: Room) -> bool:
    return any(chat.chat == "Sunday" for chat in await room.app.api.chats.all())


async def _named(room: Room) -> bool:
    return any(contact.name == "Ravi" for contact in await room.app.api.people.contacts())


async def _asked(room: Room) -> bool:
    return [each.state for each in await room.app.api.people.asked()] == ["granted"]


async def _left(room: Room) -> bool:
    return (await room.chat()).standing in ("leaving", "left")


async def _begun_again(room: Room) -> bool:
    """The new chat is in view, and what follows is done in the old one."""
    app = room.app
    new = app.chat
    if new is None or new.group == room.group.group:
        return False
    rows = await app.api.messages.page(new.group)
    await app.open_chat(await room.chat())
    return any("takes the place of" in row.text for row in rows)


async def _begun_anew(room: Room) -> bool:
    assert room.spare is not None
    app, old = room.app, await room.app.api.chats.get(room.spare.group)
    return old.standing == "ended" and app.chat is not None and app.chat.group == old.successor != ""


async def _deleted(room: Room) -> bool:
    assert room.spare is not None
    old = await room.app.api.chats.get(room.spare.group)
    return (old.standing, old.ended, old.successor) == ("ended", "deleted", "")


async def _retaken(room: Room) -> bool:
    return any(row.withdrawn for row in await room.app.api.messages.page(room.group.group))


async def _blocked(room: Room) -> bool:
    return any(contact.blocked for contact in await room.app.api.people.contacts())


async def _unblocked(room: Room) -> bool:
    return not await _blocked(room)


async def _carol_in(room: Room) -> bool:
    return any(member.number == CAROL.e164 for member in await room.app.api.chats.members(room.group.group))


async def _carol_out(room: Room) -> bool:
    return not await _carol_in(room)


async def _saved(room: Room) -> bool:
    return any(Path(room.app.config.download_folder).iterdir())


async def _bob_admin(room: Room) -> bool:
    return any(m.number == BOB.e164 and m.admin for m in await room.app.api.chats.members(room.group.group))


async def _bob_no_admin(room: Room) -> bool:
    return not await _bob_admin(room)


async def _incognito(room: Room) -> bool:
    found = room.app.incognito and "INCOGNITO" in text_of(room.app)
    if found:
        room.app.incognito = False
    return found


async def _locked(room: Room) -> bool:
    return room.app.locked and "Climbing" not in text_of(room.app)


async def _unlocks(room: Room) -> None:
    await opens("LockScreen")(room)
    await room.pilot.pause()
    room.app.screen.query_one("Input").value = PASSPHRASE
    await room.pilot.press("enter")
    await until(room.pilot, lambda: not room.app.locked and room.app.is_open, "the lock is off")


async def _another_admin(room: Room) -> None:
    await room.app.api.chats.admin(room.group.group, BOB.e164, True)


async def _quit(room: Room) -> bool:
    return room.app._exit


FOLLOWS: dict[str, Follows] = {
    "new_chat": opens("NewChatScreen"),
    "new_group": in_turn(asks("Sunday", lambda _: _true()), asks(BOB.e164, _grouped)),
    "find": opens("SearchScreen"),
    "find_everywhere": opens("SearchScreen"),
    "next_unread": shows("Nothing is unread"),
    "members": opens("MembersScreen"),
    "invite": asks(CAROL.e164, _carol_in),
    "remove": in_turn(asks(CAROL.e164, lambda _: _true()), confirms(_carol_out)),
    "make_admin": asks(BOB.e164, _bob_admin),
    "make_member": asks(BOB.e164, _bob_no_admin),
    "leave": in_turn(_another_admin, confirms(_left)),
    "rename": asks("Saturday", _renamed),
    "mute": asks("8h", _muted),
    "pin": changes(_pinned),
    "archive": changes(_archived),
    "timer": asks("1d", _timed),
    "want_proof": changes(_wants_proof),
    "export": opens("ExportScreen"),
    "check_number": opens("CheckNumberScreen"),
    "begin_again": confirms(_begun_again),
    "reset": confirms(_begun_anew),
    "delete_chat": confirms(_deleted),
    "successor": shows("This chat goes on in no other one"),
    "archived": shows("Back to the inbox"),
    "reply": shows("Replying to"),
    "react": opens("ReactScreen"),
    "edit": shows("Changing your message"),
    "delete": confirms(_retaken),
    "retry": shows("This message did not fail"),
    "copy": shows("to the terminal to copy"),
    "attach": opens("AttachScreen"),
    "open_attachment": opens("PictureScreen"),
    "save": changes(_saved),
    "jump_to_quoted": shows("answers none"),
    "jump_back": shows("no jump to go back from"),
    "inspect": opens("InspectorScreen"),
    "report": opens("ReportScreen"),
    "requests": opens("RequestsScreen"),
    "quarantine": opens("RequestsScreen"),
    "rules": opens("RulesScreen"),
    "accept": opens("RequestsScreen"),
    "decline": opens("RequestsScreen"),
    "block": in_turn(asks(BOB.e164, lambda _: _true()), confirms(_blocked)),
    "unblock": asks(BOB.e164, _unblocked),
    "contacts": opens("PeopleScreen"),
    "ask": asks(CAROL.e164, _asked),
    "asked": opens("PeopleScreen"),
    "reachable": opens("SettingsScreen"),
    "name": asks("Ravi", _named),
    "my_number": opens("InviteScreen"),
    "status": opens("StatusScreen"),
    "alarms": opens("AlarmsScreen"),
    "devices": opens("DevicesScreen"),
    "transfers": opens("TransfersScreen"),
    "service_data": opens("ServiceDataScreen"),
    "doctor": opens("StatusScreen"),
    "standing": opens("StandingScreen"),
    "trust": opens("TrustScreen"),
    "appeal": in_turn(asks("They asked me.", lambda _: _true()), shows("has no status")),
    "sync": shows("online"),
    "settings": opens("SettingsScreen"),
    "theme": asks("light", lambda room: _is(room.app.theme == "light")),
    "keys_test": opens("KeysTestScreen"),
    "lock": in_turn(changes(_locked), _unlocks),
    "incognito": changes(_incognito),
    "plain": shows("ringtrue --plain"),
    "redraw": shows("Requests"),
    "help": opens("HelpScreen"),
    "quit": changes(_quit),
}


async def _true() -> bool:
    return True


async def _is(fact: bool) -> bool:
    return fact


async def _room(scene: Scene, app: RingtrueApp, pilot: Pilot[int]) -> Room:
    """The group with its messages: Bob's, Alice's, and a picture."""
    bob = scene.desks[BOB]
    await until(pilot, lambda: app.is_open, "the account is open")
    await app.api.people.know(BOB.e164)
    group = await app.api.chats.create("Climbing", [BOB.e164])
    await bob.device.sync()
    for request in await bob.people.requests():
        await bob.people.accept(request.group)
    picture = scene.folder.parent / "rope.png"
    Image.new("RGB", (8, 8), "orange").save(picture)
    await bob.messages.send(group.group, "his")
    await bob.messages.send_file(group.group, str(picture))
    await bob.device.sync()
    await app.api.messages.send(group.group, "mine")
    await app.api.device.sync()
    return Room(pilot, app, bob, group)


async def test_every_command_of_the_palette_does_what_its_title_says(scene: Scene, subtests: pytest.Subtests) -> None:
    for number in (ALICE, CAROL):
        await scene.enrolled(number)
    await scene.person(BOB)
    app = scene.app()
    async with app.run_test(size=(116, 40), notifications=True) as pilot:
        room = await _room(scene, app, pilot)
        for command in sorted(COMMANDS, key=lambda command: LAST.index(command.id) if command.id in LAST else -1):
            with subtests.test(command=command.id):
                await room.prepare(command.id)
                await room.choose(command.title)
                await FOLLOWS[command.id](room)


async def test_every_key_of_the_main_screen_does_what_its_command_does(scene: Scene, subtests: pytest.Subtests) -> None:
    await scene.enrolled(ALICE)
    await scene.person(BOB)
    app = scene.app()
    own = {key for binding in ChatList.BINDINGS for key in binding.key.split(",")}  # the list's keys come before
    async with app.run_test(size=(116, 40), notifications=True) as pilot:
        room = await _room(scene, app, pilot)
        bound = [binding for binding in MainScreen.BINDINGS if binding.id in BY_ID]
        assert {binding.id for binding in bound} >= {"help", "requests", "check_number", "lock", "new_chat", "find"}
        keys = [(binding.id, key) for binding in bound for key in binding.key.split(",") if key not in own]
        for command, key in sorted(keys, key=lambda pair: LAST.index(pair[0]) if pair[0] in LAST else -1):
            with subtests.test(command=command, key=key):
                await room.prepare(command)
                for toggled in ("pin", "archive"):
                    await getattr(app.api.chats, toggled)(room.group.group, False)
                app.main.chat_list.focus()
                await pilot.press(key)
                await FOLLOWS[command](room)


async def test_panes_and_lists_are_reached_and_moved_in_by_their_keys(scene: Scene) -> None:
    await scene.enrolled(ALICE)
    await scene.person(BOB)
    app = scene.app()
    async with app.run_test(size=(116, 40)) as pilot:
        room = await _room(scene, app, pilot)
        direct = await app.api.chats.direct(BOB.e164)
        await until(pilot, lambda: len(app.main.chat_list.chats) == 2, "two chats are listed")
        chats = app.main.chat_list
        first, last = chats.chats[0].group, chats.chats[-1].group
        chats.focus()
        moves = {"end": last, "home": first, "down": last, "up": first, "j": last, "k": first, "G": last, "g": first}
        for key, where in {**moves, "pagedown": last, "pageup": first}.items():
            await pilot.press(key)
            assert chats.cursor == where, key
        for key in ("enter", "space"):
            chats.cursor = direct.group
            chats.focus()
            await pilot.press(key)
            await until(pilot, lambda: app.chat is not None and app.chat.group == direct.group, f"{key} opens")
            await app.open_chat(await room.chat())
        await pilot.press("escape", "escape")
        await until(pilot, lambda: app.focused is chats, "Esc leads back to the list")
        await pilot.press("tab")
        places = app.main.query_one(Places)
        assert app.focused is places
        for key, where in {"down": 1, "up": 0, "j": 1, "k": 0}.items():
            await pilot.press(key)
            assert places.highlighted == where, key
        await pilot.press("shift+tab")
        assert app.focused is chats
        await pilot.press("tab", "enter")
        await opens("RequestsScreen")(room)
        await pilot.press("escape", "ctrl+q")
        await room.becomes(lambda: _quit(room), "the end")


@pytest.mark.parametrize("key", [key for action in ACTIONS for key in action.default.split(",") if key[:1] == "f"])
async def test_no_function_key_is_the_composers_own(key: str) -> None:
    assert key not in {each for binding in Composer.BINDINGS for each in binding.key.split(",")}


async def test_ctrl_q_quits_over_a_sheet_too(scene: Scene) -> None:
    await scene.enrolled(ALICE)
    await scene.person(BOB)
    app = scene.app()
    async with app.run_test(size=(116, 40)) as pilot:
        room = await _room(scene, app, pilot)
        await pilot.press("f3")
        await until(pilot, lambda: not isinstance(app.screen, MainScreen), "the sheet is open")
        await pilot.press("ctrl+q")
        await room.becomes(lambda: _quit(room), "the end")


async def test_the_capital_q_quits_where_nothing_is_typed_and_is_text_in_the_composer(scene: Scene) -> None:
    await scene.enrolled(ALICE)
    await scene.person(BOB)
    app = scene.app()
    async with app.run_test(size=(116, 40)) as pilot:
        room = await _room(scene, app, pilot)
        await app.open_chat(room.group)
        await pilot.press("Q")
        assert app.main.conversation.composer.text == "Q"
        app.main.chat_list.focus()
        await pilot.press("Q")
        await room.becomes(lambda: _quit(room), "the end")


async def test_a_chat_is_found_in_the_palette_by_its_name(scene: Scene) -> None:
    await scene.enrolled(ALICE)
    await scene.person(BOB)
    app = scene.app()
    async with app.run_test(size=(116, 40)) as pilot:
        room = await _room(scene, app, pilot)
        await room.choose("Climbing")
        await until(pilot, lambda: app.chat is not None and app.chat.group == room.group.group, "the chat is open")


async def test_slash_commands_are_carried_out_and_unknown_ones_are_not_sent(scene: Scene) -> None:
    await scene.enrolled(ALICE)
    await scene.person(BOB)
    app = scene.app()
    async with app.run_test(size=(116, 40), notifications=True) as pilot:
        room = await _room(scene, app, pilot)
        await app.open_chat(room.group)
        app.main.conversation.composer.begin("/mute 8h")
        await pilot.press("enter")
        await room.becomes(lambda: _muted(room), "muted by a slash command")
        before = len(await app.api.messages.page(room.group.group))
        app.main.conversation.composer.begin("/nonsense")
        await pilot.press("enter")
        await room.sees("there is no command '/nonsense'")
        assert len(await app.api.messages.page(room.group.group)) == before
        app.main.conversation.composer.begin("//shrug")
        await pilot.press("enter")
        await room.becomes(lambda: _last_is(room, "/shrug"), "a text with a slash was sent")


async def _last_is(room: Room, text: str) -> bool:
    return (await room.app.api.messages.page(room.group.group))[-1].text == text


def test_each_command_has_its_own_name_title_and_words() -> None:
    for values in ([c.id for c in COMMANDS], [c.slash for c in COMMANDS], [c.title for c in COMMANDS]):
        assert len(set(values)) == len(values)
    assert all(command.help and command.slash.islower() for command in COMMANDS)
    assert {action.id for action in ACTIONS if action.id in BY_ID} == set(KEYS) & set(BY_ID)


@given(st.text() | st.text().map("/{}".format))
def test_a_line_is_a_text_a_command_or_refused_and_never_both(line: str) -> None:
    is_command = line.startswith("/") and not line.startswith("//")
    known = line[1:].partition(" ")[0].strip().lower() in {command.slash for command in COMMANDS}
    if is_command and not known:
        with pytest.raises(UnknownCommandError) as refused:
            typed(line)
        assert str(refused.value).isprintable()
    elif is_command:
        assert typed(line).command is not None
    else:
        assert typed(line) == Typed(line[1:] if line.startswith("//") else line)


@given(st.sampled_from(COMMANDS), st.text(max_size=20))
def test_a_command_gets_what_stands_behind_its_name(command, argument: str) -> None:
    meant = typed(f"/{command.slash} {argument}")
    assert meant.command is command
    assert meant.text == argument.strip()
    assert command in beginning_with(f"/{command.slash[:2]}")


@given(st.text() | st.from_regex(r"[0-9]{1,9} ?[a-z]{1,4}", fullmatch=True))
def test_any_text_is_a_length_of_time_or_refused(text: str) -> None:
    seconds: int | None = None
    with contextlib.suppress(DurationError):
        seconds = seconds_of(text)
    assert seconds is None or 0 <= seconds <= LIMIT


@pytest.mark.parametrize("text", ["", "8", "h", "-1h", "8 y", "1e3h", "99999999w", "٣h", "8h\x1b[2J"])
def test_what_is_no_length_of_time_is_refused_in_printable_words(text: str) -> None:
    with pytest.raises(DurationError) as refused:
        seconds_of(text)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("8h", 28800), ("30 min", 1800), ("2d", 172800), ("1 week", 604800), ("off", 0), ("always", None)],
)
def test_lengths_of_time_as_people_type_them(text: str, seconds: int | None) -> None:
    assert seconds_of(text) == seconds
