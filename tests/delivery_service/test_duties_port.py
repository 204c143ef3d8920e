"""The storage of the service's own duties, on every engine."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from delivery_service.errors import OutdatedError
from delivery_service.quotas import NO_QUOTAS
from delivery_service.storage import duties
from delivery_service.storage.database import Database
from delivery_service.storage.duties import Holder, KeptList, PathPlace
from delivery_service.storage.engine import Engine
from delivery_service.storage.postgresql import PostgresqlEngine
from delivery_service.storage.sqlite import SqliteEngine
from delivery_service.storage.store import Store
from delivery_service.storage.values import Stock
from delivery_service.wire import Appended
from delivery_service.wire.duties import LAST_RESORT_AGE
from tests.delivery_service.stored import ALICE, BOB, GROUP, NOW, Recorder, approach, new_entry, new_group, package

CERTIFICATE = bytes(16)


@pytest.fixture(params=["memory", "postgresql"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    opened: Engine = SqliteEngine(None)
    if request.param == "postgresql":
        opened = PostgresqlEngine(Database(request.getfixturevalue("database"), one_copy=True))
    opened.start(Recorder())
    yield opened
    await opened.stop()


async def test_the_newest_list_of_each_issuer_is_kept(engine: Engine) -> None:
    for number in (1, 2):
        await engine.write(duties.keep_list, KeptList(b"issuer", b"certificate", bytes([number]), NOW))
    await engine.write(duties.keep_list, KeptList(b"another", b"certificate", b"list", NOW))
    kept = await engine.read(duties.lists)
    assert {each.issuer: each.list for each in kept} == {b"issuer": b"\2", b"another": b"list"}


async def test_a_listed_certificate_is_found_by_any_place_in_its_path(engine: Engine) -> None:
    path = [PathPlace(b"issuer", b"\1"), PathPlace(b"root", b"\7")]
    for _ in range(2):
        await engine.write(duties.note_path, Holder(CERTIFICATE, ALICE), path, NOW + 1)
    for place in path:
        assert await engine.read(duties.holders, [place]) == [Holder(CERTIFICATE, ALICE)]
    assert await engine.read(duties.holders, [PathPlace(b"issuer", b"\7"), PathPlace(b"root", b"\1")]) == []
    await engine.write(duties.expire, NOW + 2, NOW)
    assert await engine.read(duties.holders, path) == []


async def test_purged_key_packages_are_not_handed_out_and_not_taken_again(engine: Engine) -> None:
    store = Store(engine)
    packages = [package(b"1"), package(b"2")]
    await store.add_key_packages(BOB, "+1", packages, package(b"3"), NOW)
    stored = await engine.read(duties.packages, BOB)
    assert sorted(body for _, body in stored) == sorted(each.body for each in (*packages, package(b"3")))
    await engine.write(duties.purge, [position for position, _ in stored])
    assert await engine.read(duties.packages, BOB) == []
    assert await store.add_key_packages(BOB, "+1", packages, None, NOW) == Stock(0, False)


async def test_a_last_resort_package_that_was_handed_out_or_is_old_is_to_be_replaced(engine: Engine) -> None:
    store = Store(engine)
    await store.add_key_packages(BOB, "+1", [package(b"1")], package(b"2", NOW + 2 * LAST_RESORT_AGE), NOW)
    await store.claim(approach("+3", "+1"), NO_QUOTAS)
    assert await store.stock(BOB, NOW) == Stock(0, True)
    assert not (await store.heads(BOB)).rotate
    assert await store.stock(BOB, NOW + LAST_RESORT_AGE) == Stock(0, True, rotate=True)
    await store.claim(approach("+3", "+1"), NO_QUOTAS)
    assert await store.stock(BOB, NOW) == Stock(0, True, rotate=True)
    assert (await store.heads(BOB)).rotate
    assert await store.add_key_packages(BOB, "+1", [], package(b"4"), NOW) == Stock(0, True)
    assert not (await store.heads(BOB)).rotate


async def test_a_group_is_due_at_first_when_its_time_comes_and_when_a_member_is_revoked(engine: Engine) -> None:
    store = Store(engine)
    await store.create_group(new_group())
    assert await engine.read(duties.due_groups, NOW, 10) == [GROUP]
    await engine.write(duties.looked_at, GROUP, NOW + 5)
    assert await engine.read(duties.due_groups, NOW + 4, 10) == []
    assert await engine.read(duties.due_groups, NOW + 5, 10) == [GROUP]
    await engine.write(duties.looked_at, GROUP, NOW + 50)
    await engine.write(duties.due_now, [BOB])  # no member
    assert await engine.read(duties.due_groups, NOW, 10) == []
    await engine.write(duties.due_now, [ALICE])
    assert await engine.read(duties.due_groups, NOW, 10) == [GROUP]


async def test_who_was_never_noted_is_not_idle_and_members_are_not_forgotten(engine: Engine) -> None:
    await Store(engine).create_group(new_group())
    assert await engine.read(duties.idle, GROUP, NOW) == frozenset()
    for device in (ALICE, BOB):
        await engine.write(duties.seen, device, NOW - 9)
    assert await engine.read(duties.idle, GROUP, NOW - 9) == frozenset()
    await engine.write(duties.expire, NOW, NOW)
    assert await engine.read(duties.idle, GROUP, NOW) == {ALICE}
    await engine.write(duties.seen, ALICE, NOW)
    assert await engine.read(duties.idle, GROUP, NOW) == frozenset()


async def test_the_services_own_entry_needs_no_membership_but_the_epoch_and_the_observer(engine: Engine) -> None:
    store = Store(engine)
    await store.create_group(new_group())
    removal = replace(new_entry(), device=b"", kind="proposal", observer=b"with the removal")
    assert await engine.write(duties.append_removal, removal) == Appended(1, 0)
    assert await store.observer(GROUP) == (1, b"with the removal")
    with pytest.raises(OutdatedError):
        await engine.write(duties.append_removal, removal)
    assert await engine.write(duties.append_removal, replace(removal, judged=1)) is None  # the same, once more
    assert await engine.write(duties.append_removal, replace(removal, judged=1, key=bytes(16), epoch=1)) is None
    (entry,) = (await store.read(GROUP, ALICE, 0)).entries[:1]
    assert (entry.kind, entry.seq) == ("proposal", 1)
