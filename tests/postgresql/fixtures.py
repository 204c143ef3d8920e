"""Fixtures: one server for each worker, one database for each test, and a cluster with standbys where one is killed.

Without PostgreSQL their tests are skipped, with the reason.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from delivery_service.migrations import migrate
from tests.postgresql.cluster import Cluster, running_cluster
from tests.postgresql.server import Server, why_not

_numbers = count()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A server without standbys, for all tests of one worker."""
    if reason := why_not():
        pytest.skip(reason)
    with running_cluster() as cluster:
        yield cluster.primary


@pytest.fixture(scope="session")
def migrated(postgresql: Server) -> str:
    """The name of a database with this release's tables, to be copied."""
    postgresql.execute("CREATE DATABASE migrated TEMPLATE template0")
    migrate(postgresql.url("migrated"))
    return "migrated"


@pytest.fixture
def empty_database(postgresql: Server) -> Iterator[str]:
    """The URL of a database without tables."""
    with _database(postgresql, "template0") as url:
        yield url


@pytest.fixture
def database(postgresql: Server, migrated: str) -> Iterator[str]:
    """The URL of a database with this release's tables, all empty."""
    with _database(postgresql, migrated) as url:
        yield url


@contextmanager
def _database(server: Server, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield server.url(name)
    finally:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A primary and two standbys, one of which must have what is acknowledged; the test may kill any of them."""
    if reason := why_not():
        pytest.skip(reason)
    with running_cluster(standbys=2) as running:
        yield running
