"""What was written ahead comes into the database while the service runs, beside the writer or by it."""

import asyncio
import threading
from pathlib import Path

import apsw
import pytest

from delivery_service.storage import checkpoints
from delivery_service.storage.sqlite import DATABASE_FILE, SqliteEngine
from delivery_service.storage.store import Store
from tests.delivery_service.stored import ALICE, GROUP, Recorder, new_entry, new_group

PAGE = 4096
LOG_LIMIT = 400  # pages of the log in these tests


@pytest.fixture(autouse=True)
def small_log(monkeypatch):
    monkeypatch.setattr(checkpoints, "CHECKPOINT_PAGES", LOG_LIMIT)


async def fill(engine: SqliteEngine, entries: int) -> None:
    engine.start(Recorder())
    store = Store(engine)
    await store.create_group(new_group())
    for _ in range(entries // 10):
        await asyncio.gather(*(store.append(new_entry(body=bytes(PAGE))) for _ in range(10)))


def ahead(folder: Path) -> int:
    """Pages of the log's file."""
    return (folder / f"{DATABASE_FILE}-wal").stat().st_size // PAGE


@pytest.mark.parametrize("part", [40, 10 * LOG_LIMIT], ids=["beside the writer", "by the writer"])
async def test_the_log_begins_anew_and_nothing_is_lost(tmp_path, monkeypatch, part):
    monkeypatch.setattr(checkpoints, "CHECKPOINT_PART", part)
    engine = SqliteEngine(tmp_path)
    await fill(engine, 1_200)
    assert ahead(tmp_path) < 3 * LOG_LIMIT
    assert (tmp_path / DATABASE_FILE).stat().st_size > 600 * PAGE
    batch = await Store(engine).read(GROUP, ALICE, 1_190)
    assert (batch.head, len(batch.entries)) == (1_200, 10)
    await engine.stop()


async def test_the_writer_does_not_wait_for_whom_the_checkpoint_waits_for(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "CHECKPOINT_PART", 40)
    engine = SqliteEngine(tmp_path)
    await fill(engine, 10)
    reader = apsw.Connection(str(tmp_path / DATABASE_FILE))
    reader.execute("BEGIN; SELECT count(*) FROM log")
    store = Store(engine)
    for _ in range(60):
        await asyncio.gather(*(store.append(new_entry(body=bytes(PAGE))) for _ in range(10)))
    assert ahead(tmp_path) > LOG_LIMIT  # nothing that the reader sees is written over
    assert reader.execute("SELECT count(*) FROM log").get == 10
    reader.close()
    assert (await store.read(GROUP, ALICE, 600)).head == 610
    await engine.stop()


async def test_the_thread_ends_with_the_engine(tmp_path):
    engine = SqliteEngine(tmp_path)
    await fill(engine, 10)
    await engine.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "delivery-checkpoints"]
    assert not (tmp_path / f"{DATABASE_FILE}-wal").exists()
