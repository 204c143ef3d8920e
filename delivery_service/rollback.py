"""Reports that a commit cannot be applied, and what follows from them."""

import asyncio

from delivery_service.errors import RefusedError
from delivery_service.observers import Observers
from delivery_service.sessions import Session
from delivery_service.storage import rollback
from delivery_service.storage.engine import Engine
from delivery_service.storage.rollback import Counted, NewRejection
from delivery_service.storage.values import Change
from delivery_service.wire.rollback import ROLLBACK_WINDOW, Rejection, RejectionCounted
from identity.certificates import public_point
from identity.groups.rejected_commit import RejectedCommit


class Rollbacks:
    """Counts reports; the observer in memory goes back with the stored one."""

    def __init__(self, engine: Engine, observers: Observers) -> None:
        self._engine = engine
        self._observers = observers

    async def report(self, session: Session, group_id: bytes, rejection: Rejection, now_ms: int) -> RejectionCounted:
        """Counts a device's report; refuses by the rules of delivery_service.rollback_rules."""
        epoch = await self._engine.read(rollback.epoch_of, group_id, rejection.seq)
        named = RejectedCommit(group_id, epoch, rejection.seq, rejection.commit)
        if not named.is_signed(rejection.signature, public_point(session.key())):
            raise RefusedError("invalid-signature", "the report is not signed with the device's key")
        new = NewRejection(group_id, session.device, rejection.seq, rejection.commit, rejection.signature, now_ms)
        async with self._observers.lock(group_id):
            counted = await self._engine.write(rollback.report, new, told=_told, group=group_id)
            if counted.rollback:
                self._observers.forget(group_id)
        return RejectionCounted(counted.reports, counted.of, counted.rollback)

    async def expire(self, now: int, retention: int) -> None:
        """Lets commits stand whose window is over."""
        cutoff_ms, settled = (now - ROLLBACK_WINDOW) * 1000, True
        while settled:
            due = await self._engine.read(rollback.overdue, cutoff_ms)
            settling = [self._engine.write(rollback.settle, each, cutoff_ms, group=each) for each in due]
            settled = any(await asyncio.gather(*settling))
        await self._engine.write(rollback.expire_rollbacks, (now - retention) * 1000)


def _told(counted: Counted) -> Change | None:
    if not counted.rollback:
        return None
    return Change(counted.group_id, counted.rollback, counted.returned, counted.withdrawn)
