"""The inspector: what was checked about one message, what each check compared, and what that means."""

from collections.abc import Iterator
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Static

from client.desk.views import InspectionView
from client.tui.screens.ask import Prompt
from client.tui.screens.export import write
from client.tui.screens.inspection import CheckRow, as_text, checks_heading, facts, octets, top
from client.tui.screens.reader import Reader, heading
from client.tui.screens.sheet import Sheet


class InspectorScreen(Sheet[None]):
    """Everything that was compared for the message in this row; a failed one opens on the check that failed."""

    HEADING = "Proof of a message"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "copy", "Copy"),
        Binding("e", "export", "Export the proof"),
        Binding("r", "octets", "Raw"),
    ]
    DEFAULT_CSS = """
    InspectorScreen ContentSwitcher {
        height: 1fr;
    }
    InspectorScreen.-narrow CheckRow {
        layout: vertical;
    }
    InspectorScreen.-narrow CheckRow > Static {
        width: 100%;
    }
    InspectorScreen.-narrow CheckRow > .compared {
        padding-left: 19;
    }
    InspectorScreen #caution {
        height: auto;
        border-top: solid $primary 50%;
    }
    InspectorScreen.-low #caution {
        border-top: none;
    }
    InspectorScreen.-low .lead {
        margin-bottom: 0;
    }
    """

    def __init__(self, row: int) -> None:
        super().__init__()
        self._row = row
        self._inspection: InspectionView | None = None

    def body(self) -> Iterator[Widget]:
        yield Static("", id="top", classes="lead", markup=False)
        with ContentSwitcher(initial="details"):
            yield Reader(id="details")
            with Reader(id="octets"):
                yield Static("", id="dump", markup=False)
        yield Static("", id="caution", markup=False)

    def on_mount(self) -> None:
        """Ask for the inspection."""
        self.query_one("#details").focus()
        self._load()

    @work(exclusive=True)
    async def _load(self) -> None:
        with self.doing("Looking at the proof"):
            inspection = await self.api.messages.inspect(self._row)
            await self._draw(inspection)
            self._inspection = inspection
            self.refresh_bindings()

    async def _draw(self, inspection: InspectionView) -> None:
        self.query_one("#top", Static).update(top(inspection))
        self.query_one("#caution", Static).update(Content(inspection.caution))
        self.query_one("#dump", Static).update(Content(octets(inspection)))
        rows = [CheckRow(check) for check in inspection.checks]
        details = self.query_one("#details", Reader)
        await details.mount_all([heading(checks_heading(inspection)), *rows, *facts(inspection)])
        failed = [row for row, check in zip(rows, inspection.checks, strict=True) if check.outcome == "failed"]
        for row in failed[:1]:
            self.call_after_refresh(details.scroll_to_widget, row, animate=False, top=True)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without an inspection there is nothing to copy, to export or to show."""
        if action in ("copy", "export", "octets") and self._inspection is None:
            return None
        return True

    def action_copy(self) -> None:
        """Copy the inspection as text."""
        if self._inspection is not None:
            self.copy(as_text(self._inspection))

    @work(exclusive=True)
    async def action_export(self) -> None:
        """Write the message and its proof to a new file."""
        if self._inspection is None:
            return
        suggested = self.folder / f"ringtrue-proof-{self._inspection.message.id[:12]}.json"
        path = await self.app.push_screen_wait(Prompt("Export the proof", "Write to this new file:", str(suggested)))
        if path:
            with self.doing("Writing the file"):
                written = await write(path, await self.api.messages.proof(self._row))
                self.say(f"Written to {written}. It contains the message. To check it: ringtrue verify {written.name}")

    def action_octets(self) -> None:
        """Show the octets, or the checks again."""
        switcher = self.query_one(ContentSwitcher)
        switcher.current = "details" if switcher.current == "octets" else "octets"
        self.query_one(f"#{switcher.current}").focus()
