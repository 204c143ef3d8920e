"""Ending chats: first the service says whose successor it is, then people are added to it; again until it is done."""

from collections.abc import Awaitable, Callable, Iterable

from client.errors import AskedFirstError, ChatError, ContactsOnlyError, RateLimitedError, ServiceError
from client.events import Event, Trouble
from client.exchange import ABOUT_THE_SESSION, Exchange
from client.records.intents import Body, SetAdmins
from client.services.delivery import DeliveryClient
from client.steps.committing import Committer
from client.steps.ending import Due, Endings
from client.worker import Worker
from identity.number import TelephoneNumber

_NOT_REACHED = (AskedFirstError, ContactsOnlyError, ServiceError)
_GONE = frozenset({"unknown-group", "not-a-member"})  # there is nothing more to end


class Resetting:
    """`claim`: gets the key packages of a number; `tell` receives every event once the store has it."""

    def __init__(
        self,
        endings: Endings,
        committer: Committer,
        delivery: DeliveryClient,
        exchange: Exchange,
        worker: Worker,
        *,
        claim: Callable[[TelephoneNumber], Awaitable[list[bytes]]],
        batches: Callable[[list[bytes]], list[Body]],
        tell: Callable[[Iterable[Event]], None],
    ) -> None:
        self._endings = endings
        self._committer = committer
        self._delivery = delivery
        self._exchange = exchange
        self._run = worker.run
        self._claim = claim
        self._batches = batches
        self._tell = tell

    async def run(self) -> None:
        """Go on with everything that is not done. Raises what a later attempt may cure."""
        for due in await self._run(self._endings.all_due):
            await self.end(due)

    async def end(self, due: Due) -> None:
        """Carry one ending out. Raises ChatError if somebody else has ended the chat first."""
        if due.successor:
            await self._exchange.drive(due.successor)
        if not due.announced and not await self._announce(due):
            return
        if due.successor:
            await self._invite(due)
        await self._run(self._endings.done, due.group_id)

    async def _announce(self, due: Due) -> bool:
        """Whether the service has ended the group so; False if it has nothing more of it."""
        try:
            await self._delivery.end_group(due.group_id, await self._run(self._endings.ending_of, due))
        except ABOUT_THE_SESSION:
            raise
        except ServiceError as error:
            await self._run(self._endings.abandon, due)
            if error.code in _GONE and not due.successor:
                return False
            await self._exchange.read(due.group_id)
            if error.code == "group-ended":
                why = "somebody else has ended this chat first"
                raise ChatError(why, code="group-ended", hint="It goes on where its last line says.") from error
            raise
        await self._run(self._endings.announced, due.group_id)
        await self._exchange.read(due.group_id)
        return True

    async def _invite(self, due: Due) -> None:
        packages: list[bytes] = []
        for number in await self._run(self._endings.absent, due):
            try:
                packages += await self._claim(number)
            except (RateLimitedError, *ABOUT_THE_SESSION):
                raise
            except _NOT_REACHED as error:
                self._tell([Trouble(due.successor, error, error.code, f"{number} was not added: {error}")])
        bodies = self._batches(packages)
        if due.admins is not None and len(due.admins) > 1 and bodies:
            bodies.append(SetAdmins(list(due.admins)))
        if bodies:
            await self._run(self._committer.want, due.successor, bodies)
        await self._exchange.drive(due.successor)
