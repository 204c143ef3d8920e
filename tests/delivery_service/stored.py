"""Values for the storage in tests: one group, three devices, and what they send."""

import hashlib
import secrets
from dataclasses import replace

import pytest

from delivery_service.errors import RefusedError
from delivery_service.quotas import NO_QUOTAS
from delivery_service.storage.store import Store
from delivery_service.storage.values import (
    Approach,
    Change,
    NewCommit,
    NewEntry,
    NewGroup,
    NewKeyPackage,
    NewWelcome,
    Notified,
)
from delivery_service.wire import Appended

ALICE, BOB, CAROL = b"+12025550142/a", b"+12025550143/b", b"+12025550144/c"
GROUP = b"group"
NOW = 1_800_000_000
# Processes of PostgreSQL that wait for the standbys to have what concerns a group, and not with a heartbeat.
WAITING = """
SELECT DISTINCT pid FROM pg_stat_activity JOIN pg_locks USING (pid)
WHERE wait_event = 'SyncRep' AND relation = 'groups'::regclass
"""


class Recorder(list["Change | Notified"]):
    """A listener that remembers."""

    def __call__(self, change: Change | Notified) -> None:
        self.append(change)


def new_group(group_id: bytes = GROUP, key: bytes = b"k" * 16, digest: bytes = b"d" * 32) -> NewGroup:
    return NewGroup(group_id, ALICE, key, digest, b"observer of epoch 0")


def new_entry(epoch: int = 0, device: bytes = ALICE, body: bytes | None = None, key: bytes | None = None) -> NewEntry:
    body = secrets.token_bytes(40) if body is None else body
    key = key or secrets.token_bytes(16)
    return NewEntry(GROUP, device, "application", epoch, key, hashlib.sha256(body).digest(), NOW * 1000, body)


def new_commit(epoch: int = 0, device: bytes = ALICE, **parts: object) -> NewCommit:
    entry = replace(
        new_entry(epoch, device), kind="commit", observer=b"observer of epoch %d" % (epoch + 1), judged=epoch
    )
    nothing: dict[str, object] = {"welcomes": (), "added": frozenset(), "removed": frozenset(), "renamed": ()}
    return NewCommit(entry, **{**nothing, **parts})  # type: ignore[arg-type]


def package(reference: bytes, not_after: int = NOW + 1000) -> NewKeyPackage:
    return NewKeyPackage(reference, not_after, b"package " + reference)


def approach(number: str = "+3", target: str = "+2", at: int = NOW, issuer: bytes = b"issuer") -> Approach:
    return Approach(number.encode() + b"/device", number, issuer, target, at)


async def claim(store: Store, number: str) -> list[bytes]:
    return await store.claim(Approach(ALICE, "+12025550142", b"issuer", number, NOW), NO_QUOTAS)


async def invite(store: Store, device: bytes, epoch: int = 0) -> Appended:
    reference = secrets.token_bytes(16)
    number = device.split(b"/")[0].decode()
    await store.add_key_packages(device, number, [package(reference)], None, NOW)
    await claim(store, number)
    return await store.commit(
        new_commit(epoch, welcomes=(NewWelcome(b"welcome", (reference,)),), added=frozenset((device,)))
    )


async def refused(awaitable: object) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        await awaitable  # type: ignore[misc]
    return caught.value
