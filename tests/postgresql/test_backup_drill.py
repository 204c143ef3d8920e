"""The drill of docs/runbook.md on PostgreSQL: back up with its own tools, lose the database, restore, and go on."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from delivery_service.cli import delivery
from delivery_service.storage.database import Database
from delivery_service.storage.operation import LOST_NUMBERS
from tests.delivery_service.conftest import running_world
from tests.postgresql.cluster import Cluster, running_cluster
from tests.postgresql.server import own, why_not

ALICE, BOB = "+12025550142", "+12025550143"
Restored = Callable[[], str]


def mark_restored(url: str) -> tuple[int, str]:
    answer = CliRunner().invoke(delivery, ["mark-restored", "--database", url])
    return answer.exit_code, answer.output


def by_dump(cluster: Cluster, url: str, folder: Path) -> Restored:
    """pg_dump now; afterwards, pg_restore into a database that has forgotten everything."""
    file = folder / "dump"
    cluster.primary.run("pg_dump", "-d", url, "-Fc", "-f", str(file))

    def restore() -> str:
        cluster.primary.execute("DROP DATABASE service WITH (FORCE)")
        cluster.primary.execute("CREATE DATABASE service TEMPLATE template0")
        cluster.primary.run("pg_restore", "-d", url, "--exit-on-error", str(file))
        return url

    return restore


def by_base_backup(cluster: Cluster, url: str, folder: Path) -> Restored:
    """pg_basebackup now; afterwards, a server on the copy in the place of the one that was lost."""
    copy = folder / "copy"
    cluster.primary.run("pg_basebackup", "-d", url, "-D", str(copy), "-X", "stream", "-c", "fast")

    def restore() -> str:
        cluster.primary.kill()
        shutil.rmtree(cluster.primary.folder)
        copy.rename(cluster.primary.folder)
        cluster.primary.start()
        return url

    return restore


@pytest.mark.parametrize("back_up", [by_dump, by_base_backup])
async def test_a_restored_database_goes_on_and_readers_are_told(
    tmp_path: Path, back_up: Callable[[Cluster, str, Path], Restored]
) -> None:
    if reason := why_not():
        pytest.skip(reason)
    with running_cluster() as cluster:
        room = cluster.folder / "backups"
        room.mkdir()
        own(room)
        cluster.primary.execute("CREATE DATABASE service TEMPLATE template0")
        url = cluster.primary.url("service")
        assert CliRunner().invoke(delivery, ["migrate", "--database", url]).exit_code == 0
        database = Database(url, one_copy=True)
        async with running_world(tmp_path / "keys", database=database) as world:
            alice, bob = await world.device(ALICE), await world.device(BOB, packages=2)
            group = await alice.create()
            await alice.add(group, BOB)
            kept = [(await alice.say(group, b"kept")).seq for _ in range(3)]
            restore = back_up(cluster, url, room)
            lost = (await alice.say(group, b"lost")).seq
            code, said = mark_restored(url)
            assert (code, "stop all of them" in said) == (1, True)
        assert restore() == url
        assert mark_restored(url) == (0, said_of_groups(1))
        async with running_world(tmp_path / "keys", database=database) as world:
            for device in (alice, bob):
                device.http = world.http
                await device.open_session()
            assert [each.seq for each in (await bob.read(group.group_id, kept[0])).entries] == kept[1:]
            for cursor in (kept[-1], lost):
                refused = (await bob.read_answer(group.group_id, cursor)).json()
                assert (refused["floor"], refused["epoch"]) == (kept[-1] + LOST_NUMBERS + 1, 1)
            assert (await alice.say(group, b"after")).seq == refused["floor"]
            assert (await bob.call("GET", "/v1/key-packages")).json()["available"] == 0


def said_of_groups(count: int) -> str:
    return (
        f"As of the backup, {'1 group' if count == 1 else f'{count} groups'} can go on. "
        "What the service took after the backup is lost, and every client is told so.\n"
    )


def test_a_database_of_something_else_is_not_marked(empty_database: str) -> None:
    code, said = mark_restored(empty_database)
    assert (code, "not a restored one" in said) == (1, True)
