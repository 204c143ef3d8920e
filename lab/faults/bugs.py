"""Bugs that are planted to see whether the simulator finds them: each exchanges names that the product looks up."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from client.events import Event
from client.steps.receiving import Receiver
from delivery_service.errors import RefusedError, StoreError
from delivery_service.groups import Groups
from delivery_service.storage import groups, rules
from delivery_service.storage.transaction import Transaction
from delivery_service.storage.values import Change, NewEntry, NewWelcome, Notified
from delivery_service.wire import Appended, Entry
from lab.faults import replica
from lab.faults.storage import DISK_TIME, SharedEngine
from lab.seams.seam import Place, instead

_CURRENT, _PAST = "AND epoch = :epoch\n", "AND epoch >= :epoch\n"


@dataclass(frozen=True, slots=True)
class Bug:
    """What is wrong while it is planted, and the families in which it is looked for."""

    words: str
    places: tuple[Place, ...]
    families: tuple[str, ...]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The product has it inside."""
        with ExitStack() as stack:
            for place in self.places:
                stack.enter_context(place.exchanged())
            yield


def _past_epochs_too(statement: str) -> str:
    if _CURRENT not in statement:
        raise LookupError("the compare and set has no condition on the epoch any more")
    return statement.replace(_CURRENT, _PAST, 1)


def _admitting_past(admit: Callable[[rules.Standing | None, NewEntry], None]) -> Callable[..., None]:
    def admitted(standing: rules.Standing | None, entry: NewEntry) -> None:
        if standing is not None and entry.epoch < standing.epoch:
            standing = replace(standing, epoch=entry.epoch)
        admit(standing, entry)

    return admitted


_deliver = groups._deliver


def _deliver_at_once(tx: Transaction, entry: NewEntry, welcomes: Sequence[NewWelcome]) -> None:
    head = tx.value("SELECT head FROM groups WHERE group_id = :group_id", group_id=entry.group_id)
    for welcome in welcomes:
        devices = [groups._addressee(tx, reference)[0] for reference in welcome.references]
        _deliver(tx, entry, head + 1, welcome, devices)


def _welcoming_first(commit: Callable[..., Awaitable[Appended]]) -> Callable[..., Awaitable[Appended]]:
    async def committed(self: Groups, entry: NewEntry, welcomes: tuple[NewWelcome, ...], *rest: Any) -> Appended:
        await self._store._engine.write(_deliver_at_once, entry, welcomes)
        return await commit(self, entry, welcomes, *rest)

    return committed


def _deliver_nothing(*_: object) -> None:
    """It was delivered before."""


class HastyEngine(SharedEngine):
    """Answers what a transaction would come to, and carries it out a moment later."""

    def _transact(
        self,
        work: Callable[..., Any],
        arguments: tuple[Any, ...],
        told: Callable[[Any], Change | Notified | None],
        future: "asyncio.Future[Any]",
    ) -> None:
        if not self.process.alive:
            return
        outcome = self._trial(work, arguments)
        give = future.set_exception if isinstance(outcome, RefusedError | StoreError) else future.set_result
        self._answer(give, future, outcome)
        nobody: asyncio.Future[Any] = self._loop.create_future()
        later, do = DISK_TIME * (1 + self._draw.random()), super()._transact
        self._loop.call_later(later, do, work, arguments, told, nobody, context=self.process.context)
        nobody.add_done_callback(lambda done: done.exception())

    def _trial(self, work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        execute = self._storage.connection.execute
        execute("SAVEPOINT trial")
        try:
            return self._storage.work(work, arguments)
        except (RefusedError, StoreError) as error:
            return error
        finally:
            execute("ROLLBACK TO trial")
            execute("RELEASE trial")


def _cursor_first(together: Callable[..., list[Event]]) -> Callable[..., list[Event]]:
    def received(self: Receiver, group_id: bytes, entries: Sequence[Entry], now: int) -> list[Event]:
        before, store = self._chats.known(group_id), self._groups.store
        move = "UPDATE chat SET cursor = ? WHERE group_id = ?"
        if before.standing.is_member and entries:
            with store.transaction():
                store.execute(move, max(before.cursor, entries[-1].seq), group_id)
        with store.transaction():
            store.execute(move, before.cursor, group_id)
            return together(self, group_id, entries, now)

    return received


BUGS = {
    "older-epoch": Bug(
        "the service takes an entry of an earlier epoch: the check is < where it must be <=",
        (Place(groups, "_NEXT", _past_epochs_too), Place(rules, "admit", _admitting_past)),
        ("racing commits", "delayed", "comings and goings", "lossy"),
    ),
    "early-welcome": Bug(
        "the service delivers a Welcome before it has accepted its commit",
        (Place(Groups, "_commit", _welcoming_first), instead(groups, "_deliver", _deliver_nothing)),
        ("many invitations", "comings and goings", "racing commits", "two replicas, racing"),
    ),
    "early-answer": Bug(
        "the service answers before it has saved",
        (instead(replica, "SharedEngine", HastyEngine),),
        ("replicas crashing beside commits", "two replicas, crashing", "crashing replicas"),
    ),
    "early-cursor": Bug(
        "the client moves its cursor before it has saved the message",
        (Place(Receiver, "_together", _cursor_first),),
        ("clients crashing beside their store",),
    ),
}
