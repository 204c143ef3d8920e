"""With a key file, the database on the disk is ciphertext, and nobody gets at it without the key."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from delivery_service.backup import back_up, restore
from delivery_service.cli import delivery
from delivery_service.errors import StartError
from delivery_service.storage.encryption import KEY_SIZE, read_key_file
from delivery_service.storage.sqlite import DATABASE_FILE, SqliteEngine
from tests.delivery_service.conftest import NOW, running_world

ALICE, BOB = "+12025550142", "+12025550143"
KEY, OTHER = bytes(range(KEY_SIZE)), bytes(KEY_SIZE)
READABLE = (b"SQLite format 3", b"CREATE TABLE", b"12025550142", b"12025550143")


def seen(folder: Path) -> list[bytes]:
    """What can be read in the database, its log and whatever else SQLite keeps beside it."""
    octets = b"".join(file.read_bytes() for file in folder.glob(f"{DATABASE_FILE}*"))
    return [word for word in READABLE if word in octets]


async def used(folder: Path, key: bytes | None) -> list[int]:
    async with running_world(folder, encryption=key) as world:
        alice = await world.device(ALICE)
        await world.device(BOB, packages=1)
        group = await alice.create()
        await alice.add(group, BOB)
        said = [(await alice.say(group, b"text")).seq for _ in range(3)]
        found = seen(folder)  # while it runs, the log beside it has the newest pages
        assert bool(found) is (key is None), found
        assert [each.seq for each in (await alice.read(group.group_id)).entries][-3:] == said
    return said


async def test_nothing_on_the_disk_can_be_read(tmp_path: Path) -> None:
    await used(tmp_path, KEY)
    assert seen(tmp_path) == []


async def test_the_control_without_a_key_can_be_read(tmp_path: Path) -> None:
    await used(tmp_path, None)
    assert seen(tmp_path) == list(READABLE)


@pytest.mark.parametrize(("made_with", "tried_with"), [(KEY, OTHER), (KEY, None), (None, KEY)])
async def test_another_key_or_none_does_not_start(tmp_path: Path, made_with, tried_with) -> None:
    await used(tmp_path, made_with)
    with pytest.raises(StartError, match=r"encrypted with this key|with --encrypt-with"):
        SqliteEngine(tmp_path, tried_with).start(lambda change: None)
    async with running_world(tmp_path, encryption=made_with):
        pass


async def test_a_database_that_was_there_is_encrypted_where_it_is(tmp_path: Path) -> None:
    data, file = tmp_path / "data", key_file(tmp_path)
    said = await used(data, None)
    answer = command("encrypt", "--data-dir", data, "--encrypt-with", file)
    assert answer.exit_code == 0, answer.output
    assert seen(data) == []
    again = command("encrypt", "--data-dir", data, "--encrypt-with", file)
    assert (again.exit_code, "encrypted already" in again.output) == (1, True)
    async with running_world(data, encryption=KEY) as world:
        heads = await world.app.state.service.store.heads((await world.device(ALICE)).name.encode())
        assert heads.groups == {}  # another device of the number, which is in no group
        stored = await world.app.state.service.engine.read(lambda tx: tx.value("SELECT max(seq) FROM log"))
        assert stored == said[-1]


async def test_a_service_that_runs_is_not_encrypted_under_its_feet(tmp_path: Path) -> None:
    async with running_world(tmp_path / "data"):
        answer = command("encrypt", "--data-dir", tmp_path / "data", "--encrypt-with", key_file(tmp_path))
    assert (answer.exit_code, "is using" in answer.output) == (1, True)


async def test_its_backup_is_encrypted_with_the_same_key(tmp_path: Path) -> None:
    said = await used(tmp_path / "data", KEY)
    with pytest.raises(StartError, match="--encrypt-with"):
        back_up(tmp_path / "data", tmp_path / "refused", NOW)
    back_up(tmp_path / "data", tmp_path / "backup", NOW, KEY)
    assert seen(tmp_path / "backup") == []
    with pytest.raises(StartError, match="this key"):
        restore(tmp_path / "backup", tmp_path / "new", OTHER)
    restore(tmp_path / "backup", tmp_path / "new", KEY)
    assert seen(tmp_path / "new") == []
    async with running_world(tmp_path / "new", encryption=KEY) as world:
        stored = await world.app.state.service.engine.read(lambda tx: tx.value("SELECT max(seq) FROM log"))
        assert stored == said[-1]


def command(*arguments: object):
    return CliRunner().invoke(delivery, list(map(str, arguments)))


def key_file(folder: Path, octets: bytes = KEY, mode: int = 0o600) -> Path:
    file = folder / "at-rest.key"
    file.unlink(missing_ok=True)
    with open(os.open(file, os.O_CREAT | os.O_WRONLY, mode), "wb") as opened:
        opened.write(octets)
    file.chmod(mode)
    return file


def test_a_key_file_has_exactly_one_key_and_one_reader(tmp_path: Path) -> None:
    assert read_key_file(key_file(tmp_path)) == KEY
    for octets in (KEY[:-1], KEY + b"\n", b""):
        with pytest.raises(StartError, match="32 random octets"):
            read_key_file(key_file(tmp_path, octets))
    for mode in (0o640, 0o604):
        with pytest.raises(StartError, match="chmod 600"):
            read_key_file(key_file(tmp_path, mode=mode))
    with pytest.raises(StartError, match="/dev/urandom"):
        read_key_file(tmp_path / "nowhere")
