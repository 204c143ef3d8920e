"""The operations of mls-rs-python/benches/native.rs through the Python bindings, on the same devices."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from mls_rs import Application, Approval, Commit, Credential, Engine, Group

from lab.bench.crowd import GROUP_ID, SUITE

BATCH = 250  # as in native.rs
MESSAGE = b"m" * 1_024
LIFETIME = 365 * 86_400
FOREVER = 2**40

Validate = Callable[[Credential, bytes, int], Approval]
Device = tuple[bytes, tuple[bytes, ...]]  # P-256 scalar, chain
Times = dict[str, list[float]]  # seconds of each repetition, by operation


@dataclass(frozen=True, slots=True)
class Repetitions:
    """How often each operation is measured in one round; encrypting and decrypting count as one message."""

    creates: int
    joins: int
    messages: int
    commits: int


def accept_all(_credential: Credential, signature_key: bytes, _now: int) -> Approval:
    """The cheapest validator there can be: the identity is the key."""
    return Approval(signature_key, 0, FOREVER)


def engine(device: Device, validate: Validate = accept_all) -> Engine:
    """A fresh engine that remembers no validation."""
    scalar, chain = device
    return Engine(SUITE, Credential.x509(chain), bytearray(scalar), validate)


@contextmanager
def _timed(times: Times, operation: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    times[operation].append(time.perf_counter() - started)


def measure(devices: Sequence[Device], repetitions: Repetitions, now: int) -> Times:
    """Measure a group of all these devices; the first founds it, the last joins by a Welcome of its own."""
    times: Times = defaultdict(list)
    packages = [engine(device).key_package(now, lifetime=LIFETIME) for device in devices[1:]]
    messages = [package.message for package in packages]
    for _ in range(repetitions.creates):
        founder = engine(devices[0])
        with _timed(times, "create"):
            group, welcome = _create(founder, messages, now)
    for _ in range(repetitions.joins):
        joiner = engine(devices[-1])
        with _timed(times, "join"):
            joined = joiner.join(welcome, [packages[-1].secret], now)
    _snapshot(group)
    _snapshot(joined)
    for _ in range(repetitions.messages):
        _talk(times, group, joined, now)
    for _ in range(repetitions.commits):
        _advance(times, group, joined, now)
    return times


def join_times(devices: Sequence[Device], validators: Sequence[Callable[[], Validate]], now: int) -> Iterator[float]:
    """Seconds of one join to the same group of all these devices for each of the validators."""
    package = engine(devices[-1]).key_package(now, lifetime=LIFETIME)
    others = [engine(device).key_package(now, lifetime=LIFETIME).message for device in devices[1:-1]]
    _, welcome = _create(engine(devices[0]), [*others, package.message], now)
    for validator in validators:
        joiner = engine(devices[-1], validator())
        started = time.perf_counter()
        joiner.join(welcome, [package.secret], now)
        yield time.perf_counter() - started


def _create(founder: Engine, key_packages: Sequence[bytes], now: int) -> tuple[Group, bytes]:
    group = founder.create(GROUP_ID, now)
    *others, last = key_packages
    for start in range(0, len(others), BATCH):
        group.apply(group.commit(now, add=others[start : start + BATCH]).secrets)
    pending = group.commit(now, add=[last])
    group.apply(pending.secrets)
    return group, pending.welcomes[0]


def _snapshot(group: Group) -> None:
    group.ack(group.delta().token)


def _talk(times: Times, sender: Group, receiver: Group, now: int) -> None:
    with _timed(times, "encrypt"):
        sealed = sender.encrypt(MESSAGE)
    with _timed(times, "snapshot_message"):
        _snapshot(sender)
    with _timed(times, "decrypt"):
        received = receiver.process(sealed, now)
    assert isinstance(received, Application)
    assert received.data == MESSAGE


def _advance(times: Times, committer: Group, receiver: Group, now: int) -> None:
    with _timed(times, "commit"):
        pending = committer.commit(now, path=True)
    with _timed(times, "apply"):
        committer.apply(pending.secrets)
    with _timed(times, "process"):
        received = receiver.process(pending.commit, now)
    assert isinstance(received, Commit)
    with _timed(times, "snapshot_commit"):
        _snapshot(receiver)
    _snapshot(committer)
