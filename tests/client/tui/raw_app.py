"""An app that shows hostile text as it is, for tests that read what reaches a terminal; run with -m.

Arguments: "filtered" or "unfiltered", and "unrepaired" to leave the input driver as it is. It draws READY when
everything is on the screen, and what is typed after ECHO.
"""

import sys
from collections.abc import Sequence

from rich.text import Text
from textual.app import App, ComposeResult
from textual.content import Content
from textual.filter import LineFilter
from textual.widgets import Input, OptionList, Static

from client.tui.line_filter import LAST_LINE, survive_odd_mouse_reports
from tests.client.terminal_attacks import CONTROLS, SEQUENCES, UNSEEN

SHOWN = {**SEQUENCES, **CONTROLS, **UNSEEN}


class RawApp(App[None]):
    CSS = "Input {border: none; height: 1} .title {border: solid white; height: 3} #type {dock: bottom}"

    def compose(self) -> ComposeResult:
        yield Static("", id="state", markup=False)
        for attack in SHOWN.values():
            yield Static(attack, markup=False)
            yield Static(Text("bank.example", style="link https://evil.example/" + attack[:3]))
            yield Input(attack)
            titled = Static("x", classes="title", markup=False)
            titled.border_title = Content(attack)
            yield titled
        options = OptionList(*map(Content, SHOWN.values()), markup=False)
        options.styles.height = len(SHOWN) * 3
        yield options
        yield Input(id="type")

    def on_mount(self) -> None:
        for attack in SHOWN.values():
            self.notify(attack, title="raw", markup=False, timeout=60)
        self.query_one("#type", Input).focus()
        self.call_after_refresh(self.set_timer, 0.5, self.say_ready)

    def say_ready(self) -> None:
        self.query_one("#state", Static).update("READY")

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "type":
            self.query_one("#state", Static).update(f"ECHO-{event.value}")


class FilteredApp(RawApp):
    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), LAST_LINE]


if __name__ == "__main__":
    if "unrepaired" not in sys.argv:
        survive_odd_mouse_reports()
    (FilteredApp if sys.argv[1] == "filtered" else RawApp)().run()
