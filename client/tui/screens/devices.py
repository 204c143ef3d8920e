"""The devices of one's own number: which there are, in which state, in which chats; linking another, removing one."""

from collections.abc import Iterator
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList, Static

from client.desk.device_views import OwnDeviceView
from client.terminal.device_words import LOST, REMOVE, STATE_WORDS, called, device_lines, removed_words
from client.tui.screens.ask import Confirm
from client.tui.screens.link import LinkScreen
from client.tui.screens.rows import Rows
from client.tui.screens.sheet import Sheet
from client.words.spelling import counted

LEAD = "Every device of your number is in your chats, and what it sends is yours."
STATE_STYLES = {"valid": "$text-success", "expired": "$text-warning", "revoked": "bold $text-error", "": "$text-muted"}


class DevicesScreen(Sheet[None]):
    """This device first, then the others."""

    HEADING = "Your devices"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "add", "Link another device"),
        Binding("d", "remove(False)", "Remove this one"),
        Binding("l", "remove(True)", "It is lost"),
        Binding("r", "ask", "Ask the authority"),
    ]
    DEFAULT_CSS = """
    DevicesScreen #about {
        height: auto;
        margin-top: 1;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._devices: dict[str, OwnDeviceView] = {}

    def body(self) -> Iterator[Widget]:
        yield Static(Content(LEAD), classes="lead")
        yield Rows("devices")
        yield Static("", id="about", markup=False)

    def on_mount(self) -> None:
        """Show what is known here."""
        self.query_one(Rows).focus()
        self.load("Looking")

    @work(exclusive=True, group="load")
    async def load(self, words: str = "") -> None:
        """Ask this device which others it knows."""
        with self.doing(words):
            self._show(await self.api.devices.all())

    @work(exclusive=True, group="load")
    async def action_ask(self) -> None:
        """Ask the authority what it has certified."""
        with self.doing("Asking the authority", "The authority was asked."):
            self._show(await self.api.devices.all(True))

    def _show(self, devices: list[OwnDeviceView]) -> None:
        self._devices = {device.key: device for device in devices}
        self.query_one(Rows).show([(device.key, _row(device)) for device in devices])
        self._tell()

    @property
    def _chosen(self) -> OwnDeviceView | None:
        return self._devices.get(self.query_one(Rows).chosen or "")

    @on(OptionList.OptionHighlighted)
    def _tell(self) -> None:
        device = self._chosen
        lines = [] if device is None else [*device_lines(device), *_chats(device)]
        self.query_one("#about", Static).update(Content("\n".join(lines)))
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """This device is removed on another one."""
        if action != "remove" or not self.is_mounted:
            return True
        device = self._chosen
        return None if device is None or device.this else True

    @work(exclusive=True)
    async def action_add(self) -> None:
        """Link another device."""
        await self.app.push_screen_wait(LinkScreen())
        self.load()

    @work(exclusive=True)
    async def action_remove(self, lost: bool) -> None:
        """Take the device out of every chat; if it is `lost`, let its key count for nothing."""
        device = self._chosen
        if device is None:
            return
        question = Confirm(f"Remove {called(device)}?", LOST if lost else REMOVE, "Remove")
        if await self.app.push_screen_wait(question):
            with self.doing("Removing the device"):
                left = await self.api.devices.remove(device.key, lost)
                self._show(left)
                self.say(removed_words(device.key, left))


def _row(device: OwnDeviceView) -> Content:
    where = "this device" if device.this else counted(len(device.chats), "chat")
    left_out = (f"  ⚠ not in {counted(len(device.left_out), 'chat')} yet", "$text-warning") if device.left_out else ""
    strange = ("  ⚠ not linked by you", "bold $text-error") if not (device.met or device.removed) else ""
    return Content.assemble(
        (f"{called(device)}  ", "bold"),
        (STATE_WORDS[device.state], STATE_STYLES[device.state]),
        f"  {where}",
        left_out,
        strange,
    )


def _chats(device: OwnDeviceView) -> list[str]:
    return [] if device.this or not device.chats else [f"In: {', '.join(device.chats)}"]
