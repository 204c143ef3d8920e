"""The first run of a device whose number another one has: that one shows a code, and links this one."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import httpx
from textual import on, work
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.widgets import ContentSwitcher
from textual.worker import Worker, WorkerCancelled, WorkerFailed

from client.credentials.link_here import Keep, link_here
from client.failures import EXPECTED
from client.storage.home import Home
from client.storage.keys import Argon2id
from client.terminal.device_words import wanted_here
from client.tui.screens.step import Step
from client.tui.screens.step_chats import ChatsStep
from client.tui.screens.step_compare import CompareStep
from client.tui.screens.step_keep import KeepStep
from client.tui.screens.step_link_code import LinkCodeStep
from client.tui.screens.steps import StepsScreen
from identity.number import TelephoneNumber

CANCELLED = (
    "You have cancelled it: the other device was told, and nothing was kept. To begin again, show a new code there."
)
FAREWELL = 3.0  # seconds in which the other device is told, before the program ends


@dataclass(frozen=True, slots=True)
class Kept:
    """The account is there; `passphrase` is None if the keyring holds its key."""

    passphrase: str | None


class LinkHereScreen(StepsScreen[Kept | None]):
    """Its answer is None if somebody goes back. It is the client.credentials.link_here.Onlooker."""

    HEADING = "Link this device to another one"
    MARKS: ClassVar[dict[str, str]] = {
        "link-code-step": "1 Code",
        "compare-step": "2 Compare",
        "keep-step": "3 Keep",
        "chats-step": "4 Chats",
    }
    BEFORE: ClassVar[dict[str, str]] = dict.fromkeys(MARKS, "link-code-step")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Have it here"),
        Binding("n", "answer(False)", "Do not"),
    ]

    def __init__(
        self,
        home: Home,
        authority: str,
        *,
        clock: Callable[[], float],
        transport: httpx.AsyncBaseTransport | None,
        cost: Argon2id | None,
    ) -> None:
        super().__init__()
        self._home = home
        self._clock = clock
        self._transport = transport
        self._cost = cost
        self._code = LinkCodeStep(authority)
        self._compare = CompareStep()
        self._keep = KeepStep()
        self._chats = ChatsStep()
        self._kept = asyncio.Event()
        self._linking: Worker[None] | None = None

    def steps(self) -> list[Step]:
        """From the code to the chats."""
        return [self._code, self._compare, self._keep, self._chats]

    def on_mount(self) -> None:
        """Begin with the code."""
        self.show("link-code-step")

    async def on_unmount(self) -> None:
        """Tell the other device, if the program ends midway."""
        await self._stop(FAREWELL)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is an answer to give at its time only, and no way back once the account is being stored."""
        if action == "answer":
            return self.is_mounted and self.place == "compare-step" and self._compare.is_asking
        if action == "back" and (self._keep.busy or self._is_stored):
            return False
        return super().check_action(action, parameters)

    @property
    def _is_stored(self) -> bool:
        return self._home.anchors.exists()

    def action_answer(self, agreed: bool) -> None:
        """Have the number that was shown on this device, or not."""
        self._compare.answer(agreed)

    def action_back(self) -> None:
        """Take it back, and show the code's step; from there, leave."""
        self._back()

    @work(group="leaving", exclusive=True)
    async def _back(self) -> None:
        under_way = self._is_under_way
        await self._stop()
        if under_way:
            self._begin_again(CANCELLED)
        else:
            self.dismiss(None)

    @on(Step.Done)
    def go_on(self) -> None:
        """The step that is shown is over."""
        match self.place:
            case "link-code-step":
                self._linking = self._link()
            case "keep-step":
                self._kept.set()
            case "chats-step":
                self._leave()

    @work(group="linking")
    async def _link(self) -> None:
        code = self._code.code
        assert code is not None
        self._kept.clear()
        self._code.begin_doing("Looking for the other device")
        try:
            linked = await link_here(
                self._home.folder,
                code,
                self,
                authority=self._code.authority,
                name=self._code.called,
                cost=self._cost,
                clock=self._clock,
                transport=self._transport,
            )
            self._chats.finish(linked)
        except EXPECTED as error:
            if self._is_seen:
                self._begin_again()
                self._code.failed(error)
        except NoMatches:
            if self._is_seen:
                raise

    # --- what the linking tells and asks

    def compare(self, digits: str) -> None:
        """Show the digits."""
        self._code.rest()
        self._compare.compare(digits)
        self.show("compare-step")

    async def agrees(self, number: TelephoneNumber, authority: str) -> bool:
        """Ask whether this is the number that was meant."""
        return await self._compare.agrees(wanted_here(str(number), authority))

    async def protect(self, keep: Keep) -> None:
        """Ask for a passphrase, or use the keyring."""
        self._keep.begin(self._home, keep)
        self.show("keep-step")
        await self._kept.wait()
        self._chats.begin()
        self.show("chats-step")

    def hear(self, words: str) -> None:
        """Show what is going on, on the step that is shown."""
        if self.place == "chats-step":
            self._chats.hear(words, stored=self._is_stored)
        else:
            self.shown.begin_doing(words)
        self.refresh_bindings()

    # --- leaving

    @property
    def _is_seen(self) -> bool:
        """Whether there is still something to show it on: the program may be ending."""
        return bool(self.query(ContentSwitcher))

    @property
    def _is_under_way(self) -> bool:
        return self._linking is not None and not self._linking.is_finished

    def _begin_again(self, words: str = "") -> None:
        """Show the code's step; a code that was used is of no use any more."""
        if self.place != "link-code-step":
            self._code.forget()
            self.shown.rest()
            self.show("link-code-step")
        self._code.rest()
        self._code.say(words)

    async def _stop(self, patience: float | None = None) -> None:
        if self._linking is None or self._linking.is_finished:
            return
        self._linking.cancel()
        with suppress(WorkerCancelled, WorkerFailed, TimeoutError):
            await asyncio.wait_for(self._linking.wait(), patience)

    @work(group="leaving", exclusive=True)
    async def _leave(self) -> None:
        """Go on to the account, which must not be in use here any more."""
        await self._stop()
        self.dismiss(Kept(self._keep.passphrase))
