"""What the authority holds against this account's own number, and the appeal against it."""

from collections.abc import Iterator
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from client.defence.report_words import standing_lines
from client.tui.screens.ask import Prompt
from client.tui.screens.reader import Reader
from client.tui.screens.sheet import Sheet

APPEAL = "Tell the authority's operator, once, why this is wrong (500 characters at most):"


class StandingScreen(Sheet[None]):
    """Asks the authority when it opens."""

    HEADING = "Your number's standing"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("a", "appeal", "Appeal")]

    def __init__(self) -> None:
        super().__init__()
        self._can_appeal = False

    def body(self) -> Iterator[Widget]:
        with Reader():
            yield Static("", id="standing", markup=False)

    def on_mount(self) -> None:
        """Ask."""
        self.query_one(Reader).focus()
        self.ask()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """An appeal is offered where there is a status that was not appealed against."""
        return self._can_appeal if action == "appeal" else True

    @work(exclusive=True)
    async def ask(self) -> None:
        """Ask the authority, or tell that it cannot be asked now."""
        await self._show("")

    @work(exclusive=True)
    async def action_appeal(self) -> None:
        """Appeal, with the person's own words."""
        text = await self.app.push_screen_wait(Prompt("Appeal", APPEAL))
        if text:
            await self._show(text)

    async def _show(self, appeal: str) -> None:
        with self.doing("Appealing" if appeal else "Asking the authority"):
            standing = await self.api.device.standing(appeal)
            self.query_one("#standing", Static).update(Content("\n".join(standing_lines(standing))))
            self._can_appeal = standing.ends is not None and standing.appeal is None
            self.refresh_bindings()
