"""The terminal client as a whole: opening, what arrives, locking, incognito, small windows, alerts, failing."""

import asyncio
import re
import stat
import threading
from dataclasses import replace
from typing import Any

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import Input
from textual.widgets._toast import Toast
from textual.worker import WorkerFailed

from client.config import Config
from client.desk.desk import Desk
from client.desk.views import ChatView
from client.errors import AccountBusyError, UnreachableError
from client.tui.app import RingtrueApp
from client.tui.command import Command
from client.tui.commands import BY_ID
from client.tui.main_screen import MainScreen
from client.tui.opening import AccountOpening
from client.tui.opening_screen import OpeningScreen
from client.tui.outward import NEUTRAL_TITLE
from client.tui.places import Places
from tests.client.conftest import ALICE, BOB, PASSPHRASE
from tests.client.tui.shell_scene import Scene, WorldOpening, text_of, until

WIDE = (116, 32)
SMALL = (80, 24)


async def opened(app: RingtrueApp, pilot: Pilot[int]) -> None:
    await until(pilot, lambda: app.is_open and app.main.status_line.status is not None, "the account is open")


async def group_with(
    scene: Scene, app: RingtrueApp, pilot: Pilot[int], name: str = "Climbing"
) -> tuple[Desk, ChatView]:
    """A group of Alice and Bob, who is a contact; nothing is written in it yet."""
    bob = scene.desks[BOB]
    await opened(app, pilot)
    await app.api.people.know(BOB.e164)
    group = await app.api.chats.create(name, [BOB.e164])
    await bob.device.sync()
    for request in await bob.people.requests():
        await bob.people.accept(request.group)
    await until(pilot, lambda: app.main.chat_list.chat(group.group), "the group is listed")
    return bob, group


async def says(bob: Desk, group: ChatView, text: str, app: RingtrueApp) -> None:
    await bob.messages.send(group.group, text)
    await bob.device.sync()
    await app.api.device.sync()


async def locked_away(app: RingtrueApp, pilot: Pilot[int]) -> None:
    await until(pilot, lambda: type(app.screen).__name__ == "LockScreen", "the lock is on")
    await pilot.pause()


async def unlock(app: RingtrueApp, pilot: Pilot[int], passphrase: str = PASSPHRASE) -> None:
    app.screen.query_one(Input).value = passphrase
    await pilot.press("enter")


@pytest.fixture
async def both(scene: Scene) -> Scene:
    """Alice can be reached, Bob has a desk."""
    await scene.enrolled(ALICE)
    await scene.person(BOB)
    return scene


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_what_is_typed_while_a_chats_messages_are_read_is_no_command(both: Scene, size: tuple[int, int]) -> None:
    app = both.app()
    async with app.run_test(size=size) as pilot:
        _, group = await group_with(both, app, pilot)
        busy = threading.Event()
        session = app.api._api.session  # type: ignore[attr-defined]
        reading = asyncio.create_task(session.worker.run(busy.wait))
        app.show_chat(group)
        await until(pilot, lambda: "Enter sends" in text_of(app), "the composer is there")
        await pilot.press(*"amIs")
        busy.set()
        await reading
        composer = app.main.conversation.composer
        await until(pilot, lambda: "No message" in text_of(app) or app.main.conversation.messages.rows, "the chat")
        assert (composer.text, app.screen, app.incognito) == ("amIs", app.main, False)
        assert not (await app.api.chats.get(group.group)).archived


async def test_a_message_that_arrives_is_in_the_list_and_opens_with_enter(both: Scene) -> None:
    app = both.app()
    async with app.run_test(size=WIDE) as pilot:
        bob, group = await group_with(both, app, pilot)
        await says(bob, group, "at six", app)
        await until(pilot, lambda: "at six" in text_of(app), "the message is in the list")
        assert "✓ Climbing" in text_of(app)
        app.main.chat_list.focus()
        await pilot.press("enter")
        await until(pilot, lambda: "NUMBER VERIFIED" in text_of(app), "the message is in the conversation")
        await until(pilot, lambda: app.focused is app.main.conversation.composer, "one can write at once")
        await until(pilot, lambda: not app.main.chat_list.chats[0].unread, "it counts as read")


