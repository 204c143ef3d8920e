"""Reaching and being reached: the exchange about contacts with the delivery service, before any ciphertext."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from client.defence.asking import Asked, Asking
from client.errors import AlreadyAskedError, AskedFirstError, ClientError, ContactsOnlyError, NoConsentError
from client.events import Event, Trouble
from client.services.delivery import DeliveryClient
from client.steps.wired import Steps
from client.words.wording import MODE_WORDS
from client.worker import Worker
from delivery_service.wire import CONTACT_REQUEST_LIFETIME, Mode
from identity.number import TelephoneNumber

_CONTACTS_ONLY = "{number} can be reached by their contacts only, and you are not among them."


class Reaching:
    """Asks numbers, hears who asks, and tells the service whom to let through; `tell` gets every event once stored."""

    def __init__(
        self,
        steps: Steps,
        delivery: DeliveryClient,
        worker: Worker,
        *,
        clock: Callable[[], float],
        tell: Callable[[Iterable[Event]], None],
    ) -> None:
        self._steps = steps
        self._asking: Asking = steps.asking
        self._delivery = delivery
        self._run = worker.run
        self._clock = clock
        self._tell = tell
        self._lock = asyncio.Lock()

    async def sync(self, head: int) -> None:
        """Read the service's news about contacts if there is any, and tell it what is due."""
        async with self._lock:
            if head != await self._run(lambda: self._asking.head):
                await self._read()
            await self._settle()

    async def settle(self) -> None:
        """Tell the service what is due."""
        async with self._lock:
            await self._settle()

    async def choose(self, mode: Mode) -> Mode:
        """Choose how this number may be reached; every contact is granted in the same request."""
        async with self._lock:
            await self._choose(mode)
            await self._settle()
            return mode

    async def ask(self, number: TelephoneNumber) -> Asked:
        """Ask a number, unless a request to it waits already. Raises ContactsOnlyError where nobody may ask."""
        now = self._now()
        earlier = await self._run(self._asking.asked_of, number)
        if earlier is not None and not earlier.granted and earlier.expires_at > now:
            return earlier
        try:
            answer = await self._delivery.ask(number, self._steps.groups.account.chain)
        except NoConsentError as error:
            raise ContactsOnlyError(_CONTACTS_ONLY.format(number=number)) from error
        except AlreadyAskedError:  # by another device, or by a request whose answer was lost
            await self._run(self._note, number, now, now + CONTACT_REQUEST_LIFETIME, granted=False)
        else:
            await self._run(self._note, number, now, answer.expires_at, granted=answer.granted)
        await self.settle()
        asked = await self._run(self._asking.asked_of, number)
        assert asked is not None, "it was noted"
        return asked

    async def ask_first(self, number: TelephoneNumber, refusal: NoConsentError) -> None:
        """Ask a number that has not agreed; returns if it can be reached after all.

        Raises AskedFirstError, and ContactsOnlyError where nobody may ask.
        """
        if refusal.mode == "contacts":
            raise ContactsOnlyError(_CONTACTS_ONLY.format(number=number))
        earlier = await self._run(self._asking.asked_of, number)
        asked = await self.ask(number)
        if not asked.granted:
            been = "They were asked before" if earlier == asked else "They have been asked"
            raise AskedFirstError(f"{number} lets people ask first. {been}; you can write when they agree.")

    async def _read(self) -> None:
        news = await self._delivery.contact_requests()
        reachability = await self._delivery.reachability()
        before = await self._run(lambda: self._asking.mode)
        self._tell(await self._run(self._asking.take, news, reachability.mode, self._now()))
        if before != reachability.mode:
            self._tell([_changed(reachability.mode)])
        if before == "open" and reachability.mode != "open":  # another device has chosen it: its contacts are its own
            await self._choose(reachability.mode)

    async def _choose(self, mode: Mode) -> None:
        granted = [] if mode == "open" else await self._run(self._asking.to_grant)
        await self._delivery.set_contact_mode(mode, granted)
        await self._run(self._chosen, mode, granted)

    async def _settle(self) -> None:
        for number, decision in await self._run(self._asking.due):
            await self._delivery.decide(number, decision)
            await self._run(self._asking.told, {number: decision})

    def _chosen(self, mode: Mode, granted: Sequence[str]) -> None:
        self._asking.hold(mode, self._asking.head)
        self._asking.told(dict.fromkeys(granted, "grant"))

    def _note(self, number: TelephoneNumber, at: int, expires_at: int, *, granted: bool) -> None:
        self._asking.note_asked(number, at, expires_at, granted=granted)

    def _now(self) -> int:
        return int(self._clock())


def _changed(mode: Mode) -> Trouble:
    """What is said when the service holds another mode than this device chose: it is what protects the person."""
    words = f"the delivery service lets others reach you differently now ({mode}: {MODE_WORDS[mode]})"
    hint = "If no other device of yours has chosen that, choose again: ringtrue reachable"
    return Trouble(None, ClientError(words, code="mode-changed", hint=hint), "mode-changed", words)
