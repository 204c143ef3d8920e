"""Groups: from a request's bytes to an entry of the log, by the engine's judgement and the store's order."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from mls_rs import Commit, Inspected, Member, Observer, Proposal

from delivery_service import framing
from delivery_service.errors import OutdatedError, RefusedError
from delivery_service.franking import Franking
from delivery_service.limits import Turns
from delivery_service.observers import Observers, inspect_message
from delivery_service.sessions import Session
from delivery_service.storage.store import Store
from delivery_service.storage.values import NewCommit, NewEntry, NewGroup, NewWelcome
from delivery_service.tls import tree_hash
from delivery_service.wire import COMMIT_LIMIT, GROUP_INFO_LIMIT, WELCOME_LIMIT, Appended, CommitBundle, EntryKind

HANDSHAKES_PER_NUMBER = 8  # handshakes of one number, whose devices cost nothing, that may wait to be judged
HANDSHAKES = 64  # of all numbers
JUDGEMENTS = 5  # times that a handshake is judged while other replicas' handshakes of its group come first


def check_sizes(bundle: CommitBundle) -> None:
    """Each part of a bundle has its own limit; refuses too-large."""
    check_size(bundle.commit, COMMIT_LIMIT, "COMMIT_LIMIT")
    check_size(bundle.group_info, GROUP_INFO_LIMIT, "GROUP_INFO_LIMIT")
    for welcome in bundle.welcomes:
        check_size(welcome, WELCOME_LIMIT, "WELCOME_LIMIT")


def check_size(octets: bytes, limit: int, name: str) -> None:
    """Refuses too-large."""
    if len(octets) > limit:
        raise RefusedError("too-large", f"at most {limit} octets ({name})", limit=limit, limit_name=name)


class Groups:
    """Founds groups and appends to them."""

    def __init__(self, store: Store, observers: Observers, franking: Franking) -> None:
        self._store = store
        self._observers = observers
        self._franking = franking
        self._running: set[asyncio.Task[Appended]] = set()
        self._turns = Turns(HANDSHAKES_PER_NUMBER, HANDSHAKES)

    async def create(self, session: Session, group_info: bytes, key: bytes, now_ms: int) -> Appended:
        """Founds a group of one: the session's device."""
        group_id = framing.check_new_group(inspect_message(group_info))
        members, snapshot = await self._observers.found(group_info, now_ms // 1000)
        if members != (session.device,):
            raise RefusedError("not-allowed", "a group begins with its founder alone: the session's device")
        digest = hashlib.sha256(group_info).digest()
        return await self._store.create_group(NewGroup(group_id, session.device, key, digest, snapshot))

    async def append(self, session: Session, group_id: bytes, message: bytes, key: bytes, now_ms: int) -> Appended:
        """Appends an application message, franked if it carries a tag, or a proposal."""
        inspected = inspect_message(message)
        epoch = framing.check_group(inspected, group_id)
        proposed = inspected.kind == "public_message"
        frank = None
        if proposed:
            framing.check_handshake(inspected, "proposal")
        else:
            framing.check_application(inspected)
            frank = self._franking.frank(session.number, group_id, inspected.authenticated_data or b"", now_ms)
        digest = hashlib.sha256(message).digest()
        kind: EntryKind = "proposal" if proposed else "application"
        entry = NewEntry(group_id, session.device, kind, epoch, key, digest, now_ms, message, frank=frank)
        if proposed:
            return await self._undisturbed(entry, partial(self._propose, entry))
        return await self._store.append(entry)

    async def commit(
        self, session: Session, group_id: bytes, bundle: CommitBundle, digest: bytes, key: bytes, now_ms: int
    ) -> Appended:
        """Appends a commit and delivers its Welcomes; `digest` is SHA-256 of the whole bundle."""
        check_sizes(bundle)
        inspected = inspect_message(bundle.commit)
        epoch = framing.check_group(inspected, group_id)
        framing.check_handshake(inspected, "commit")
        framing.check_next_group_info(inspect_message(bundle.group_info), group_id, epoch + 1)
        welcomes = tuple(NewWelcome(body, _references(inspect_message(body))) for body in bundle.welcomes)
        entry = NewEntry(group_id, session.device, "commit", epoch, key, digest, now_ms, bundle.commit)
        return await self._undisturbed(entry, partial(self._commit, entry, welcomes, bundle.group_info))

    async def _undisturbed(self, entry: NewEntry, step: Callable[[], Awaitable[Appended]]) -> Appended:
        """A handshake runs to its end although its client hangs up: the next one must start from what it stored."""
        task = asyncio.create_task(self._in_turn(entry, step))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _in_turn(self, entry: NewEntry, step: Callable[[], Awaitable[Appended]]) -> Appended:
        with self._turns.of(entry.device.partition(b"/")[0]):
            for _ in range(JUDGEMENTS - 1):
                with suppress(OutdatedError):
                    return await self._answered(entry, step)
            return await self._answered(entry, step)

    async def _answered(self, entry: NewEntry, step: Callable[[], Awaitable[Appended]]) -> Appended:
        try:
            return await step()
        except RefusedError:
            # Another replica may have stored it meanwhile, or the commit that ends its epoch: then what was found here
            # does not count.
            if (answer := await self._store.earlier_answer(entry)) is not None:
                return answer
            raise

    async def _propose(self, entry: NewEntry) -> Appended:
        async with self._observers.lock(entry.group_id):
            found = await self._observers.take_for(entry)
            if isinstance(found, Appended):
                return found
            version, observer = found
            event, snapshot = await self._observers.process(observer, entry.body, entry.at_ms // 1000)
            assert isinstance(event, Proposal)
            _check_sender(event.sender, entry.device)
            if event.type == "add":  # whoever had to commit it might not be let through to that number, and then nobody
                raise RefusedError("not-allowed", "who adds somebody commits it: this service carries no Add proposals")
            answer = await self._store.append(replace(entry, observer=snapshot, judged=version))
            self._observers.keep(entry.group_id, version + 1, observer)
            return answer

    async def _commit(self, entry: NewEntry, welcomes: tuple[NewWelcome, ...], group_info: bytes) -> Appended:
        async with self._observers.lock(entry.group_id):
            found = await self._observers.take_for(entry)
            if isinstance(found, Appended):
                return found
            version, observer = found
            event, snapshot = await self._observers.process(observer, entry.body, entry.at_ms // 1000)
            assert isinstance(event, Commit)
            _check_commit(event, entry.device, observer, group_info)
            judged = replace(entry, observer=snapshot, judged=version)
            answer = await self._store.commit(_new_commit(judged, welcomes, event))
            self._observers.keep(entry.group_id, version + 1, observer)
            return answer


def _references(inspected: Inspected) -> tuple[bytes, ...]:
    if inspected.kind != "welcome":
        raise RefusedError("malformed", "a bundle's welcomes must be Welcomes")
    return inspected.key_package_references


def _check_sender(sender: Member | None, device: bytes) -> None:
    if sender is None or sender.identity != device:
        raise RefusedError("not-allowed", "a handshake is sent by the member who made it")


def _check_commit(event: Commit, device: bytes, observer: Observer, group_info: bytes) -> None:
    if event.external or event.committer is None or event.reinit:
        raise RefusedError("not-allowed", "only members' commits that continue the group are carried")
    index = event.committer.index
    before = next((old for old, _ in event.updated if old.index == index), event.committer)
    _check_sender(before, device)
    if tree_hash(group_info) != observer.tree_hash():
        raise RefusedError("invalid-handshake", "the GroupInfo is not that of the epoch that the commit starts")


def _new_commit(entry: NewEntry, welcomes: tuple[NewWelcome, ...], event: Commit) -> NewCommit:
    return NewCommit(
        entry,
        welcomes,
        frozenset(member.identity for member in event.added),
        frozenset(member.identity for member in event.removed),
        tuple((old.identity, new.identity) for old, new in event.updated if old.identity != new.identity),
    )
