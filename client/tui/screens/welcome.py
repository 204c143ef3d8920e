"""The first run: from nothing to an account, in steps that can be left and gone on with."""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Literal

import httpx
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Button, ContentSwitcher, Static

from client.account import Account
from client.credentials.enrolling_keys import EnrollingKeys
from client.enrolling import Enrolment, pending_enrolment
from client.home import Home
from client.keys import Argon2id
from client.tui.screens.key_line import KeyLine
from client.tui.screens.phrases import day_and_time
from client.tui.screens.step import Step
from client.tui.screens.step_code import CodeStep
from client.tui.screens.step_keep import KeepStep
from client.tui.screens.step_number import NumberStep, fingerprint
from identity.certificates import TrustAnchors

Place = Literal["about-step", "number-step", "code-step", "certificate-step", "keep-step"]
STEPS: dict[Place, str] = {
    "about-step": "",
    "number-step": "1 Number",
    "code-step": "2 Code",
    "certificate-step": "3 Certificate",
    "keep-step": "4 Keep",
}
LAST = "5 First chat"
# Where Esc leads: a certificate's code is used up, so there is no way back into it.
BEFORE: dict[Place, Place] = {
    "number-step": "about-step",
    "code-step": "number-step",
    "certificate-step": "number-step",
    "keep-step": "certificate-step",
}

ABOUT = (
    "Ringtrue carries end-to-end encrypted messages, and every message proves the telephone number that it came from.",
    "NUMBER VERIFIED means: whoever wrote this message controlled this number when it was signed.",
    "It does not say who a person is, or that they mean well.",
)
HOW = (
    "To begin you need a telephone number that can receive a code. Ctrl+Q leaves at any step; the "
    "next start goes on there. Is your number on another device already? That one shows a code (Devices), and here you "
    "run: ringtrue link CODE"
)


class AboutStep(Step):
    """What this is, in three sentences."""

    def __init__(self) -> None:
        super().__init__(id="about-step")

    def compose(self) -> ComposeResult:
        """The sentences, and a button."""
        for sentence in ABOUT:
            yield Static(sentence, classes="gap", markup=False)
        yield Static(HOW, classes="gap quiet", markup=False)
        yield Button("Begin", id="go", variant="primary", compact=True)
        yield Static("", classes="going-on", markup=False)

    @on(Button.Pressed)
    def go(self) -> None:
        """Go on."""
        self.post_message(self.Done())


class CertificateStep(Step):
    """What the authority certified."""

    def __init__(self) -> None:
        super().__init__(id="certificate-step")

    def compose(self) -> ComposeResult:
        """The outcome, and a button."""
        yield Static("", id="outcome", markup=False)
        yield Static(
            "Nothing of this is on the disk yet: the next step puts it there. If you leave before that, you will "
            "need another code.",
            classes="gap quiet",
            markup=False,
        )
        yield Button("Continue", id="go", variant="primary", compact=True)
        yield Static("", classes="going-on", markup=False)

    def begin(self, account: Account, authority: str) -> None:
        """Show this account; `authority` is its name, already made safe."""
        until = day_and_time(datetime.fromtimestamp(account.validity()[1]).astimezone())
        roots = TrustAnchors.from_pem(account.anchors)
        lines = (
            "✓ A key was made on this computer; it never leaves it.",
            f"✓ {authority or 'The authority'} certified it for {account.number}.",
            f"✓ The certificate is valid until {until}, and renews itself while you use Ringtrue.",
            *fingerprint(roots),
        )
        self.query_one("#outcome", Static).update(Content("\n".join(lines)))

    @on(Button.Pressed)
    def go(self) -> None:
        """Go on."""
        self.post_message(self.Done())


