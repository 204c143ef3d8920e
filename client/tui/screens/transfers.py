"""Files on their way out: how far each is, and stopping one."""

from collections.abc import Iterator
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from client.desk.transfer_views import TransferView, transfer_words
from client.tui.screens.ask import Confirm
from client.tui.screens.rows import Rows
from client.tui.screens.sheet import Sheet

NONE = "No file is on its way. What you attach is shown here until all of it is at the service."
LEAD = "What is interrupted goes on from where it was, also after a restart; what takes longer than a day is given up."
TICK = 0.5  # seconds between two looks at how far they are


class TransfersScreen(Sheet[None]):
    """Oldest first."""

    HEADING = "Files on their way"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "stop", "Send it no more"),
        Binding("r", "go_on", "Go on now"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._transfers: dict[str, TransferView] = {}
        self._chats: dict[str, str] = {}

    def body(self) -> Iterator[Widget]:
        """What the rows mean, and the rows."""
        yield Static(Content(LEAD), id="lead", classes="lead")
        yield Rows("transfers")

    def on_mount(self) -> None:
        """Show what there is, and follow it."""
        self.query_one(Rows).focus()
        self.load()
        self.set_interval(TICK, self.load)

    @work(exclusive=True, group="load")
    async def load(self) -> None:
        """Ask how far they are."""
        with self.doing():
            await self._show(await self.api.messages.transfers())

    async def _show(self, transfers: list[TransferView]) -> None:
        for each in transfers:
            if each.group not in self._chats:
                self._chats[each.group] = (await self.api.chats.get(each.group)).chat
        self._transfers = {str(each.transfer): each for each in transfers}
        self.query_one("#lead", Static).update(Content(LEAD if transfers else NONE))
        self.query_one(Rows).show([(key, self._row(each)) for key, each in self._transfers.items()])
        self.refresh_bindings()

    def _row(self, transfer: TransferView) -> Content:
        sign, style = ("↻", "$text-accent") if transfer.active else ("-", "$text-warning")
        return Content.assemble(
            (f"{sign} ", style),
            (transfer.name, "bold"),
            f"  for {self._chats[transfer.group]}\n  ",
            (transfer_words(transfer), style),
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what is there can be stopped or sent on."""
        return None if action in ("stop", "go_on") and not self._transfers else True

    @work(exclusive=True, group="deed")
    async def action_stop(self) -> None:
        """Send the chosen file no more."""
        transfer = self._transfers.get(self.query_one(Rows).chosen or "")
        if transfer is None:
            return
        words = (
            f"Nobody gets {transfer.name}. Nothing of it stays at the service or in this program's folder; your own "
            "file stays as it is."
        )
        if await self.app.push_screen_wait(Confirm("Send this file no more?", words, "Send it no more")):
            with self.doing("Stopping", f"{transfer.name} is not sent."):
                await self._show(await self.api.messages.cancel_transfer(transfer.transfer))

    @work(exclusive=True, group="deed")
    async def action_go_on(self) -> None:
        """Try again now what waits."""
        with self.doing("Asking the service"):
            await self.api.device.sync()
            await self._show(await self.api.messages.transfers())
