"""What must be true after every run, read from the devices' stores, the service's database and what the network saw."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mls_rs import inspect

from client.defence.admission import Place
from client.defence.continuity import identity_of_key
from client.records.chats import Standing
from client.records.message import Kind, Message
from client.session import Session
from delivery_service.storage.key_packages import State
from identity.device import spki_hash
from lab.faults.client import Device
from lab.faults.park import Park

APPLICATION, COMMIT = 0, 2  # numbers of log.kind
TIME_LIES = ("clock-back", "held-back", "delivered-late")  # what differing clocks look like
HIDING = (Place.REQUEST, Place.QUARANTINE)
TIME_WORDS = ("The service's clock ran back", "The service held this back")


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the service's log."""

    seq: int
    epoch: int
    kind: int
    digest: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Log:
    """One group as the database has it; `terms` are memberships: device, since, until."""

    group_id: bytes
    name: str
    epoch: int
    head: int
    entries: tuple[Entry, ...]
    terms: tuple[tuple[bytes, int, int | None], ...]

    def covers(self, device: bytes, seq: int) -> bool:
        """Whether a device was a member at a place of the log."""
        return any(
            who == device and since < seq and (until is None or seq <= until) for who, since, until in self.terms
        )

    @property
    def members(self) -> set[bytes]:
        """The devices in it now."""
        return {device for device, _, until in self.terms if until is None}


def logs(park: Park) -> list[Log]:
    """Every group of the service."""
    execute = park.storage.connection.execute
    found = []
    groups: list[Any] = execute("SELECT number, group_id, epoch, head FROM groups").fetchall()
    for number, group_id, epoch, head in groups:
        rows: Any = execute(
            "SELECT seq, epoch, kind, digest, body FROM log WHERE group_number = ? ORDER BY seq", (number,)
        )
        terms: Any = execute("SELECT device, since, until FROM memberships WHERE group_number = ?", (number,))
        entries = tuple(Entry(*row) for row in rows)
        reached = epoch if epoch >= 0 else -epoch - 1  # an ended group's (storage/ending.py)
        found.append(Log(group_id, park.group(group_id), reached, head, entries, tuple(terms)))
    return found


def unsettled(park: Park, devices: Sequence[Device]) -> list[str]:
    """What has not come to rest yet: a device behind a log, or with something to post."""
    kept = logs(park)
    return [words for device in devices if device.session for words in _unsettled(device, device.session, kept)]


def _unsettled(device: Device, session: Session, kept: list[Log]) -> Iterator[str]:
    steps = session.steps
    identity = _identity(session)
    for log in kept:
        waiting = not all(intent.is_proposed for intent in steps.intents.of(log.group_id))  # those wait for a member
        if waiting or log.group_id in steps.outbox.groups():
            yield f"{device.name} has something to post in {log.name}"
    for log in kept:
        chat = steps.chats.get(log.group_id)
        if identity not in log.members:
            if chat is not None and chat.standing.is_member:
                yield f"{device.name} does not know that it is out of {log.name}"
        elif chat is None:
            yield f"{device.name} has not joined {log.name}"
        elif not chat.standing.is_member:
            if chat.standing is Standing.LEFT and log.members == {identity}:
                continue  # the last one closes a chat without a word to anybody
            yield f"{device.name} is in {log.name} and takes itself to be {chat.standing}"
        elif (chat.cursor, chat.epoch) != (log.head, log.epoch):
            yield f"{device.name} is at {chat.cursor} of {log.head} in {log.name}, epoch {chat.epoch} of {log.epoch}"


def _identity(session: Session) -> bytes:
    return identity_of_key(session.account.number, spki_hash(session.account.point()))


def check(park: Park, devices: Sequence[Device]) -> None:
    """Add each violation to `park.unexpected`."""
    found = park.unexpected
    kept = logs(park)
    found += unsettled(park, devices)
    for log in kept:
        found += _order(log)
    found += _confirmed(park, kept)
    found += _key_packages(park)
    found += park.network.ledger.failures
    found += _authenticators(park, devices, kept)
    found += _messages(park, devices, kept)
    for device in devices:
        if device.session is not None:
            found += _accusations(park, device, device.session)


def _order(log: Log) -> Iterator[str]:
    if [entry.seq for entry in log.entries] != list(range(1, log.head + 1)):
        yield f"the log of {log.name} has gaps: {[entry.seq for entry in log.entries]} of {log.head}"
    commits = [entry.epoch for entry in log.entries if entry.kind == COMMIT]
    if commits != list(range(log.epoch)):
        yield f"{log.name} is in epoch {log.epoch} and has commits of {commits}"
    epoch = 0
    for entry in log.entries:
        if entry.epoch != epoch:
            yield f"{log.name} has at {entry.seq} an entry of epoch {entry.epoch} in epoch {epoch}"
        epoch += entry.kind == COMMIT


