"""The operations of mls-rs-python/benches/native.rs through the Python bindings, on the same devices."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mls_rs import Application, Approval, Commit, Credential, Engine, Group, Pending

from lab.bench.crowd import GROUP_ID, SUITE

BATCH = 250  # as in native.rs
MESSAGE = b"m" * 1_024
LIFETIME = 365 * 86_400
FOREVER = 2**40

Validate = Callable[[Credential, bytes, int], Approval]
Device = tuple[bytes, tuple[bytes, ...]]  # P-256 scalar, chain
Times = dict[str, float]  # seconds, by operation


def accept_all(_credential: Credential, signature_key: bytes, _now: int) -> Approval:
    """The cheapest validator there can be: the identity is the key."""
    return Approval(signature_key, 0, FOREVER)


def engine(device: Device, validate: Validate = accept_all) -> Engine:
    """A fresh engine that remembers no validation."""
    scalar, chain = device
    return Engine(SUITE, Credential.x509(chain), bytearray(scalar), validate)


class Stage:
    """The first device founds the group of all these devices, the last one joins it by a Welcome of its own.

    Each step returns the seconds of its operations, as the native benchmark's steps of the same names do.
    """

    def __init__(self, devices: Sequence[Device], now: int) -> None:
        self._founder, self._joiner = devices[0], devices[-1]
        self._now = now
        packages = [engine(device).key_package(now, lifetime=LIFETIME) for device in devices[1:]]
        self._secret = packages[-1].secret
        self._key_packages = [package.message for package in packages]

    def step(self, name: str) -> Times:
        """Take a step: `create`, `join`, `talk` or `advance`."""
        times: Times = {}
        match name:
            case "create":
                self._create(times)
            case "join":
                self._joined = self.join(times)
            case "talk":
                self._talk(times)
            case "advance":
                self._advance(times)
        return times

    def _create(self, times: Times) -> None:
        founder = engine(self._founder)
        *others, last = self._key_packages
        with _timed(times, "create"):
            self._group = founder.create(GROUP_ID, self._now)
            for start in range(0, len(others), BATCH):
                self._commit(others[start : start + BATCH])
            pending = self._commit([last])
        self._welcome = pending.welcomes[0]
        _snapshot(self._group)

    def _commit(self, added: Sequence[bytes]) -> Pending:
        pending = self._group.commit(self._now, add=added)
        self._group.apply(pending.secrets)
        return pending

    def join(self, times: Times, validate: Validate = accept_all) -> Group:
        """Join with a fresh engine."""
        joiner = engine(self._joiner, validate)
        with _timed(times, "join"):
            joined = joiner.join(self._welcome, [self._secret], self._now)
        _snapshot(joined)
        return joined

    def _talk(self, times: Times) -> None:
        with _timed(times, "encrypt"):
            sealed = self._group.encrypt(MESSAGE)
        with _timed(times, "snapshot_message"):
            _snapshot(self._group)
        with _timed(times, "decrypt"):
            received = self._joined.process(sealed, self._now)
        assert isinstance(received, Application)
        assert received.data == MESSAGE

    def _advance(self, times: Times) -> None:
        with _timed(times, "commit"):
            pending = self._group.commit(self._now, path=True)
        with _timed(times, "apply"):
            self._group.apply(pending.secrets)
        with _timed(times, "process"):
            received = self._joined.process(pending.commit, self._now)
        assert isinstance(received, Commit)
        with _timed(times, "snapshot_commit"):
            _snapshot(self._joined)
        _snapshot(self._group)


@contextmanager
def _timed(times: Times, operation: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    times[operation] = time.perf_counter() - started


def _snapshot(group: Group) -> None:
    group.ack(group.delta().token)
