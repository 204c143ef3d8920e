"""A backup is taken while the service goes on; what is restored from it never passes for what was lost."""

import asyncio
import hashlib
import secrets
import shutil
import signal
from pathlib import Path

import apsw
import msgspec
import pytest
from click.testing import CliRunner, Result

from delivery_service.backup import LABEL, back_up, restore
from delivery_service.cli import delivery
from delivery_service.errors import StartError
from delivery_service.storage.operation import LOST_NUMBERS
from delivery_service.storage.sqlite import DATABASE_FILE
from tests.delivery_service.conftest import NOW, Device, running_world
from tests.delivery_service.real_process import RealProcess

ALICE, BOB, CAROL = "+12025550142", "+12025550143", "+12025550144"


def command(*arguments: object) -> Result:
    return CliRunner().invoke(delivery, list(map(str, arguments)))


async def test_a_backup_taken_while_entries_arrive_is_one_moment_of_the_log(tmp_path: Path, now_roots, now_device):
    process = RealProcess(tmp_path / "service", now_roots)
    await process.start()
    alice = await connected(now_device(ALICE), process)
    group = await alice.create()
    acknowledged: list[str] = []

    async def append() -> None:
        while True:
            key = secrets.token_hex(16)
            assert (await alice.append(group.group_id, group.encrypt(b"text"), key)).status_code == 201
            acknowledged.append(key)

    appending = [asyncio.create_task(append()) for _ in range(8)]
    while len(acknowledged) < 100:
        await asyncio.sleep(0.01)
    before = set(acknowledged)
    answer = await asyncio.to_thread(command, "backup", tmp_path / "backup", "--data-dir", process.folder)
    assert answer.exit_code == 0, answer.stderr
    after = set(acknowledged)
    while len(acknowledged) < len(after) + 50:
        await asyncio.sleep(0.01)
    for task in appending:
        task.cancel()
    await asyncio.wait(appending)
    await process.end(signal.SIGKILL)

    assert {each.name for each in (tmp_path / "backup").iterdir()} >= {DATABASE_FILE, "franking.key", LABEL}
    assert (tmp_path / "backup" / DATABASE_FILE).stat().st_mode & 0o777 == 0o600
    shutil.rmtree(process.folder)  # the disk is lost
    answer = command("restore", tmp_path / "backup", "--data-dir", process.folder)
    assert answer.exit_code == 0, answer.stderr
    assert "every client is told so" in answer.stdout
    await process.start()
    await connected(alice, process)
    kept = [entry.idempotency_key for entry in (await read_all(alice, group.group_id, 0))]
    assert before <= set(kept)
    assert len(kept) <= len(after) + 8
    await alice.http.aclose()
    assert await process.end() == 0


async def connected(device: Device, process: RealProcess) -> Device:
    await device.http.aclose()
    device.http = process.client()
    await device.open_session()
    return device


async def read_all(device: Device, group_id: bytes, after: int) -> list:
    entries: list = []
    while True:
        answer = await device.read_answer(group_id, entries[-1].seq if entries else after)
        if answer.status_code == 410:
            return entries
        batch = await device.read(group_id, entries[-1].seq if entries else after)
        if not batch.entries:
            return entries
        entries += batch.entries


async def test_a_reader_is_told_of_the_gap_wherever_it_stood_and_numbers_are_not_used_twice(tmp_path: Path):
    lost, kept = tmp_path / "lost", tmp_path / "kept"
    async with running_world(lost) as world:
        alice, bob = await world.device(ALICE), await world.device(BOB, packages=3)
        carol = await world.device(CAROL, packages=1)
        group = await alice.create()
        await alice.add(group, BOB)
        said = [(await alice.say(group, b"kept")).seq for _ in range(3)]
        back_up(lost, tmp_path / "backup", NOW)
        given = [(await alice.say(group, b"lost")).seq for _ in range(3)]
        claimed = await alice.claim(BOB)
    restore(tmp_path / "backup", kept)

    async with running_world(kept) as world:
        for device in (alice, bob, carol):
            device.http = world.http
            await device.open_session()
        heads = (await bob.call("GET", "/v1/groups")).json()["groups"]
        assert list(heads.values()) == [said[-1] + LOST_NUMBERS]
        assert [entry.seq for entry in (await bob.read(group.group_id, said[0])).entries] == said[1:]
        assert (await bob.read(group.group_id, said[0])).more
        for cursor in (said[-1], given[0], given[-1], given[-1] + 1000):
            answer = await bob.read_answer(group.group_id, cursor)
            assert answer.status_code == 410
            assert answer.json()["type"].endswith(":gone")
            assert answer.json()["floor"] == said[-1] + LOST_NUMBERS + 1
            assert answer.json()["epoch"] == 1
        floor = answer.json()["floor"]
        after = [(await alice.say(group, b"after")).seq for _ in range(2)]
        assert after == [floor, floor + 1]
        assert [entry.seq for entry in (await bob.read(group.group_id, floor - 1)).entries] == after
        assert await bob.read_answer(group.group_id, floor + 1)

        stock = (await bob.call("GET", "/v1/key-packages")).json()
        assert (stock["available"], stock["last_resort"]) == (0, False)  # one of them was claimed, nobody knows which
        assert (await bob.publish(1)).status_code == 200
        assert await alice.claim(BOB) != claimed
        assert (await carol.publish(1)).status_code == 200
        await alice.add(group, CAROL)
        assert (await carol.inbox()).head > LOST_NUMBERS
        _, seq = await carol.join()
        await alice.say(group, b"and Carol")
        assert len((await carol.read(group.group_id, seq)).entries) == 1


