"""The first run: from nothing to an account, in steps that can be left and gone on with."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import httpx
from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, Static

from client.credentials.account import Account
from client.credentials.enrolling_keys import EnrollingKeys
from client.enrolling import Enrolment, Services, pending_enrolment
from client.records.service_facts import keeps
from client.storage.home import Home
from client.storage.keys import Argon2id
from client.tui.screens.link_here import LinkHereScreen
from client.tui.screens.phrases import day_and_time
from client.tui.screens.step import Step
from client.tui.screens.step_code import CodeStep
from client.tui.screens.step_keep import KeepStep
from client.tui.screens.step_number import NumberStep, fingerprint
from client.tui.screens.steps import StepsScreen
from identity.certificates import TrustAnchors

ABOUT = (
    "Ringtrue carries end-to-end encrypted messages, and every message proves the telephone number that it came from.",
    "NUMBER VERIFIED means: whoever wrote this message controlled this number when it was signed.",
    "It does not say who a person is, or that they mean well.",
)
HOW = (
    "To begin you need a telephone number that can receive a code. Ctrl+Q leaves at any step; the next start goes on "
    "there."
)
ELSEWHERE = "I use this number on another device already"


class AboutStep(Step):
    """What this is, in three sentences; and the two ways on."""

    class Elsewhere(Message):
        """The number is on another device, which is to link this one."""

    def __init__(self) -> None:
        super().__init__(id="about-step")

    def compose(self) -> ComposeResult:
        """The sentences, and two buttons."""
        for sentence in ABOUT:
            yield Static(sentence, classes="gap", markup=False)
        yield Static(HOW, classes="gap quiet", markup=False)
        yield Button("Begin", id="go", variant="primary", compact=True)
        yield Button(ELSEWHERE, id="elsewhere", compact=True)
        yield Static("", classes="going-on", markup=False)

    def enter(self) -> None:
        """Both ways on are seen, also in a small window."""
        super().enter()
        self.call_after_refresh(self.scroll_end, animate=False)

    @on(Button.Pressed, "#go")
    def go(self) -> None:
        """Go on with a number and a code."""
        self.post_message(self.Done())

    @on(Button.Pressed, "#elsewhere")
    def link(self) -> None:
        """Go on with a code of the other device."""
        self.post_message(self.Elsewhere())


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

    def enter(self) -> None:
        """The way on is seen, also in a small window."""
        super().enter()
        self.call_after_refresh(self.scroll_end, animate=False)

    def begin(self, account: Account, services: Services) -> None:
        """Show this account, and what its services said of themselves."""
        until = day_and_time(datetime.fromtimestamp(account.validity()[1]).astimezone())
        roots = TrustAnchors.from_pem(account.anchors)
        lines = (
            "✓ A key was made on this computer; it never leaves it.",
            f"✓ {services.name or 'The authority'} certified it for {account.number}.",
            f"✓ It is valid until {until}, and renews itself while you use Ringtrue.",
            *fingerprint(roots),
            f"- {keeps(services.retention)}",
        )
        self.query_one("#outcome", Static).update(Content("\n".join(lines)))

    @on(Button.Pressed)
    def go(self) -> None:
        """Go on."""
        self.post_message(self.Done())


class WelcomeScreen(StepsScreen[str | None]):
    """Enrols in `home`; its answer is the passphrase of the new account, None if the keyring holds its key.

    `authority` and `delivery` are the addresses to begin with. The first chat is FirstChatScreen's, with the account
    open.
    """

    HEADING = "Welcome to Ringtrue"
    MARKS: ClassVar[dict[str, str]] = {
        "about-step": "",
        "number-step": "1 Number",
        "code-step": "2 Code",
        "certificate-step": "3 Certificate",
        "keep-step": "4 Keep",
    }
    LAST = "5 First chat"
    BEFORE: ClassVar[dict[str, str]] = {  # a certificate's code is used up, so there is no way back into it
        "number-step": "about-step",
        "code-step": "number-step",
        "certificate-step": "number-step",
        "keep-step": "certificate-step",
    }

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
        self._addresses = (authority, delivery)
        self._transport = transport
        self._clock = clock
        self._cost = cost
        self._about = AboutStep()
        self._number = NumberStep(authority, delivery, clock, transport)
        self._code = CodeStep(clock)
        self._certificate = CertificateStep()
        self._keep = KeepStep()
        self._enrolment: Enrolment | None = None
        self._keys = EnrollingKeys.generate()
        self._account: Account | None = None

    def steps(self) -> list[Step]:
        """From what this is to where it is kept."""
        return [self._about, self._number, self._code, self._certificate, self._keep]

    def on_mount(self) -> None:
        """Go on where somebody left, or begin."""
        left = pending_enrolment(self._home)
        if left is None:
            self.show("about-step")
            return
        self._number.restore(left)
        self.show("number-step")
        if self._number.number is None:
            return
        enrolment = self._entered()
        opened = enrolment.waiting()
        if opened is not None:
            self._enrolment = enrolment
            self._code.begin(enrolment, opened)
            self.show("code-step")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is no way back while the account is being stored."""
        if action == "back" and self._keep.busy:
            return False
        return super().check_action(action, parameters)

    def action_back(self) -> None:
        """Show the step before; what is in flight here is given up, and what was typed stays."""
        self.workers.cancel_node(self.shown)
        self.workers.cancel_group(self, "asking")
        super().action_back()

    @on(AboutStep.Elsewhere)
    @work(exclusive=True, group="asking")
    async def link(self) -> None:
        """Have another device link this one, and be done; or come back."""
        linking = LinkHereScreen(
            self._home, self._addresses[0], clock=self._clock, transport=self._transport, cost=self._cost
        )
        kept = await self.app.push_screen_wait(linking)
        if kept is not None:
            self.dismiss(kept.passphrase)

    @on(Step.Done)
    def go_on(self) -> None:
        """The step that is shown is over."""
        match self.place:
            case "about-step":
                self.show("number-step")
            case "number-step":
                self._ask_for_code()
            case "code-step":
                self._certify()
            case "certificate-step":
                self._keep.begin(self._home, self._store)
                self.show("keep-step")
            case "keep-step":
                self.dismiss(self._keep.passphrase)

    @work(exclusive=True, group="asking")
    async def _ask_for_code(self) -> None:
        enrolment = self._entered()
        if self._account is not None and enrolment == self._enrolment:
            self.show("certificate-step")
            return
        self._account = None
        with self._number.doing(f"Asking for a code for {enrolment.number}"):
            enrolment.begin()
            opened = await enrolment.challenge()
            self._enrolment = enrolment
            self._code.begin(enrolment, opened)
            self.show("code-step")

    @work(exclusive=True, group="asking")
    async def _certify(self) -> None:
        enrolment, opened, services = self._enrolment, self._code.opened, self._number.services
        assert enrolment is not None
        assert opened is not None
        with self._code.doing(f"Having a key certified for {enrolment.number}"):
            if services is None:  # the attempt was resumed, and the services have not answered before
                services = await self._number.look()
            self._account = await enrolment.certify(opened, self._code.code, services.anchors)
            self._certificate.begin(self._account, services)
            self.show("certificate-step")

    def _entered(self) -> Enrolment:
        number = self._number.number
        assert number is not None
        addresses = self._number.addresses()
        return Enrolment(self._home, number, *addresses, self._clock, self._transport, keys=self._keys)

    async def _store(self, passphrase: str | None) -> None:
        assert self._enrolment is not None
        assert self._account is not None
        await asyncio.to_thread(self._enrolment.keep, self._account, passphrase, self._cost)
