"""A screen of steps, one at a time: how far one is, the way on, and the way back."""

from collections.abc import Mapping
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Static

from client.tui.screens.key_line import KeyLine
from client.tui.screens.step import Step

T = TypeVar("T")


class StepsScreen(Screen[T]):
    """`MARKS` are the steps in their order, by their ids, with what the line above calls them, which ends with `LAST`.

    `BEFORE`: where Esc leads from which step.
    """

    HEADING: ClassVar[str] = ""
    MARKS: ClassVar[Mapping[str, str]] = {}
    LAST: ClassVar[str] = ""
    BEFORE: ClassVar[Mapping[str, str]] = {}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "next_field", "Next field", id="next_pane"),
        Binding("escape", "back", "Back", id="cancel"),
    ]
    DEFAULT_CSS = """
    StepsScreen {
        align: center top;
    }
    StepsScreen .frame {
        max-width: 84;
        height: 1fr;
        border: round $primary;
        border-title-style: bold;
    }
    StepsScreen #progress {
        height: 1;
        margin: 0 2 1 2;
    }
    StepsScreen ContentSwitcher {
        height: 1fr;
    }
    """

    def steps(self) -> list[Step]:
        """The steps in their order."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """The steps, one at a time, and how far one is."""
        with Vertical(classes="frame") as frame:
            frame.border_title = Content(self.HEADING)
            yield Static("", id="progress", markup=False)
            with ContentSwitcher(initial=next(iter(self.MARKS))):
                yield from self.steps()
        yield KeyLine()

    @property
    def place(self) -> str:
        """The step that is shown."""
        return self.query_one(ContentSwitcher).current or ""

    @property
    def shown(self) -> Step:
        """The same, as a widget."""
        return self.query_one(f"#{self.place}", Step)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is no way back from where none is known, and no next field where there is only one."""
        if action == "back" and self.is_mounted:
            return self.place in self.BEFORE
        if action == "next_field" and self.is_mounted:
            return len(self.shown.query("Input, Button")) > 1
        return True

    def action_next_field(self) -> None:
        """Go on to what is filled in, or pressed, next."""
        self.focus_next()

    def action_back(self) -> None:
        """Show the step before; what was typed stays."""
        self.show(self.BEFORE[self.place])

    def show(self, place: str) -> None:
        """Show a step."""
        self.query_one(ContentSwitcher).current = place
        self.query_one("#progress", Static).update(self._progress(place))
        self.shown.enter()
        self.refresh_bindings()

    def _progress(self, place: str) -> Content:
        now = list(self.MARKS).index(place)
        marks = [_mark(words, at - now) for at, words in enumerate((*self.MARKS.values(), self.LAST)) if words]
        return Content("   ").join([Content.assemble(mark) for mark in marks])


def _mark(words: str, distance: int) -> tuple[str, str] | str:
    if distance == 0:
        return f"▸ {words}", "bold"
    return (f"✓ {words}", "$text-success") if distance < 0 else f"  {words}"
