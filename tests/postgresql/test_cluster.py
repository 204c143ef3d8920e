"""The harness itself: what it starts is a real cluster, and what it kills is gone."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.postgresql.cluster import Cluster, running_cluster
from tests.postgresql.server import PATIENCE, lives, why_not


@pytest.mark.parametrize("word", ["first", "second"])
def test_each_test_has_a_database_of_its_own(database: str, word: str) -> None:
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM groups").fetchone() == (0,)
        connection.execute("INSERT INTO service_keys VALUES (%s, '')", [word])
        assert connection.execute("SELECT name FROM service_keys").fetchall() == [(word,)]


def test_what_was_acknowledged_survives_the_primary(cluster: Cluster) -> None:
    cluster.primary.execute("CREATE TABLE kept (n int)")
    cluster.standbys[0].stop()
    cluster.primary.execute("INSERT INTO kept VALUES (1)")
    old = cluster.primary
    old.kill()
    cluster.standbys[0].start()
    primary = cluster.promote()
    assert primary.execute("SELECT n FROM kept") == [(1,)]
    primary.execute("INSERT INTO kept VALUES (2)")
    cluster.rejoin(old)
    cluster.await_standbys()
    assert old.execute("SELECT pg_is_in_recovery()") == [(True,)]
    assert primary.execute("SHOW synchronous_standby_names")[0][0].startswith("ANY 1 (")


def test_without_a_standby_nothing_is_acknowledged(cluster: Cluster) -> None:
    cluster.primary.execute("CREATE TABLE kept (n int)")
    for standby in cluster.standbys:
        standby.kill()
    with psycopg.connect(cluster.primary.url()) as connection:
        connection.execute("SET statement_timeout = '300ms'")
        connection.execute("INSERT INTO kept VALUES (1)")
        pid = connection.info.backend_pid
        canceller = subprocess.Popen([sys.executable, "-c", _CANCEL, cluster.primary.url(), str(pid)])
        connection.commit()
        canceller.wait()
    assert "canceling wait for synchronous replication" in cluster.primary.log()


_CANCEL = """
import sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    query = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'SyncRep'"
    while not connection.execute(query, [int(sys.argv[2])]).fetchone():
        pass
    connection.execute("SELECT pg_cancel_backend(%s)", [int(sys.argv[2])])
"""


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_an_asynchronous_standby_may_lack_what_was_acknowledged() -> None:
    with running_cluster(standbys=2, synchronous=False) as cluster:
        cluster.primary.execute("CREATE TABLE kept (n int)")
        cluster.await_standbys()
        for standby in cluster.standbys:
            standby.kill()
        cluster.primary.execute("INSERT INTO kept VALUES (1)")
        cluster.primary.kill()
        for standby in cluster.standbys:
            standby.start()
        assert cluster.promote().execute("SELECT count(*) FROM kept") == [(0,)]


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_servers_end_with_the_test_that_was_killed() -> None:
    held = subprocess.Popen([sys.executable, "-c", _HOLD], stdout=subprocess.PIPE, text=True)
    assert held.stdout is not None
    folder, server = Path(held.stdout.readline().strip()), int(held.stdout.readline())
    assert folder.exists()
    assert lives(server)
    held.send_signal(signal.SIGKILL)
    held.wait()
    held.stdout.close()
    end = time.monotonic() + PATIENCE
    while lives(server) or folder.exists():
        assert time.monotonic() < end
        time.sleep(0.02)


_HOLD = """
import time
from tests.postgresql.cluster import running_cluster
with running_cluster() as cluster:
    print(cluster.folder, flush=True)
    print(cluster.primary.process.pid, flush=True)
    time.sleep(600)
"""