async def test_an_inbox_goes_on_above_what_it_gave_out(tmp_path: Path):
    async with running_world(tmp_path / "lost") as world:
        alice, bob = await world.device(ALICE), await world.device(BOB, packages=3)
        group = await alice.create()
        await alice.add(group, BOB)
        position = (await bob.inbox()).head
        back_up(tmp_path / "lost", tmp_path / "backup", NOW)
        other = await alice.create()
        await alice.add(other, BOB)
        lost = (await bob.inbox()).head
    restore(tmp_path / "backup", tmp_path / "kept")
    async with running_world(tmp_path / "kept") as world:
        for device in (alice, bob):
            device.http = world.http
            await device.open_session()
        assert (await bob.publish(1)).status_code == 200
        third = await alice.create()
        await alice.add(third, BOB)
        (item,) = (await bob.inbox(lost)).items
        assert item.group_id == third.group_id
        assert item.position > lost > position


async def test_two_restores_make_two_gaps(tmp_path: Path):
    async with running_world(tmp_path / "first") as world:
        alice = await world.device(ALICE)
        group = await alice.create()
        await alice.say(group, b"kept")
    back_up(tmp_path / "first", tmp_path / "backup 1", NOW)
    restore(tmp_path / "backup 1", tmp_path / "second")
    async with running_world(tmp_path / "second") as world:
        alice.http = world.http
        await alice.open_session()
        between = (await alice.say(group, b"between")).seq
    back_up(tmp_path / "second", tmp_path / "backup 2", NOW)
    restore(tmp_path / "backup 2", tmp_path / "third")
    async with running_world(tmp_path / "third") as world:
        alice.http = world.http
        await alice.open_session()
        assert (await alice.read_answer(group.group_id, 1)).json()["floor"] == between
        assert [each.seq for each in (await alice.read(group.group_id, between - 1)).entries] == [between]
        assert (await alice.read_answer(group.group_id, between)).json()["floor"] == between + LOST_NUMBERS + 1


async def small(folder: Path) -> None:
    async with running_world(folder) as world:
        alice = await world.device(ALICE)
        await alice.say(await alice.create(), b"text" * 1000)


async def test_what_is_no_whole_backup_is_refused_and_leaves_nothing(tmp_path: Path):
    await small(tmp_path / "data")
    back_up(tmp_path / "data", tmp_path / "backup", NOW)
    database = tmp_path / "backup" / DATABASE_FILE
    whole = database.read_bytes()
    for damaged in (whole[:-4096], whole[:9000] + b"\xff" * 64 + whole[9064:], b""):
        database.write_bytes(damaged)
        answer = command("restore", tmp_path / "backup", "--data-dir", tmp_path / "new")
        assert answer.exit_code == 1
        assert "use another backup" in answer.stderr
        assert not (tmp_path / "new" / DATABASE_FILE).exists()
    label = msgspec.json.decode((tmp_path / "backup" / LABEL).read_bytes())
    with apsw.Connection(str(tmp_path / "later")) as later:
        later.execute("PRAGMA user_version = 99")
    later.close()
    database.write_bytes((tmp_path / "later").read_bytes())
    label["database"] = hashlib.sha256(database.read_bytes()).hexdigest()
    (tmp_path / "backup" / LABEL).write_bytes(msgspec.json.encode(label))
    with pytest.raises(StartError, match="schema 99"):
        restore(tmp_path / "backup", tmp_path / "new")
    (tmp_path / "backup" / LABEL).unlink()
    with pytest.raises(StartError, match="not finished"):
        restore(tmp_path / "backup", tmp_path / "new")


async def test_a_backup_that_failed_is_not_in_the_way_of_the_next(tmp_path: Path):
    await small(tmp_path / "data")
    (tmp_path / "there").mkdir()
    for target in (tmp_path / "new", tmp_path / "there"):
        with pytest.raises(StartError, match="not encrypted with this key"):
            back_up(tmp_path / "data", target, NOW, bytes(32))
        back_up(tmp_path / "data", target, NOW)
        assert restore(target, tmp_path / f"from-{target.name}")[1] == 1


async def test_nothing_is_overwritten(tmp_path: Path):
    await small(tmp_path / "data")
    back_up(tmp_path / "data", tmp_path / "backup", NOW)
    with pytest.raises(StartError, match="is not empty"):
        back_up(tmp_path / "data", tmp_path / "backup", NOW)
    assert (tmp_path / "backup" / LABEL).exists()
    with pytest.raises(StartError, match="move it away"):
        restore(tmp_path / "backup", tmp_path / "data")
    with pytest.raises(StartError, match="no database"):
        back_up(tmp_path / "nowhere", tmp_path / "other", NOW)
    async with running_world(tmp_path / "data"):
        (tmp_path / "data" / DATABASE_FILE).rename(tmp_path / "moved")
        with pytest.raises(StartError, match="is using"):
            restore(tmp_path / "backup", tmp_path / "data")
        (tmp_path / "moved").rename(tmp_path / "data" / DATABASE_FILE)