class WelcomeScreen(Screen[str | None]):
    """Enrols in `home`; its answer is the passphrase of the new account, None if the keyring holds its key.

    `authority` and `delivery` are the addresses to begin with. The first chat is FirstChatScreen's, with the account
    open.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "next_field", "Next field", id="next_pane"),
        Binding("escape", "back", "Back", id="cancel"),
    ]
    DEFAULT_CSS = """
    WelcomeScreen {
        align: center top;
    }
    WelcomeScreen .frame {
        max-width: 84;
        height: 1fr;
        border: round $primary;
        border-title-style: bold;
    }
    WelcomeScreen #progress {
        height: 1;
        margin: 0 2 1 2;
    }
    WelcomeScreen ContentSwitcher {
        height: 1fr;
    }
    """

    def __init__(
        self,
        home: Path,
        *,
        authority: str,
        delivery: str,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.time,
        cost: Argon2id | None = None,
    ) -> None:
        super().__init__()
        self._home = Home(home)
        self._transport = transport
        self._clock = clock
        self._about = AboutStep()
        self._number = NumberStep(authority, delivery, clock, transport)
        self._code = CodeStep(clock)
        self._certificate = CertificateStep()
        self._keep = KeepStep(cost)
        self._enrolment: Enrolment | None = None
        self._keys = EnrollingKeys.generate()
        self._account: Account | None = None

    def compose(self) -> ComposeResult:
        """The steps, one at a time, and how far one is."""
        with Vertical(classes="frame") as frame:
            frame.border_title = Content("Welcome to Ringtrue")
            yield Static("", id="progress", markup=False)
            with ContentSwitcher(initial="about-step"):
                yield self._about
                yield self._number
                yield self._code
                yield self._certificate
                yield self._keep
        yield KeyLine()

    def on_mount(self) -> None:
        """Go on where somebody left, or begin."""
        left = pending_enrolment(self._home)
        if left is None:
            self._show("about-step")
            return
        self._number.restore(left)
        self._show("number-step")
        if self._number.number is None:
            return
        enrolment = self._entered()
        opened = enrolment.waiting()
        if opened is not None:
            self._enrolment = enrolment
            self._code.begin(enrolment, opened)
            self._show("code-step")

    @property
    def place(self) -> Place:
        """The step that is shown."""
        current = self.query_one(ContentSwitcher).current
        return next(place for place in STEPS if place == current)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is no way back from the first step, nor while the account is being stored."""
        if action == "back" and self.is_mounted:
            return self.place in BEFORE and not self._keep.busy
        if action == "next_field" and self.is_mounted:
            return self.place in ("number-step", "keep-step")
        return True

    def action_next_field(self) -> None:
        """Go on to what is filled in, or pressed, next."""
        self.focus_next()

    def action_back(self) -> None:
        """Show the step before; what is in flight here is given up, and what was typed stays."""
        self.workers.cancel_node(self.query_one(f"#{self.place}"))
        self.workers.cancel_group(self, "asking")
        self._show(BEFORE[self.place])

    @on(Step.Done)
    def go_on(self) -> None:
        """The step that is shown is over."""
        match self.place:
            case "about-step":
                self._show("number-step")
            case "number-step":
                self._ask_for_code()
            case "code-step":
                self._certify()
            case "certificate-step":
                assert self._enrolment is not None
                assert self._account is not None
                self._keep.begin(self._enrolment, self._account)
                self._show("keep-step")
            case "keep-step":
                self.dismiss(self._keep.passphrase)

    @work(exclusive=True, group="asking")
    async def _ask_for_code(self) -> None:
        enrolment = self._entered()
        if self._account is not None and enrolment == self._enrolment:
            self._show("certificate-step")
            return
        self._account = None
        with self._number.doing(f"Asking for a code for {enrolment.number}"):
            enrolment.begin()
            opened = await enrolment.challenge()
            self._enrolment = enrolment
            self._code.begin(enrolment, opened)
            self._show("code-step")

    @work(exclusive=True, group="asking")
    async def _certify(self) -> None:
        enrolment, opened, services = self._enrolment, self._code.opened, self._number.services
        assert enrolment is not None
        assert opened is not None
        with self._code.doing(f"Having a key certified for {enrolment.number}"):
            if services is None:  # the attempt was resumed, and the services have not answered before
                services = await self._number.look()
            self._account = await enrolment.certify(opened, self._code.code, services.anchors)
            self._certificate.begin(self._account, services.name)
            self._show("certificate-step")

    def _entered(self) -> Enrolment:
        number = self._number.number
        assert number is not None
        addresses = self._number.addresses()
        return Enrolment(self._home, number, *addresses, self._clock, self._transport, keys=self._keys)

    def _show(self, place: Place) -> None:
        self.query_one(ContentSwitcher).current = place
        self.query_one("#progress", Static).update(_progress(place))
        self.query_one(f"#{place}", Step).enter()
        self.refresh_bindings()


def _progress(place: Place) -> Content:
    now = list(STEPS).index(place)
    marks = [
        (f"✓ {words}", "$text-success") if index < now else (f"▸ {words}", "bold") if index == now else f"  {words}"
        for index, words in enumerate([*STEPS.values(), LAST])
        if words
    ]
    return Content("   ").join([Content.assemble(mark) for mark in marks])
