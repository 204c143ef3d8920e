"""Signs that the number or this device's key is used elsewhere, each with what to do about it."""

from collections.abc import Iterator
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList, Static

from client.desk.people_views import AlarmView
from client.desk.told import StatusChanged
from client.tui.heard import Heard
from client.tui.screens.ask import Confirm
from client.tui.screens.phrases import minute
from client.tui.screens.rows import Rows
from client.tui.screens.sheet import Sheet

NONE = (
    "Nothing was seen: no certificate, session or key package that this device did not ask for, and nobody whom the "
    "service wants removed for a reason that does not hold."
)


class AlarmsScreen(Sheet[None]):
    """What was seen, the newest first; it stays until it is put away on purpose."""

    HEADING = "Alarms"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "put_away", "Put away"),
        Binding("m", "mine", "It is my device"),
        Binding("r", "look", "Look again"),
    ]
    DEFAULT_CSS = """
    AlarmsScreen #advice {
        height: auto;
        margin-top: 1;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._alarms: dict[str, AlarmView] = {}

    def body(self) -> Iterator[Widget]:
        yield Static(Content(NONE), id="none", classes="lead")
        yield Rows("alarms")
        yield Static("", id="advice", markup=False)

    def on_mount(self) -> None:
        """Show what there is; the notice that led here would hide it."""
        self.app.clear_notifications()
        self.query_one(Rows).focus()
        self.load("Looking")

    @on(Heard)
    def _heard(self, heard: Heard) -> None:
        if isinstance(heard.told, StatusChanged) and heard.told.status.alarms != len(self._alarms):
            self.load()

    @work(exclusive=True, group="load")
    async def load(self, words: str = "") -> None:
        """Ask for the alarms."""
        with self.doing(words):
            self._show(await self.api.device.alarms())

    @work(exclusive=True, group="load")
    async def action_look(self) -> None:
        """Ask both services now."""
        with self.doing("Asking the authority and the delivery service", "Both were asked."):
            self._show(await self.api.device.watch())

    def _show(self, alarms: list[AlarmView]) -> None:
        self._alarms = {str(alarm.id): alarm for alarm in alarms}
        self.query_one("#none").display = not alarms
        self.query_one(Rows).show([(str(alarm.id), _row(alarm)) for alarm in alarms])
        self._advise()

    @property
    def _chosen(self) -> AlarmView | None:
        return self._alarms.get(self.query_one(Rows).chosen or "")

    @on(OptionList.OptionHighlighted)
    def _advise(self) -> None:
        alarm = self._chosen
        self.query_one("#advice", Static).update(Content("" if alarm is None else f"What to do: {alarm.advice}"))
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only a certificate can be that of another device of one's own."""
        if action not in ("put_away", "mine") or not self.is_mounted:
            return True
        alarm = self._chosen
        return None if alarm is None or (action == "mine" and alarm.kind != "certificate") else True

    @work(exclusive=True)
    async def action_put_away(self) -> None:
        """Put the alarm away."""
        words = "It is shown no more here or in the status line. It changes nothing about what was seen."
        await self._acknowledge("Put this alarm away?", words, "Put away", mine=False)

    @work(exclusive=True)
    async def action_mine(self) -> None:
        """Say that the certificate is for another device of one's own."""
        words = "You have enrolled this number on another device yourself, and have that device at hand."
        await self._acknowledge("Is it another device of yours?", words, "It is mine", mine=True)

    async def _acknowledge(self, title: str, words: str, yes: str, *, mine: bool) -> None:
        alarm = self._chosen
        if alarm is not None and await self.app.push_screen_wait(Confirm(title, words, yes)):
            with self.doing("Putting away"):
                self._show(await self.api.device.acknowledge(alarm.id, mine))


def _row(alarm: AlarmView) -> Content:
    return Content.assemble(("✗ ", "bold $text-error"), (f"{minute(alarm.at)}  ", "bold"), alarm.words)