async def test_the_passphrase_is_asked_for_until_it_is_right(both: Scene) -> None:
    app = both.app(given=None)
    async with app.run_test(size=WIDE) as pilot:
        await until(pilot, lambda: type(app.screen).__name__ == "UnlockScreen", "the question")
        await pilot.pause()
        await unlock(app, pilot, "wrong")
        await until(pilot, lambda: "does not open" in text_of(app), "the answer to a wrong one")
        assert not app.is_open
        await unlock(app, pilot)
        await opened(app, pilot)


async def test_leaving_the_question_for_the_passphrase_ends_the_program(both: Scene) -> None:
    app = both.app(given=None)
    async with app.run_test(size=WIDE) as pilot:
        await until(pilot, lambda: type(app.screen).__name__ == "UnlockScreen", "the question")
        await pilot.press("escape")
        await until(pilot, lambda: app._exit, "the end")


async def test_an_account_in_use_is_said_and_enter_tries_again(both: Scene) -> None:
    app = both.app()
    async with WorldOpening(both.world, ALICE).open(None), app.run_test(size=WIDE) as pilot:
        await until(pilot, lambda: "in use by process" in text_of(app), "who uses it")
        assert isinstance(app.screen, OpeningScreen)
        assert AccountBusyError.hint.split()[0] in text_of(app)
    again = both.app()
    async with again.run_test(size=WIDE) as pilot:
        await opened(again, pilot)


async def test_enter_opens_an_account_that_has_become_free(both: Scene) -> None:
    app = both.app()
    async with app.run_test(size=WIDE) as pilot:
        async with both.holding(ALICE):
            await until(pilot, lambda: "in use by process" in text_of(app), "who uses it")
        await pilot.press("enter")
        await opened(app, pilot)


async def test_nothing_can_be_asked_for_before_the_account_is_open(both: Scene) -> None:
    app = both.app(given=None)
    async with app.run_test(size=WIDE) as pilot:
        await until(pilot, lambda: type(app.screen).__name__ == "UnlockScreen", "the question")
        for key in ("ctrl+p", "ctrl+n", "f3", "ctrl+l"):
            await pilot.press(key)
        await pilot.pause()
        assert type(app.screen).__name__ == "UnlockScreen"


async def test_while_locked_nothing_is_seen_told_or_reached(both: Scene) -> None:
    app = both.app()
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        bob, group = await group_with(both, app, pilot)
        await says(bob, group, "a secret", app)
        await app.open_chat(group)
        await until(pilot, lambda: "a secret" in text_of(app), "the message")
        await until(pilot, lambda: app.terminal_title == "Climbing - Ringtrue", "the title names the chat")
        app.lock()
        await locked_away(app, pilot)
        assert app.terminal_title == NEUTRAL_TITLE
        await says(bob, group, "another secret", app)
        app.notify("a secret was saved")
        for key in ("ctrl+p", "f1", "f3", "ctrl+n", "escape", "tab"):
            await pilot.press(key)
        await pilot.pause()
        shown = text_of(app)
        for hidden in ("secret", "Climbing", "Ravi", "+1 202"):
            assert hidden not in shown
        assert type(app.screen).__name__ == "LockScreen"
        assert not isinstance(app.screen, CommandPalette)
        await unlock(app, pilot, "wrong")
        await until(pilot, lambda: "not the passphrase" in text_of(app), "the answer to a wrong one")
        await unlock(app, pilot)
        await until(pilot, lambda: "another secret" in text_of(app), "everything is back")
        await until(pilot, lambda: "a secret was saved" in text_of(app), "what was said meanwhile")
        await until(pilot, lambda: app.terminal_title == "Climbing - Ringtrue", "what came meanwhile is read")


