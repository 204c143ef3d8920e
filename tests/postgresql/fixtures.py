"""Fixtures: one server for each worker, one database for each test, and a cluster with standbys where one is killed.

Without PostgreSQL their tests are skipped, with the reason.
"""

from collections.abc import Iterator
from itertools import count

import pytest

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


@pytest.fixture
def database(postgresql: Server) -> Iterator[str]:
    """The URL of an empty database."""
    name = f"test_{next(_numbers)}"
    postgresql.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    yield postgresql.url(name)
    postgresql.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A primary and two standbys, one of which must have what is acknowledged; the test may kill any of them."""
    if reason := why_not():
        pytest.skip(reason)
    with running_cluster(standbys=2) as running:
        yield running
