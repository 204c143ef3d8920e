"""Ending a group by somebody who may change it, and deleting what is kept for a device or a number."""

from functools import partial

from delivery_service.errors import RefusedError
from delivery_service.observers import Observers
from delivery_service.sessions import Session
from delivery_service.storage import deletion, ending
from delivery_service.storage.ending import NewEnding
from delivery_service.storage.engine import Engine
from delivery_service.storage.values import Change
from delivery_service.wire.ending import DELETION_NOTICE, DataDeleted, DataDeletion, Ended, Ending
from identity.certificates import public_point
from identity.groups.group_ending import GroupEnding
from identity.groups.roles import admins_of
from identity.number import TelephoneNumber


class Endings:
    """Judges who may end a group by the observer's roles, and deletes what has ended."""

    def __init__(self, engine: Engine, observers: Observers, retention: int) -> None:
        self._engine = engine
        self._retention = retention
        self._observers = observers

    async def end(self, session: Session, group_id: bytes, wanted: Ending, now_ms: int) -> Ended:
        """Ends a group, once; refuses as storage.ending.end, invalid-signature, and not-allowed.

        With roles an admin may do it. Without them any member may put a successor in its place, as any may change it,
        and the last number in it may close it.
        """
        statement = GroupEnding(group_id, wanted.successor)
        if not statement.is_signed(wanted.signature, public_point(session.key())):
            raise RefusedError("invalid-signature", "the statement is not signed with the device's key")
        notice = self._retention if wanted.successor else DELETION_NOTICE
        new = NewEnding(group_id, session.device, wanted.successor, wanted.signature, now_ms, notice)
        async with self._observers.lock(group_id):
            if not await self._engine.read(ending.has_ended, group_id):
                await self._check_entitled(session, group_id, closes=not wanted.successor)
            told = partial(_told, group_id)
            return await self._engine.write(ending.end, new, told=told, group=group_id)

    async def delete_data(self, session: Session, wanted: DataDeletion) -> DataDeleted:
        """Deletes what is kept for the session's device, and for its number if that is wanted."""
        number = session.number if wanted.what == "number" else ""
        return await self._engine.write(deletion.delete_data, session.device, number)

    async def delete_ended(self, now: int) -> None:
        """Deletes the groups whose time is over."""
        while await self._engine.write(ending.delete_ended, now):
            pass

    async def _check_entitled(self, session: Session, group_id: bytes, *, closes: bool) -> None:
        version, observer = await self._observers.take(group_id)
        self._observers.keep(group_id, version, observer)
        admins = admins_of(observer.context_extensions())
        if closes and await self._engine.read(ending.is_alone, group_id, session.number):
            return
        if admins is None and closes:
            raise RefusedError("not-allowed", "a group without admins is closed by the last number in it")
        if admins is not None and TelephoneNumber.from_digits(session.number.removeprefix("+")) not in admins:
            raise RefusedError("not-allowed", "only an admin ends a group with roles")


def _told(group_id: bytes, ended: Ended) -> Change:
    return Change(group_id, ended.seq)