async def test_a_sheet_that_opens_or_closes_behind_the_lock_does_not_lift_it(both: Scene) -> None:
    app = both.app()
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        await pilot.press("ctrl+n")
        await until(pilot, lambda: type(app.screen).__name__ == "NewChatScreen", "a sheet")
        sheet = app.screen
        app.lock()
        await locked_away(app, pilot)
        sheet.dismiss()
        await pilot.pause()
        assert type(app.screen).__name__ == "LockScreen"
        app.action_command("requests")  # a command that was on its way
        await pilot.pause()
        assert type(app.screen).__name__ == "LockScreen"
        await unlock(app, pilot)
        await until(pilot, lambda: isinstance(app.screen, MainScreen), "the sheet is gone")


async def test_it_locks_when_nobody_has_touched_it_for_as_long_as_the_settings_say(both: Scene) -> None:
    app = both.app(lock_after_minutes=5)
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        both.world.clock.now += 299
        app.lock_if_idle()
        assert not app.locked
        await pilot.press("down")
        both.world.clock.now += 299
        app.lock_if_idle()
        assert not app.locked
        both.world.clock.now += 1
        app.lock_if_idle()
        assert app.locked
        await locked_away(app, pilot)


async def test_in_incognito_no_name_is_outside_a_chat_and_nothing_is_kept(both: Scene) -> None:
    app = both.app(incognito=True)
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        bob, group = await group_with(both, app, pilot)
        await says(bob, group, "a secret", app)
        await until(pilot, lambda: "Chat 1" in text_of(app), "the list")
        await until(pilot, lambda: app.main.chat_list.chats[0].unread == 1, "it is unread")
        shown = text_of(app)
        assert "INCOGNITO" in shown
        for hidden in ("Climbing", "secret", ALICE.e164, str(ALICE)):
            assert hidden not in shown
        await app.open_chat(await app.api.chats.get(group.group))
        await until(pilot, lambda: "a secret" in text_of(app), "the message in its chat")
        assert app.terminal_title == NEUTRAL_TITLE
        app.main.conversation.composer.begin("half a thought")
        await pilot.pause(1)  # longer than drafts and read marks wait
        chat = await app.api.chats.get(group.group)
        assert (chat.unread, chat.draft) == (1, "")
        app.copy_to_clipboard("a secret")
        await until(pilot, lambda: "Nothing was copied" in text_of(app), "copying is refused")
        app.action_command("export")
        await until(pilot, lambda: "Export is refused in incognito" in text_of(app), "exporting is refused")
        assert isinstance(app.screen, MainScreen)
        app.incognito = False
        await until(pilot, lambda: "INCOGNITO" not in text_of(app), "it has ended")
        assert "Climbing" in text_of(app)


async def test_the_palette_offers_no_chats_in_incognito(both: Scene) -> None:
    app = both.app(incognito=True)
    async with app.run_test(size=WIDE) as pilot:
        await group_with(both, app, pilot)
        await pilot.press("ctrl+p", *"Climbing")
        await until(pilot, lambda: "No matches" in text_of(app), "nothing is found")


async def test_a_narrow_window_shows_the_list_or_the_conversation(both: Scene) -> None:
    app = both.app()
    async with app.run_test(size=(60, 16)) as pilot:
        bob, group = await group_with(both, app, pilot)
        await says(bob, group, "see you at six", app)
        await until(pilot, lambda: "see you at six" in text_of(app), "the list")
        assert not app.main.conversation.is_on_screen
        app.main.chat_list.focus()
        await pilot.press("enter")
        await until(pilot, lambda: "NUMBER VERIFIED" in text_of(app), "the conversation")
        assert not app.main.chat_list.is_on_screen
        await pilot.press("escape")
        await until(pilot, lambda: app.main.chat_list.is_on_screen, "the list again")
        assert app.focused is app.main.chat_list


