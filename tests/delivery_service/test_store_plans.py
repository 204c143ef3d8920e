"""What a request costs does not grow with what a group has ever said: PostgreSQL counts what each index gave."""

import asyncio

import psycopg

from delivery_service.storage.database import Database
from delivery_service.storage.postgresql import PostgresqlEngine
from delivery_service.storage.store import Store
from delivery_service.wire import BATCH_ENTRIES
from tests.delivery_service.stored import ALICE, GROUP, Recorder, new_entry, new_group

_READ = "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = %s"


def tuples_read(database: str, index: str) -> int:
    """Since the database was made; a connection tells at its end."""
    with psycopg.connect(database, autocommit=True) as connection:
        row = connection.execute(_READ, [index]).fetchone()
    assert row is not None
    return int(row[0])


async def filled(database: str, entries: int) -> None:
    engine = PostgresqlEngine(Database(database, one_copy=True))
    engine.start(Recorder())
    store = Store(engine)
    await store.create_group(new_group())
    for _ in range(entries // 20):
        await asyncio.gather(*(store.append(new_entry()) for _ in range(20)))
    await engine.stop()


async def test_an_append_reads_nothing_of_what_was_said_before(database: str) -> None:
    await filled(database, 600)
    assert tuples_read(database, "log_order") == 0
    assert tuples_read(database, "log_keys") < 2 * 600


async def test_a_batch_is_read_without_what_comes_after_it(database: str) -> None:
    await filled(database, 3 * BATCH_ENTRIES)
    before = tuples_read(database, "log_order")
    engine = PostgresqlEngine(Database(database, one_copy=True))
    engine.start(Recorder())
    batch = await Store(engine).read(GROUP, ALICE, 0)
    await engine.stop()
    assert (len(batch.entries), batch.more) == (BATCH_ENTRIES, True)
    assert tuples_read(database, "log_order") - before <= 2 * BATCH_ENTRIES + 2
