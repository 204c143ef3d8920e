"""The new device's second step of being linked: eight digits to compare, and the number that it is to have."""

import asyncio

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Digits, Static

from client.terminal.device_words import compare_there
from client.tui.screens.step import Step

WAITING = "Waiting for the answer on the other device"


class CompareStep(Step, can_focus=True):
    """Shows the digits; once it was agreed on the other device, asks whether this is the number that was meant."""

    DEFAULT_CSS = """
    CompareStep Digits {
        width: 100%;
        margin: 1 0;
        text-align: center;
        color: $foreground;
        text-style: bold;
    }
    """

    def __init__(self) -> None:
        super().__init__(id="compare-step")
        self._answer: asyncio.Future[bool] | None = None

    def compose(self) -> ComposeResult:
        """The digits, and what to do with them."""
        yield Static("The other device shows eight digits. These must be the same:", markup=False)
        yield Digits(id="digits")
        yield Static("", id="what-to-do", markup=False)
        yield Static("", id="question", classes="gap", markup=False)
        yield Static("", classes="going-on", markup=False)

    def enter(self) -> None:
        """Nothing is pressed here by accident."""
        self.focus()

    def compare(self, digits: str) -> None:
        """Show these, and wait for the other device."""
        self._answer = None
        self.query_one(Digits).update(digits)
        self.query_one("#what-to-do", Static).update(Content(compare_there(digits)))
        self.query_one("#question", Static).update("")
        self.begin_doing(WAITING)

    @property
    def is_asking(self) -> bool:
        """Whether the person is to say yes or no."""
        return self._answer is not None and not self._answer.done()

    async def agrees(self, question: str) -> bool:
        """The person's answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self.rest()
        words = Content.assemble("It was agreed there. ", (question, "bold"), " Press y or n.")
        self.query_one("#question", Static).update(words)
        self.call_after_refresh(self.query_one("#question").scroll_visible, animate=False)
        self.screen.refresh_bindings()
        return await self._answer

    def answer(self, agreed: bool) -> None:
        """The person has answered."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(agreed)
