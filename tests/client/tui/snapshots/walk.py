"""A walk through everything that the client shows, in one app: places are entered, looked at by name, and left."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input

from client.desk.views import MessageView
from client.errors import UnreachableError
from client.tui.app import RingtrueApp
from client.tui.attach import AttachScreen
from client.tui.commands import BY_ID
from client.tui.main_screen import MainScreen
from client.tui.screens.alarms import AlarmsScreen
from client.tui.screens.ask import Confirm, Prompt
from client.tui.screens.check_number import CheckNumberScreen
from client.tui.screens.export import ExportScreen
from client.tui.screens.first_chat import FirstChatScreen
from client.tui.screens.help import HelpScreen
from client.tui.screens.inspector import InspectorScreen
from client.tui.screens.invite import InviteScreen
from client.tui.screens.keys_test import KeysTestScreen
from client.tui.screens.members import MembersScreen
from client.tui.screens.new_chat import NewChatScreen
from client.tui.screens.people import PeopleScreen
from client.tui.screens.picture import PictureScreen
from client.tui.screens.press_key import PressKeyScreen
from client.tui.screens.react import ReactScreen
from client.tui.screens.report import ReportScreen
from client.tui.screens.requests import RequestsScreen
from client.tui.screens.revealed import RevealedScreen
from client.tui.screens.rules import RulesScreen
from client.tui.screens.search import SearchScreen
from client.tui.screens.service_data import ServiceDataScreen
from client.tui.screens.settings import SettingsScreen
from client.tui.screens.status import StatusScreen
from client.tui.screens.transfers import TransfersScreen
from lab.showcase import Showcase
from lab.still_world import Line
from tests.client.tui.shell_scene import text_of, until
from tests.client.tui.snapshots.look import look_of

HOUR, DAY = 3_600, 86_400  # seconds
CALM = 2  # looks in a row that are equal
PATIENCE = 400  # times that is looked for something
PASSING = ("Looking at", "Computing", "↻ sending", "↻ reading", "- sending")


@dataclass
class Walk:
    """Who walks: the app, what lies behind it, and what is done with each look under its name."""

    pilot: Pilot[Any]
    show: Showcase
    line: Line
    keep: Callable[[str, str], None]

    @property
    def app(self) -> Any:
        return self.pilot.app

    @property
    def pane(self) -> Any:
        return self.app.main.conversation

    async def sees(self, *words: str) -> None:
        """Wait until all of them stand on the screen, and nothing that is only in passing."""
        for _ in range(PATIENCE):
            text = text_of(self.app)
            if all(each in text for each in words) and not any(each in text for each in PASSING):
                return
            await self.pilot.pause(0.03)
        raise AssertionError(f"never seen: {words}\n{text_of(self.app)}")

    async def calm(self) -> str:
        """What is shown once nothing moves any more, and nothing is due that a person would not see coming."""
        if isinstance(self.app, RingtrueApp) and self.app.is_open:
            pane = self.pane
            await until(self.pilot, lambda: not (pane._read_due or pane._draft_due), "what was seen is noted")
        await until(self.pilot, lambda: not self.app.screen.query("Button.-active"), "no button is pressed")
        looks: list[str] = []
        while len(looks) < CALM or len(set(looks[-CALM:])) > 1:
            await self.pilot.pause(0.04)
            looks.append(look_of(self.app))
        return looks[-1]

    async def look(self, name: str, *words: str) -> None:
        """Wait for the words, and keep what is shown then."""
        await self.sees(*words)
        self.keep(name, await self.calm())

    async def leave(self) -> None:
        """Back to the main screen, with nothing in the corner."""
        while not isinstance(self.app.screen, MainScreen):
            await self.app.pop_screen()
        self.app.clear_notifications()

    async def sheet(self, name: str, screen: Any, *words: str) -> None:
        """Open a sheet, look and leave."""
        await self.app.push_screen(screen)
        await self.look(name, *words)
        await self.leave()

    async def open(self, chat: str, row: int | None = None) -> None:
        group = self.show.groups[chat]
        await self.app.open_chat(await self.app.api.chats.get(group), row)

    async def rows(self, chat: str) -> list[MessageView]:
        return list(await self.app.api.messages.page(self.show.groups[chat], None, 200))

    async def row(self, chat: str, words: str) -> int:
        return next(each.row for each in await self.rows(chat) if words in each.text)

    async def command(self, name: str) -> None:
        await BY_ID[name].act(self.app, "")


async def chats(walk: Walk) -> None:
    """The list and conversations."""
    await walk.look("list", "Mum", "online")
    await walk.open("Climbing")
    await walk.look("conversation-unread", "new")
    await walk.pane.messages.end()
    await walk.look("conversation-end", "send me the code")
    for name, words in (
        ("conversation-top", "made +1 202-555-0123"),
        ("conversation-proofs", "Running late"),
        ("conversation-files", "This is the wall"),
    ):
        await walk.open("Climbing", await walk.row("Climbing", words))
        await walk.look(name, words)
    await walk.open("Street party")
    await walk.look("conversation-removed", "NOT SENT")
    await walk.open("Street party", await walk.row("Street party", "ended the admin"))
    await walk.look("conversation-notices", "ended the admin")
    await walk.open("Mei")
    await walk.look("conversation-long", "that is plenty")
    await walk.open("Mei", await walk.row("Mei", "שבת"))
    await walk.look("conversation-scripts", "Fｕｌｌ"[1:])
    await walk.open("Clinic")
    await walk.look("conversation-draft", "Thursday is fine")
    await walk.open("Book club")
    await walk.look("conversation-left", "You left this chat")
    walk.app.main.action_back()
    await walk.app.main.show_archived(True)
    await walk.look("list-archived", "Back to the inbox")
    await walk.app.main.show_archived(False)


async def writing(walk: Walk) -> None:
    """Composer, pop-ups and palette."""
    await walk.open("Climbing", await walk.row("Climbing", "Meet at the station"))
    walk.pane.reply()
    await walk.look("writing-reply", "Replying to Ravi")
    walk.pane.action_cancel()
    await walk.open("Climbing", await walk.row("Climbing", "I would rather go"))
    walk.pane.edit()
    await walk.look("writing-edit", "Changing your message")
    walk.pane.action_cancel()
    walk.pane.focus_composer()
    for name, text, words in (
        ("writing-slash", "/m", "/mute"),
        ("writing-mention", "Ask @", "+1 202-555-0142"),
        ("writing-lines", "One line,\nanother one,\nand a third.", "and a third."),
    ):
        walk.pane.composer.begin("")
        walk.pane.composer.insert(text)
        await walk.look(name, words)
    walk.pane.composer.begin("")
    walk.pane.composer.insert("/nonsense")
    await walk.pilot.press("enter")
    await walk.look("writing-unknown-command", "nothing was sent")
    walk.pane.say("")
    walk.pane.composer.begin("")
    await walk.pilot.press("ctrl+p")
    await walk.look("palette", "New chat")
    await walk.leave()


async def proofs(walk: Walk) -> None:
    """The inspector, the quarantine and requests."""
    await walk.app.push_screen(InspectorScreen(await walk.row("Climbing", "The rope is in")))
    await walk.look("inspector-verified", "Checks")
    walk.app.screen.action_octets()
    await walk.look("inspector-octets", "PASSporT (RFC 8225)")
    await walk.leave()
    bare = await walk.row("Climbing", "Running late")
    await walk.sheet("inspector-no-proof", InspectorScreen(bare), "NO PROOF")
    held = await walk.app.api.messages.quarantine()
    copied = next(each for each in held if "copied" in each.why)
    await walk.sheet("inspector-failed", InspectorScreen(copied.row), "PROOF FAILED", "Not shown")
    await walk.sheet("requests", RequestsScreen(), "Requests 2", "+1 202-555-0176")
    await walk.sheet("quarantine", RequestsScreen("held"), "Quarantine 4", "202-555")
    shown = await walk.app.api.messages.reveal(copied.row)
    await walk.sheet("revealed", RevealedScreen(shown), "under the mat")


async def defence(walk: Walk) -> None:
    """Rules, a report and alarms."""
    await walk.sheet("rules", RulesScreen(), "Rules", "blocked number")
    reported = await walk.row("Climbing", "The rope is in")
    await walk.sheet("report", ReportScreen([reported], [reported]), "Report", "+1 202-555")
    await walk.sheet("alarms", AlarmsScreen(), "Alarms")


async def people(walk: Walk) -> None:
    """Members, check number, contacts, invitations."""
    group = walk.show.groups["Climbing"]
    await walk.sheet("members", MembersScreen(group), "leaf 0")
    await walk.app.push_screen(CheckNumberScreen(group))
    await walk.look("check-number", "01234  56789")
    walk.app.screen.query_one("#match").press()
    await walk.look("check-number-match", "They match.")
    walk.app.screen.query_one("#differ").press()
    await walk.look("check-number-differ", "They differ.")
    await walk.leave()
    await walk.sheet("people", PeopleScreen(), "Okafor", "blocked")
    await walk.sheet("new-chat", NewChatScreen("+1 202-555-0123, +1 202-555-0131"), "Create")
    await walk.sheet("first-chat", FirstChatScreen())
    await walk.sheet("my-number", InviteScreen(), "Short code")


async def sheets(walk: Walk) -> None:
    """What else opens over the chats."""
    group = walk.show.groups["Climbing"]
    await walk.app.push_screen(SearchScreen(None))
    await walk.look("search", "Find in all chats")
    walk.app.screen.query_one(Input).value = "rope"
    await walk.look("search-found", "found.")
    await walk.leave()
    offered = next(each for each in await walk.rows("Climbing") if each.attachment and each.attachment.is_image)
    await walk.sheet("picture", PictureScreen(offered), "▀")
    await walk.sheet("attach", AttachScreen(walk.show.downloads), "tides.txt")
    await walk.sheet("react", ReactScreen())
    await walk.sheet("export", ExportScreen(group), "downloads")
    words = "It is taken out of everybody's view. Whoever has read it may remember it."
    await walk.sheet("confirm", Confirm("Take this message back?", words, "Take it back"), "Take it back")
    await walk.sheet("prompt", Prompt("Name this number", "A name of your own for +1 202-555-0142:", "Jo"), "Jo")


async def settings(walk: Walk) -> None:
    """Settings, keys, help and status."""
    await walk.app.push_screen(SettingsScreen())
    await walk.look("settings", "Colours")
    walk.app.screen.query_one("TabbedContent").active = "keys"
    await walk.look("settings-keys", "Enter, then press")
    await walk.leave()
    await walk.sheet("keys-test", KeysTestScreen())
    await walk.sheet("press-key", PressKeyScreen("Reply"), "Reply")
    await walk.sheet("help", HelpScreen(), "Help")
    await walk.sheet("status", StatusScreen(), "Roots")
    await walk.sheet("transfers", TransfersScreen(), "No file is on its way")
    await walk.sheet("service-data", ServiceDataScreen(), "keeps messages for")


async def notices(walk: Walk) -> None:
    """What is said in the corner, incognito, and the lock."""
    await walk.open("Climbing")
    await walk.pane.messages.end()
    walk.app.notify("Saved as downloads/tides.txt")
    walk.app.notify("The service does not answer. It is tried again.", severity="warning")
    walk.app.notify("This chat has ended. Choose another one.", severity="error")
    await walk.look("notices", "Saved as", "tried again", "has ended")
    walk.app.clear_notifications()
    walk.app.incognito = True
    await walk.look("incognito", "INCOGNITO")
    walk.app.main.action_back()
    await walk.look("incognito-list", "INCOGNITO")
    walk.app.incognito = False
    walk.app.lock()
    await walk.look("locked", "locked")
    walk.app.screen.query_one(Input).value = "a guess"
    await walk.pilot.press("enter")
    await walk.look("locked-wrong", "✗")
    walk.app.screen.query_one(Input).value = "correct horse battery staple"
    await walk.pilot.press("enter")
    await until(walk.pilot, lambda: walk.app.is_open, "the lock is off")


async def trouble(walk: Walk) -> None:
    """No network, a certificate that has ended, and a window that is too small."""
    walk.line.pulled = True
    await walk.open("Climbing")
    with suppress(UnreachableError):
        await walk.app.api.device.sync()
    await walk.sees("offline since")
    walk.pane.composer.insert("On my way")
    await walk.pilot.press("enter")
    await walk.look("offline", "waiting to send (offline)", "1 waiting")
    await walk.sheet("offline-status", StatusScreen(), "✓ files")
    walk.app.main.action_back()
    await walk.look("offline-list", "offline since")
    later = 6 * DAY - 2 * HOUR  # Alice's certificate has ended by then, and no message has disappeared
    walk.show.world.clock.advance(later)
    walk.app.main._tick()
    await walk.look("certificate-ended", "✗ your cert")
    walk.show.world.clock.advance(-later)
    await walk.pilot.resize_terminal(50, 12)
    await walk.look("too-small", "Make the window larger")


SCENES: tuple[Callable[[Walk], Awaitable[None]], ...] = (
    chats,
    writing,
    proofs,
    defence,
    people,
    sheets,
    settings,
    notices,
    trouble,
)
