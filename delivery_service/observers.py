"""Observers: the service's view of each group's public handshakes, without any secret (RFC 9750 §5)."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple, Unpack
from weakref import WeakValueDictionary

from mls_rs import Commit, CredentialRefusedError, Inspected, MalformedError, MlsError, Observer, Proposal, inspect

from delivery_service.credentials import Credentials
from delivery_service.errors import RefusedError
from delivery_service.external_sender import ExternalSender
from delivery_service.storage.store import Store
from delivery_service.storage.values import NewEntry
from delivery_service.wire import Appended
from identity.errors import EvictionError, RolesError
from identity.groups.eviction import EpochSender
from identity.groups.roles import EpochRoles

OBSERVERS_LIMIT = 256  # kept in memory; the others are loaded from their snapshots

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


def inspect_message(message: bytes) -> Inspected:
    """What an MLSMessage says of itself; refuses malformed."""
    try:
        return inspect(message)
    except MlsError as error:
        raise RefusedError("malformed", f"not an MLSMessage: {error}") from error


def refusal(error: MlsError) -> RefusedError:
    """The problem that an engine's error amounts to."""
    cause = f" ({error.__cause__})" if error.__cause__ is not None else ""
    if isinstance(error, CredentialRefusedError):
        return RefusedError("credential-refused", f"{error}{cause}")
    if isinstance(error, MalformedError):
        return RefusedError("malformed", str(error))
    return RefusedError("invalid-handshake", f"{error}{cause}")


class Observers:
    """Opens, loads and advances observers in a worker thread; `lock` keeps the handshakes of one group apart.

    An observer is taken out of the memory while it works and put back only by `keep`, after its step became durable:
    whatever fails in between, the next handshake starts from the stored snapshot. It also does when another replica
    has stored one since: each snapshot has a version, and a step is stored only after the version that it began with.
    """

    def __init__(
        self, store: Store, credentials: Credentials, sender: ExternalSender, limit: int = OBSERVERS_LIMIT
    ) -> None:
        self._store = store
        self._credentials = credentials
        self._sender = sender
        self._limit = limit
        self._kept: OrderedDict[bytes, tuple[int, Observer]] = OrderedDict()
        self._locks: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._worker = ThreadPoolExecutor(1, "delivery-mls")

    def close(self) -> None:
        """Ends the worker thread."""
        self._worker.shutdown()

    def lock(self, group_id: bytes) -> asyncio.Lock:
        """The lock under which a group's handshakes are judged."""
        return self._locks.setdefault(group_id, asyncio.Lock())

    async def found(self, group_info: bytes, now: int) -> tuple[tuple[bytes, ...], bytes]:
        """The members' identities and the snapshot of a new group."""
        return await self._run(self._open, group_info, now)

    async def take(self, group_id: bytes) -> tuple[int, Observer]:
        """The group's observer as it is stored now, and its version."""
        known, observer = self._kept.pop(group_id, (None, None))
        version, snapshot = await self._store.observer(group_id, known)
        return version, await self._current(observer, snapshot)

    async def take_for(self, handshake: NewEntry) -> Appended | tuple[int, Observer]:
        """The answer to a repeat, or what `take` gives; refuses what cannot be appended now, and takes nothing then."""
        known, observer = self._kept.get(handshake.group_id, (None, None))
        found = await self._store.to_judge(handshake, known)
        if isinstance(found, Appended):
            return found
        self._kept.pop(handshake.group_id, None)
        version, snapshot = found
        return version, await self._current(observer, snapshot)

    async def process(self, observer: Observer, message: bytes, now: int) -> tuple[Proposal | Commit, bytes]:
        """The event of a handshake and the snapshot after it; refuses invalid-handshake, credential-refused.

        Refuses as not-allowed what the group's roles forbid, and a commit that leaves its committer without a valid
        certificate, before anything of it is stored.
        """
        return await self._run(self._process, observer, message, now)

    def keep(self, group_id: bytes, version: int, observer: Observer) -> None:
        """Remembers an observer whose last snapshot is stored under a version."""
        self._kept[group_id] = version, observer
        while len(self._kept) > self._limit:
            self._kept.popitem(last=False)

    def forget(self, group_id: bytes) -> None:
        """Goes on from what is stored: a commit was taken back."""
        self._kept.pop(group_id, None)

    async def judged(self, work: Callable[[Unpack[Arguments]], T], *arguments: *Arguments) -> T:
        """The result of what is asked of an observer, in the thread where observers work; refuses as `process`."""
        return await self._run(work, *arguments)

    async def _current(self, observer: Observer | None, snapshot: bytes | None) -> Observer:
        """The observer of a snapshot, or without one that which was kept."""
        if snapshot is not None:
            return await self._run(self._load, snapshot)
        assert observer is not None
        return observer

    def _load(self, snapshot: bytes) -> Observer:
        judge = self._credentials
        return Observer.load(snapshot, judge.validate, judge.succeed, validate_external=self._sender.validate)

    def _open(self, group_info: bytes, now: int) -> tuple[tuple[bytes, ...], bytes]:
        judge = self._credentials
        observer = Observer.open(
            group_info, judge.validate, judge.succeed, now, validate_external=self._sender.validate
        )
        EpochRoles.of(observer).check_standing()
        EpochSender.of(observer)
        return tuple(member.identity for member in observer.members()), observer.snapshot()

    async def _run(self, work: Callable[[Unpack[Arguments]], T], *arguments: *Arguments) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._worker, work, *arguments)
        except MlsError as error:
            raise refusal(error) from error
        except (RolesError, EvictionError) as error:
            raise RefusedError("not-allowed", str(error)) from error

    def _process(self, observer: Observer, message: bytes, now: int) -> tuple[Proposal | Commit, bytes]:
        epoch, sender = EpochRoles.of(observer), EpochSender.of(observer)
        event = observer.process(message, now)
        if isinstance(event, Commit):
            epoch.check_commit(event)
            sender.check_commit(event)
            self._credentials.check_committer(event, now)
            self._credentials.check_brought(event, now)
        else:
            epoch.check_proposals(observer.proposals())
            sender.check_proposal(event, event.authenticated_data)
        return event, observer.snapshot()
