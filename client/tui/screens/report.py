"""The report dialog: which messages, what it is, and exactly what will be sent, before anything is."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Checkbox, Input, RadioSet, Static

from client.defence.report_words import KINDS, report_lines
from client.desk.report_views import ReportView
from client.tui.screens.sheet import Sheet
from client.tui.screens.toggles import Choice, Switch
from client.words.spelling import counted, shown_number

UNVEIL = "w shows the words of these messages: a stranger wrote them."
NOTHING = "Choose at least one message."
NO_PROOF = "No message here proves anything against its number: there is nothing to report. You can still block it."


class ReportScreen(Sheet[ReportView | None]):
    """Answers with the report that was sent, or None. `rows` can be disclosed, of which `chosen` are at first.

    `veiled`: what strangers wrote is not shown before the person asks for it; `block`: whether blocking is proposed.
    """

    HEADING = "Report"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "send", "Send the report"),
        Binding("w", "unveil", "Show the words"),
        Binding("x", "octets", "What travels"),
    ]
    DEFAULT_CSS = """
    ReportScreen RadioSet {
        width: 100%;
        border: none;
        padding: 0;
    }
    ReportScreen RadioSet:focus {
        border: none;
    }
    ReportScreen RadioSet > Choice > .toggle--button {
        color: $text;
        background: $surface;
    }
    ReportScreen Input {
        margin: 1 0;
    }
    ReportScreen #preview {
        height: auto;
        margin: 1 0;
    }
    ReportScreen .buttons {
        height: auto;
        align-horizontal: right;
    }
    ReportScreen Button {
        margin-left: 2;
    }
    """

    def __init__(
        self, rows: Sequence[int], chosen: Sequence[int], *, veiled: bool = False, block: bool = False
    ) -> None:
        super().__init__()
        self._rows = list(rows)
        self._chosen = list(chosen)
        self._veiled = veiled
        self._block = block
        self._octets = False
        self._shown: ReportView | None = None

    def body(self) -> Iterator[Widget]:
        with RadioSet():
            for kind, words in KINDS.items():
                yield Choice(words, value=kind == "spam", id=kind)
        yield Input(placeholder="A note to the authority's operator, if you like", select_on_focus=False)
        if len(self._rows) > 1:
            for place, row in enumerate(self._rows, 1):
                yield Switch(f"disclose message {place} of {len(self._rows)}", row in self._chosen, id=f"row-{row}")
        yield Switch("block the number as well", self._block, id="block")
        yield Static("", id="preview", markup=False)
        with Horizontal(classes="buttons"):
            yield Button(Content("Cancel"), id="no")
            yield Button(Content("Send the report"), id="yes", variant="warning")

    def on_mount(self) -> None:
        """Begin on the harmless answer, and show what would be sent."""
        self.query_one(Input).cursor_blink = False
        self.query_one("#yes").disabled = True
        self.query_one(RadioSet).focus()
        if self._rows:
            self.look()
        else:
            self.say(NO_PROOF)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what is hidden can be shown, and only what is ready can be sent."""
        if action == "unveil":
            return self._veiled
        if action in ("send", "octets"):
            return True if self._shown is not None else None
        return True

    @on(RadioSet.Changed)
    @on(Input.Changed)
    @on(Checkbox.Changed)
    def _changed(self) -> None:
        if self._rows:
            self.look()

    @on(Input.Submitted)
    def _noted(self) -> None:
        self.query_one("#yes").focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "yes":
            self.action_send()
        else:
            self.action_leave()

    @property
    def _kind(self) -> str:
        return list(KINDS)[max(0, self.query_one(RadioSet).pressed_index)]

    @property
    def _disclosed(self) -> list[int]:
        if len(self._rows) == 1:
            return self._rows
        return [row for row in self._rows if self.query_one(f"#row-{row}", Switch).value]

    @work(exclusive=True, group="look")
    async def look(self) -> None:
        """Show exactly what would be sent as things stand."""
        self._shown = None
        with self.doing():
            rows = self._disclosed
            self.say("" if rows else NOTHING)
            if rows:
                self._shown = await self.api.messages.report_preview(rows, self._kind, self.query_one(Input).value)
                self.entitle(f"Report {shown_number(self._shown.accused)}")
        self._draw()

    def action_unveil(self) -> None:
        """Show the words of the messages."""
        self._veiled = False
        self._draw()

    def action_octets(self) -> None:
        """Show what travels, octet by octet, or the words again."""
        self._octets = not self._octets
        self._draw()

    @work(exclusive=True)
    async def action_send(self) -> None:
        """Send what is shown, and block the number if that is wanted."""
        shown = self._shown
        if shown is None or not shown.proves:
            return
        with self.doing(f"Reporting {counted(len(shown.items), 'message')}"):
            sent = await self.api.messages.report(shown.rows, shown.kind, shown.note, shown=shown.sha256)
            if self.query_one("#block", Switch).value:
                await self.api.people.block(shown.accused)
            self.dismiss(sent)

    def _draw(self) -> None:
        shown = self._shown
        self.query_one("#yes").disabled = shown is None or not shown.proves
        self.refresh_bindings()
        if shown is None:
            self.query_one("#preview", Static).update("")
            return
        lines = [shown.json] if self._octets else list(report_lines(shown, veiled=self._veiled))
        if self._veiled and not self._octets:
            lines.append(UNVEIL)
        self.query_one("#preview", Static).update(Content("\n".join(lines)))