async def test_with_no_color_the_terminals_own_ink_and_paper_are_used(
    both: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = both.app()
    async with app.run_test(size=SMALL) as pilot:
        await opened(app, pilot)
        app.run_command(BY_ID["settings"])
        await until(pilot, lambda: "Colours" in text_of(app), "the settings")
        await pilot.press("escape")
        styles = [segment.style for strip in app.screen._compositor.render_strips(app.screen.size) for segment in strip]
        colours = [colour for style in styles if style for colour in (style.color, style.bgcolor) if colour]
        assert colours
        assert all(colour.is_default for colour in colours)


async def test_keys_act_on_what_is_seen_after_the_window_became_narrow(both: Scene) -> None:
    app = both.app()
    async with app.run_test(size=WIDE) as pilot:
        _, group = await group_with(both, app, pilot)
        await app.open_chat(group)
        app.main.chat_list.focus()
        await pilot.resize_terminal(*SMALL)
        await until(pilot, lambda: app.focused is app.main.conversation.composer, "one writes in the chat that is seen")
        await pilot.press("a")
        assert app.main.conversation.composer.text == "a"
        assert not (await app.api.chats.get(group.group)).archived


async def test_who_writes_goes_on_writing_after_the_window_became_wide(both: Scene) -> None:
    app = both.app()
    async with app.run_test(size=SMALL) as pilot:
        _, group = await group_with(both, app, pilot)
        await app.open_chat(group)
        composer = app.main.conversation.composer
        await until(pilot, lambda: app.focused is composer, "one writes in the chat")
        await pilot.resize_terminal(*WIDE)
        await until(pilot, lambda: "Quarantine" in text_of(app), "the list is beside it")
        await pilot.pause()
        await pilot.press("a")
        assert (app.focused, composer.text) == (composer, "a")


async def test_what_one_letter_archived_comes_back_by_the_command_that_is_told(both: Scene) -> None:
    app = both.app()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        _, group = await group_with(both, app, pilot)
        await app.open_chat(group)
        await pilot.press("escape", *"dra")
        await until(pilot, lambda: "Archived. To undo it: /archive" in text_of(app), "how to undo it")
        assert (await app.api.chats.get(group.group)).archived
        await app.open_chat(await app.api.chats.get(group.group))
        app.main.conversation.composer.begin("/archive")
        await pilot.press("enter")
        await until(pilot, lambda: "Taken out of the archive." in text_of(app), "that it is undone")
        assert not (await app.api.chats.get(group.group)).archived


@pytest.mark.parametrize("size", [SMALL, WIDE])
async def test_notices_hide_neither_what_is_written_nor_how_things_stand(both: Scene, size: tuple[int, int]) -> None:
    app = both.app()
    async with app.run_test(size=size, notifications=True) as pilot:
        _, group = await group_with(both, app, pilot)
        await app.open_chat(group)
        app.notify("Nothing is unread. " * 12)
        await until(pilot, lambda: app.screen.query(Toast) and app.screen.query_one(Toast).region.height, "the notice")
        notice = app.screen.query_one(Toast).region
        for widget in (app.main.conversation.composer, app.main.status_line):
            assert not notice.overlaps(widget.region)


async def test_a_number_that_cannot_be_read_stays_to_be_corrected(both: Scene) -> None:
    app = both.app()
    async with app.run_test(size=SMALL) as pilot:
        await opened(app, pilot)
        app.run_command(BY_ID["new_group"], "Trip")
        await until(pilot, lambda: "Whose numbers?" in text_of(app), "the question")
        await pilot.press(*"+1202", "enter")
        await until(pilot, lambda: "✗ '+1202' is not a telephone number" in text_of(app), "what is wrong")
        await pilot.press("ctrl+u", *BOB.e164, "enter")
        await until(pilot, lambda: app.chat is not None and app.chat.chat == "Trip", "the group")


@pytest.mark.parametrize("size", [(59, 30), (100, 15)])
async def test_a_window_that_is_too_small_says_what_to_do(both: Scene, size: tuple[int, int]) -> None:
    app = both.app()
    async with app.run_test(size=size) as pilot:
        await opened(app, pilot)
        assert "Make the window larger" in text_of(app)
        assert "--plain" in text_of(app)
        await pilot.resize_terminal(*WIDE)
        await until(pilot, lambda: "Requests" in text_of(app), "everything is there in a larger one")


async def test_the_status_line_says_when_the_network_is_gone_and_what_waits(both: Scene) -> None:
    app = both.app()
    async with app.run_test(size=WIDE) as pilot:
        _, group = await group_with(both, app, pilot)
        both.world.network.down.add("delivery.test")
        await app.api.messages.send(group.group, "later")
        with pytest.raises(UnreachableError):
            await app.api.device.sync()
        await until(pilot, lambda: "offline since" in text_of(app), "offline")
        await until(pilot, lambda: "1 waiting to send" in text_of(app), "what waits")
        assert "↻ 1 waiting" in text_of(app).splitlines()[1]


async def test_requests_are_counted_and_nothing_of_them_is_shown(scene: Scene) -> None:
    await scene.enrolled(ALICE)
    bob = await scene.person(BOB)
    group = await bob.chats.create("Parcel desk", [ALICE.e164])
    await bob.messages.send(group.group, "Your parcel is held")
    await bob.device.sync()
    app = scene.app()
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        await app.api.device.sync()
        await until(pilot, lambda: re.search("! Requests +1 ", text_of(app)), "the count")
        assert "arcel" not in text_of(app)


class Heard:
    """What the terminal around the app was sent, apart from the screen."""

    def __init__(self, app: RingtrueApp, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[str] = []
        assert app._driver is not None
        monkeypatch.setattr(app._driver, "write", self.sent.append)

    def notices(self) -> list[str]:
        return [text for text in self.sent if text.startswith("\x1b]9;") or "\a\x1b]9;" in text]


@pytest.fixture
def notifying(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that shows notifications (OSC 9), on a machine without a desktop."""
    monkeypatch.setenv("TERM_PROGRAM", "WezTerm")
    for name in ("DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "TMUX", "STY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"notifications": "text"}, "+1 202-555-0143: see you"),
        ({"notifications": "number"}, "New message from +1 202-555-0143"),
        ({"notifications": "none"}, "New message"),
        ({"notifications": "text", "incognito": True}, "New message"),
    ],
)
async def test_a_notification_says_what_the_settings_allow(
    both: Scene, monkeypatch: pytest.MonkeyPatch, notifying: None, settings: dict[str, Any], said: str
) -> None:
    app = both.app(**settings)
    async with app.run_test(size=WIDE) as pilot:
        bob, group = await group_with(both, app, pilot)
        heard = Heard(app, monkeypatch)
        both.world.clock.now += 60
        await says(bob, group, "see you", app)
        await until(pilot, heard.notices, "a notification")
        assert heard.notices() == [f"\a\x1b]9;Ringtrue: {said}\a"]


async def test_no_notification_for_the_chat_in_view_and_one_for_many_at_once(
    both: Scene, monkeypatch: pytest.MonkeyPatch, notifying: None
) -> None:
    app = both.app(bell=False)
    async with app.run_test(size=WIDE) as pilot:
        bob, group = await group_with(both, app, pilot)
        heard = Heard(app, monkeypatch)
        await app.open_chat(group)
        both.world.clock.now += 60
        await says(bob, group, "in view", app)
        await until(pilot, lambda: "in view" in text_of(app), "the message is in view")
        app.app_focus = False
        both.world.clock.now += 60
        for number in range(5):
            await bob.messages.send(group.group, f"out of view {number}")
        await bob.device.sync()
        await app.api.device.sync()
        await until(pilot, heard.notices, "a notification")
        assert heard.notices() == ["\x1b]9;Ringtrue: 5 new messages from +1 202-555-0143\a"]


async def test_ctrl_c_says_how_to_quit_and_twice_quits(both: Scene) -> None:
    app = both.app()
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await opened(app, pilot)
        await pilot.press("ctrl+c")
        await until(pilot, lambda: "Ctrl+Q quits" in text_of(app), "the hint")
        assert not app._exit
        await pilot.press("ctrl+c")
        await until(pilot, lambda: app._exit, "the end")


async def test_words_of_others_in_a_notice_are_not_read_as_markup(both: Scene) -> None:
    app = both.app()
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await opened(app, pilot)
        app.notify("[/nope] [@click=app.quit]x[/]", markup=True)
        await until(pilot, lambda: "[/nope] [@click=app.quit]x[/]" in text_of(app), "the words as they are")


async def test_a_failure_leaves_a_log_without_any_message_and_one_line(
    both: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fails(app: RingtrueApp, argument: str) -> None:
        raise RuntimeError("a secret in an error")

    app = both.app()
    with pytest.raises(WorkerFailed):  # noqa: PT012 - the app's context is what raises
        async with app.run_test(size=WIDE) as pilot:
            await opened(app, pilot)
            app.run_command(Command("fails", "Fails", "Fails", "fails", fails))
            await until(pilot, lambda: app._exit or app.crash_log, "the end")
    assert app.crash_log is not None
    assert app.crash_log.parent == both.world.home(ALICE)
    assert stat.S_IMODE(app.crash_log.stat().st_mode) == 0o600
    written = app.crash_log.read_text()
    assert "RuntimeError" in written
    assert "test_app.py" in written
    shown = capsys.readouterr().err
    assert app.crash_log.name in shown.replace("\n", "")
    for hidden in (written, shown):
        assert "secret" not in hidden
    assert "Traceback" not in shown


async def test_the_first_run_ends_in_the_first_chat(scene: Scene) -> None:
    """The welcome screen's own steps are tested beside it; here its account is opened."""
    from client.tui.screens.welcome import WelcomeScreen

    world = scene.world

    def to_welcome() -> WelcomeScreen:
        return WelcomeScreen(
            world.home(ALICE),
            authority="https://authority.test",
            delivery="https://delivery.test",
            transport=world.network,
            clock=world.clock,
        )

    app = scene.app(given=None)
    app._opening = replace(app._opening, to_welcome=to_welcome)
    async with app.run_test(size=WIDE) as pilot:
        await until(pilot, lambda: isinstance(app.screen, WelcomeScreen), "the welcome")
        await world.enrol(ALICE)
        app.screen.dismiss(PASSPHRASE)
        await until(pilot, lambda: type(app.screen).__name__ == "FirstChatScreen", "the first chat")
        await until(pilot, lambda: app.is_open and isinstance(app.focused, Input), "its field, before the open account")


async def test_requests_and_held_back_messages_alert_as_counts_and_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, notifying: None
) -> None:
    await scene.enrolled(ALICE)
    bob = await scene.person(BOB)
    app = scene.app(notifications="text", bell=False)
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        heard = Heard(app, monkeypatch)
        group = await bob.chats.create("Parcel desk", [ALICE.e164])
        for number in range(3):
            scene.world.clock.now += 60
            await says(bob, group, f"Your parcel is held {number}", app)
            await until(pilot, heard.notices, "a notification")
        await until(pilot, lambda: app.main.query_one(Places).requests == 1, "one request")
        assert heard.notices() == ["\x1b]9;Ringtrue: 1 new request\a"]


async def test_the_account_of_a_daemon_is_used_and_its_end_is_said(both: Scene) -> None:
    async with both.daemon(ALICE) as end:
        opening = AccountOpening(both.world.home(ALICE), "", "")
        app = RingtrueApp(both.world.home(ALICE), Config(theme="dark"), opening=opening, clock=both.world.clock)
        async with app.run_test(size=WIDE) as pilot:
            bob, group = await group_with(both, app, pilot)
            await says(bob, group, "by way of the daemon", app)
            await app.open_chat(group)
            await until(pilot, lambda: "by way of the daemon" in text_of(app), "the message")
            end.set()
            await until(pilot, lambda: "The daemon has ended" in text_of(app), "what happened")
            assert isinstance(app.screen, OpeningScreen)
            assert "by way of" not in text_of(app)
