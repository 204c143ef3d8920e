"""The service confirms what carries a tag, once and in the log, with a key that outlives its process."""

import secrets
from pathlib import Path

import httpx
import msgspec
import pytest

from delivery_service.errors import StartError
from delivery_service.franking import KEY_FILE
from delivery_service.wire import Entry
from identity.errors import FrankingError
from identity.message import group_uri, user_uri
from identity.number import TelephoneNumber
from identity.reports.franking import FrankingContext, HubKey, encode_aad
from tests.delivery_service.conftest import HOST, Device, World, running_world

ALICE, BOB = "+12025550142", "+12025550143"
TAG = bytes(range(32))


async def hub_key(http: httpx.AsyncClient) -> HubKey:
    return HubKey.from_point(msgspec.convert((await http.get("/v1/status")).json()["franking_key"], bytes))


async def log(device: Device, group_id: bytes) -> list[Entry]:
    return (await device.read(group_id)).entries


def context(number: str, group_id: bytes, entry: Entry) -> FrankingContext:
    sender = user_uri(HOST, TelephoneNumber.from_digits(number[1:]))
    return FrankingContext(sender, group_uri(HOST, group_id), entry.at_ms)


async def test_a_tag_is_franked_with_sender_room_and_time(world: World):
    alice = await world.device(ALICE)
    group = await alice.create()
    assert (await alice.append(group.group_id, group.encrypt(b"x", encode_aad(TAG)))).status_code == 201
    (entry,) = await log(alice, group.group_id)
    key, right = await hub_key(world.http), context(ALICE, group.group_id, entry)
    assert entry.frank is not None
    key.verify(TAG, right, entry.frank)
    for tag, wrong in (
        (bytes(32), right),
        (TAG, context(BOB, group.group_id, entry)),
        (TAG, context(ALICE, b"another", entry)),
    ):
        with pytest.raises(FrankingError):
            key.verify(tag, wrong, entry.frank)


async def test_what_carries_no_tag_is_carried_and_not_franked(world: World):
    alice, _ = await world.device(ALICE), await world.device(BOB, packages=1)
    group = await alice.create()
    await alice.say(group, b"no tag")
    await alice.add(group, BOB)
    proposal = group.propose_remove(1, encode_aad(TAG))
    assert (await alice.append(group.group_id, proposal)).status_code == 201
    assert [entry.frank for entry in await log(alice, group.group_id)] == [None, None, None]


@pytest.mark.parametrize("data", [b"+12025550142", encode_aad(TAG)[:-1], encode_aad(TAG) + b"\x00", bytes(36)])
async def test_other_authenticated_data_is_refused(world: World, data: bytes):
    alice = await world.device(ALICE)
    group = await alice.create()
    answer = await alice.append(group.group_id, group.encrypt(b"x", data))
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:ringtrue:delivery:not-allowed")
    assert await log(alice, group.group_id) == []


async def test_a_repeat_keeps_the_first_frank(world: World):
    alice = await world.device(ALICE)
    group = await alice.create()
    message, key = group.encrypt(b"x", encode_aad(TAG)), secrets.token_hex(16)
    first = await alice.append(group.group_id, message, key)
    (before,) = await log(alice, group.group_id)
    world.clock.now += 100
    assert (await alice.append(group.group_id, message, key)).content == first.content
    assert await log(alice, group.group_id) == [before]


async def test_a_member_who_posts_what_another_made_gets_a_frank_of_its_own_name(world: World):
    """The service knows who posted, and not who encrypted: recipients compare with the MLS credential."""
    alice, bob = await world.device(ALICE), await world.device(BOB, packages=1)
    group = await alice.create()
    await alice.add(group, BOB)
    await bob.join()
    assert (await bob.append(group.group_id, group.encrypt(b"x", encode_aad(TAG)))).status_code == 201
    entry = (await log(alice, group.group_id))[-1]
    key = await hub_key(world.http)
    assert entry.frank is not None
    key.verify(TAG, context(BOB, group.group_id, entry), entry.frank)
    with pytest.raises(FrankingError):
        key.verify(TAG, context(ALICE, group.group_id, entry), entry.frank)


async def test_the_key_outlives_the_process_and_only_its_user_reads_it(tmp_path: Path):
    async with running_world(tmp_path / "data") as world:
        first = await hub_key(world.http)
    file = tmp_path / "data" / KEY_FILE
    assert file.stat().st_mode & 0o777 == 0o600
    async with running_world(tmp_path / "data") as world:
        assert await hub_key(world.http) == first
    assert [each.name for each in (tmp_path / "data").iterdir() if "franking" in each.name] == [KEY_FILE]


async def test_every_service_has_a_key_of_its_own(tmp_path: Path):
    async with running_world(tmp_path / "one") as one, running_world(tmp_path / "two") as two:
        assert await hub_key(one.http) != await hub_key(two.http)


@pytest.mark.parametrize("octets", [b"", bytes(64), bytes(63), b"\xff" * 64])
async def test_a_damaged_key_stops_the_start_with_advice_and_is_not_replaced(tmp_path: Path, octets: bytes):
    folder = tmp_path / "data"
    async with running_world(folder):
        pass
    (folder / KEY_FILE).write_bytes(octets)
    with pytest.raises(StartError, match="restore it from a backup"):
        async with running_world(folder):
            pass
    assert (folder / KEY_FILE).read_bytes() == octets


async def test_a_frank_is_kept_over_a_restart(tmp_path: Path):
    async with running_world(tmp_path / "data") as world:
        alice = await world.device(ALICE)
        group = await alice.create()
        await alice.append(group.group_id, group.encrypt(b"x", encode_aad(TAG)))
        before = await log(alice, group.group_id)
    async with running_world(tmp_path / "data") as world:
        alice.http = world.http
        await alice.open_session()
        after = await log(alice, group.group_id)
        assert after == before
        assert after[0].frank is not None
        (await hub_key(world.http)).verify(TAG, context(ALICE, group.group_id, after[0]), after[0].frank)
