"""The first run's second step: the one-time code."""

from collections.abc import Callable

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Button, Input, Label, Static

from client.enrolling import Enrolment
from client.errors import CodeEndedError, RateLimitedError, WrongCodeError
from client.failures import Expected
from client.tui.screens.phrases import span, trouble
from client.tui.screens.step import Step
from client.words.spelling import counted
from identity.authority.wire import CODE_DIGITS, ChallengeOpened

RESEND_AFTER = 30  # seconds before another code can be asked for


class CodeStep(Step):
    """Takes the code, and asks for another one when time has passed."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(id="code-step")
        self._clock = clock
        self._enrolment: Enrolment | None = None
        self._another_at = 0.0
        self.opened: ChallengeOpened | None = None

    def compose(self) -> ComposeResult:
        """Where the code went, the field for it, and how long it can be used."""
        yield Static("", id="sent-to", markup=False)
        yield Static(
            "Nobody else needs it, and nobody will ask for it in a message. An authority for trying things out "
            "shows its codes in its own terminal.",
            classes="quiet",
            markup=False,
        )
        yield Label("The code", classes="gap", markup=False)
        yield Input(placeholder="0" * CODE_DIGITS, restrict=r"[0-9 ]*", id="code")
        yield Static("", id="times", classes="quiet", markup=False)
        with Horizontal():
            yield Button("Continue", id="go", variant="primary", compact=True)
            yield Button("Send another code", id="another", compact=True)
        yield Static("", classes="going-on", markup=False)

    def on_mount(self) -> None:
        """Count down."""
        super().on_mount()
        self.set_interval(1, self.count_down)

    def begin(self, enrolment: Enrolment, opened: ChallengeOpened) -> None:
        """Take the code of this challenge."""
        if opened != self.opened:
            self.query_one("#code", Input).value = ""
            self._another_at = self._clock() + RESEND_AFTER
        self._enrolment, self.opened = enrolment, opened
        self.query_one("#sent-to", Static).update(
            Content(f"A code of {opened.digits} digits was sent to {enrolment.number}.")
        )
        self.say("")
        self.count_down()

    @property
    def code(self) -> str:
        """The digits that were typed."""
        return self.query_one("#code", Input).value.replace(" ", "")

    def count_down(self) -> None:
        """Show how long the code can be used, and when another can be had."""
        if self.opened is None:
            return
        now = int(self._clock())
        left, wait = self.opened.expires_at - now, int(self._another_at) - now
        life = f"It can be used for {span(left)}." if left > 0 else "It can no longer be used: send another one."
        more = f" Another can be sent in {span(wait)}." if wait > 0 else ""
        self.query_one("#times", Static).update(Content(life + more))
        self.query_one("#another", Button).disabled = wait > 0

    @on(Input.Submitted, "#code")
    @on(Button.Pressed, "#go")
    def go(self) -> None:
        """Go on with a code of the right length."""
        assert self.opened is not None
        if self.busy:
            return
        if len(self.code) != self.opened.digits:
            self.refuse(f"The code has {self.opened.digits} digits; these are {len(self.code)}.")
            return
        self.post_message(self.Done())

    def failed(self, error: Expected) -> None:
        """Say what to do about a code that was not accepted."""
        match error:
            case WrongCodeError(attempts_left=left):
                tries = "" if left is None else f" {counted(left, 'try', 'tries')} left."
                self.refuse(f"That is not the code.{tries} {error.hint}")
            case CodeEndedError():
                self._another_at = 0
                self.refuse("This code can no longer be used: too old, tried too often, or used. Send another one.")
            case RateLimitedError(retry_after=seconds):
                self._another_at = self._clock() + seconds
                self.refuse(f"The authority asks to wait {span(seconds)}. What you typed stays here.")
            case _:
                self.refuse(f"{trouble(error)} What you typed stays here; Continue tries again.")
        self.count_down()
        self.query_one("#code", Input).focus()

    @on(Button.Pressed, "#another")
    @work(exclusive=True, group="code")
    async def send_again(self) -> None:
        """Have another code sent; the earlier one ends."""
        enrolment = self._enrolment
        if enrolment is None or self.busy:
            return
        with self.doing(f"Asking for another code for {enrolment.number}"):
            self.begin(enrolment, await enrolment.challenge(again=True))
            self.query_one("#code", Input).focus()
