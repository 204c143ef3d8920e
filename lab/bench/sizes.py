"""`python -m lab.bench.sizes [--database URL]`: octets on disk of each message, group and key package, on both engines.

Through the storage's own works: in an empty folder, and in the empty, migrated database of a URL. With indexes; for
PostgreSQL also what it writes ahead, which is what its standbys receive.
"""

import asyncio
import hashlib
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import apsw
import click
import mls_rs
from mls_rs import Credential, Engine, Observer

from delivery_service.storage import engine as port
from delivery_service.storage.database import Database, connect
from delivery_service.storage.postgresql import PostgresqlEngine
from delivery_service.storage.sqlite import DATABASE_FILE, SqliteEngine
from delivery_service.storage.store import Store
from delivery_service.storage.values import NewEntry, NewGroup, NewKeyPackage
from identity.binding import DeviceVerifier
from lab.bench.crowd import SUITE, YEAR, Certifier, validator

MESSAGES = 20_000  # of each size
GROUPS = 1_000
BODIES = (200, 600, 1_024, 4_096)  # octets of a ciphertext; 600 is a short text, padded, with its token
MEMBERS = (2, 10, 50)
PACKAGES = 5_000
FRANK = 104  # octets
BATCH = 200  # requests that wait at once
NOW = 1_800_000_000
DEVICE = b"+12025550142/" + bytes(22)

Growth: TypeAlias = tuple[int, int | None]  # octets on disk, and octets written ahead
Request: TypeAlias = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Cost:
    """Octets of one thing on disk and written ahead, and how many a second were stored, `BATCH` at a time."""

    what: str
    disk: float
    ahead: float | None
    rate: float


async def measure(engine: port.Engine, size: Callable[[], Growth]) -> list[Cost]:
    """What each thing costs in an engine that is started and stopped here."""
    engine.start(lambda change: None)
    try:
        rows = []
        for what, requests in _requests(engine):
            before, begun = size(), time.perf_counter()
            for start in range(0, len(requests), BATCH):
                await asyncio.gather(*(request() for request in requests[start : start + BATCH]))
            taken, after = time.perf_counter() - begun, size()
            ahead = None if after[1] is None or before[1] is None else (after[1] - before[1]) / len(requests)
            rows.append(Cost(what, (after[0] - before[0]) / len(requests), ahead, len(requests) / taken))
        return rows
    finally:
        await engine.stop()


def _requests(engine: port.Engine) -> Iterable[tuple[str, list[Request]]]:
    store, package = Store(engine), _key_package()
    for members in MEMBERS:
        snapshot = _snapshot(members)
        what = f"group of {members} devices (observer of {len(snapshot):,} octets)"
        yield what, [_founding(store, _group(members, number), snapshot) for number in range(GROUPS)]
    for body in BODIES:
        yield f"message of {body:,} octets", [_append(engine, number, body) for number in range(MESSAGES)]
    what = f"key package of {len(package):,} octets"
    yield what, [_publication(store, number, package) for number in range(PACKAGES)]


def _founding(store: Store, group_id: bytes, snapshot: bytes) -> Request:
    group = NewGroup(group_id, DEVICE, secrets.token_bytes(16), secrets.token_bytes(32), snapshot)
    return lambda: store.create_group(group)


def _append(engine: port.Engine, number: int, body: int) -> Request:
    octets, key = secrets.token_bytes(body), secrets.token_bytes(16)
    digest, group_id = hashlib.sha256(octets).digest(), _group(MEMBERS[0], number % GROUPS)
    frank = secrets.token_bytes(FRANK)
    entry = NewEntry(group_id, DEVICE, "application", 0, key, digest, NOW * 1000, octets, frank=frank)
    return lambda: engine.append(entry)


def _publication(store: Store, number: int, package: bytes) -> Request:
    owner = f"+1202{number:07d}"
    new = NewKeyPackage(secrets.token_bytes(32), NOW + 1, package)
    return lambda: store.add_key_packages(owner.encode() + DEVICE[12:], owner, [new], None, NOW)


def _group(members: int, number: int) -> bytes:
    return hashlib.sha256(b"%d of %d" % (number, members)).digest()[:16]


def _engine(certifier: Certifier) -> Engine:
    scalar, chain = certifier.device()
    verifier = DeviceVerifier(certifier.anchors)
    return mls_rs.Engine(SUITE, Credential.x509(chain), bytearray(scalar), validator(verifier))


def _key_package() -> bytes:
    return _engine(Certifier(NOW)).key_package(NOW, lifetime=YEAR // 4, last_resort=False).message


def _snapshot(members: int) -> bytes:
    """The observer of a group whose members all have certificates."""
    certifier = Certifier(NOW)
    group = _engine(certifier).create(secrets.token_bytes(16), NOW)
    others = [_engine(certifier).key_package(NOW, lifetime=YEAR // 4, last_resort=False) for _ in range(members - 1)]
    group.apply(group.commit(NOW, add=[package.message for package in others]).secrets)
    validate = validator(DeviceVerifier(certifier.anchors))
    return Observer.open(group.group_info(), validate, None, NOW).snapshot()


def _sqlite_size(folder: Path) -> Growth:
    with apsw.Connection(str(folder / DATABASE_FILE)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages: Any = db.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").get
    return int(pages), None


def _postgresql_size(url: str) -> Growth:
    with connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        row = connection.execute("SELECT pg_database_size(current_database()), pg_current_wal_lsn() - '0/0'").fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


@click.command()
@click.option("--database", help="URL of an empty, migrated database whose server nobody else uses.")
def sizes(database: str | None) -> None:
    """Fill a store of each engine, and show what each thing costs."""
    with tempfile.TemporaryDirectory(prefix="ringtrue-sizes-") as name:
        folder = Path(name)
        _show("SQLite", asyncio.run(measure(SqliteEngine(folder), lambda: _sqlite_size(folder))))
    if database is not None:
        engine = PostgresqlEngine(Database(database, one_copy=True))
        _show("PostgreSQL", asyncio.run(measure(engine, lambda: _postgresql_size(database))))


def _show(name: str, costs: list[Cost]) -> None:
    for cost in costs:
        written = "" if cost.ahead is None else f", {cost.ahead:7,.0f} written ahead"
        click.echo(f"{name:10}  {cost.what:50} {cost.disk:7,.0f} octets on disk{written}, {cost.rate:7,.0f}/s")


if __name__ == "__main__":
    sizes()