def _confirmed(park: Park, kept: list[Log]) -> Iterator[str]:
    held = {(log.group_id, entry.digest, entry.seq) for log in kept for entry in log.entries}
    for group_id, digest, seq in sorted(park.network.ledger.confirmed - held):
        yield f"{park.group(group_id)}: a replica confirmed {seq} ({digest.hex()[:8]}), which is not in the log"


def _key_packages(park: Park) -> Iterator[str]:
    lasting = {
        reference
        for (reference,) in park.storage.connection.execute(
            "SELECT reference FROM key_packages WHERE state IN (?, ?)", (State.LAST_RESORT, State.REPLACED)
        )
    }
    for message, times in park.network.ledger.handed_out.items():
        (reference,) = inspect(message).key_package_references
        if times > 1 and reference not in lasting:
            yield f"a key package was handed out {times} times: {reference.hex()[:8]}"


def _authenticators(park: Park, devices: Sequence[Device], kept: list[Log]) -> Iterator[str]:
    for (group_id, epoch), seen in park.authenticators.items():
        if len(seen) > 1:
            yield f"{park.group(group_id)} has forked in epoch {epoch}: {len(seen)} authenticators"
    for log in kept:
        values = set()
        for device in devices:
            chat = None if device.session is None else device.session.steps.chats.get(log.group_id)
            if chat is not None and chat.standing.is_member and device.session is not None:
                values.add((chat.epoch, device.session.steps.groups.authenticator(log.group_id)))
        if len(values) > 1:
            yield f"{log.name} ends with {len(values)} states"


def _messages(park: Park, devices: Sequence[Device], kept: list[Log]) -> Iterator[str]:
    rows = {
        (device.name, log.group_id): device.session.steps.history.chat(log.group_id)
        for device in devices
        if device.session is not None
        for log in kept
    }
    for log in kept:
        names: dict[int, set[str]] = defaultdict(set)
        for device in devices:
            if device.session is None:
                continue
            mine = rows[device.name, log.group_id]
            yield from _own(device, log, mine, clocks_differ=bool(park.family.rates.skew))
            yield from _shown(device, device.session, log, mine)
            for row in mine:
                if row.seq is not None and row.message_id:
                    names[row.seq].add(row.message_id)
        for seq, different in names.items():
            if len(different) > 1:
                yield f"{log.name}: devices have different messages at {seq}"


def _own(device: Device, log: Log, rows: list[Message], *, clocks_differ: bool) -> Iterator[str]:
    entries = {entry.seq: entry for entry in log.entries}
    for row in rows:
        if row.kind is Kind.GAP and not (clocks_differ and row.text.startswith(TIME_WORDS)):
            yield f"{device.name} in {log.name}: {row.text}"
        if row.state in ("accepted", "delivered") and (
            row.seq is None or row.seq not in entries or entries[row.seq].kind != APPLICATION
        ):
            yield f"{device.name}: {row.text!r} is {row.state} in {log.name} and not in its log (at {row.seq})"
        if row.state in ("queued", "sending", "accepted"):
            yield f"{device.name}: {row.text!r} is still {row.state} in {log.name}"
        if row.place in HIDING and not row.why:
            yield f"{device.name} hides {row.text!r} of {log.name} without a reason"
        if row.state == "failed" and not row.reason:
            yield f"{device.name}: {row.text!r} has failed in {log.name} without a reason"


def _shown(device: Device, session: Session, log: Log, rows: list[Message]) -> Iterator[str]:
    identity = _identity(session)
    at = Counter(row.seq for row in rows if row.seq is not None and row.kind is not Kind.NOTICE)
    for entry in log.entries:
        if entry.kind == APPLICATION and log.covers(identity, entry.seq) and not at[entry.seq]:
            yield f"{device.name} was a member of {log.name} at {entry.seq} and has no message of it"
    for name, times in Counter(row.message_id for row in rows if row.message_id).items():
        if times > 1:
            yield f"{device.name} shows message {name[:8]} of {log.name} {times} times"
    received = [row.seq for row in rows if row.kind is Kind.RECEIVED and row.seq is not None]
    if received != sorted(received):
        yield f"{device.name} shows {log.name} in another order than the log's: {received}"


def _accusations(park: Park, device: Device, session: Session) -> Iterator[str]:
    """The service is honest here: whatever a device says of it is wrong, but for what differing clocks explain."""
    for group_id, code, seq in session.steps.store.rows("SELECT group_id, code, seq FROM log_trouble"):
        if not (park.family.rates.skew and code in TIME_LIES) and code != "read-again":
            yield f"{device.name} accuses the service of {code} in {park.group(group_id)} at {seq}"
    if session.steps.alarms.waiting():
        alarms = session.steps.store.rows("SELECT * FROM alarm")
        yield f"{device.name} has alarms: {[each[1:4] for each in alarms]}"
