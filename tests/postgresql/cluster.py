"""PostgreSQL clusters of their own for tests: real servers on loopback, from Debian's binaries, gone at the end.

    with running_cluster() as cluster:  # one server, which acknowledges what its own disk has
        connect(cluster.primary.url())
    with running_cluster(standbys=2) as cluster:  # acknowledged once the primary and one of two have it
        cluster.primary.kill()  # as a machine that loses its power, but for its disk
        primary = cluster.promote()  # the standby that received most
    with running_cluster(standbys=2, synchronous=False) as cluster:  # may lose what it acknowledged: a negative control
        ...

Calls block; an asynchronous test uses `asyncio.to_thread` where it has something else to do meanwhile. The servers and
their folder end with the `with`, and with the process however it ends: a reaper waits for the end of a pipe from it.
"""

import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from psycopg.conninfo import make_conninfo

from tests.postgresql.server import PATIENCE, SETTINGS, USER, Server, own

# Closing the pipe is what ends the servers, also when the test itself was killed.
_REAPER = """
cat >/dev/null
for file in "$1"/*/postmaster.pid; do
  [ -f "$file" ] && pid=$(head -n 1 "$file") && kill -KILL "$pid" $(cat "/proc/$pid/task/$pid/children")
done 2>/dev/null
for try in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$1" && [ ! -e "$1" ] && exit; sleep 0.2; done 2>/dev/null
"""


@dataclass
class Cluster:
    """A primary and its standbys, named s1, s2, … in synchronous_standby_names."""

    folder: Path
    synchronous: bool
    primary: Server
    standbys: list[Server] = field(default_factory=list)

    def promote(self) -> Server:
        """Makes the standby that received most, of those that run, the primary; the others follow it.

        Nothing acknowledged is lost as long as the one that acknowledged last is among them: stop one and kill the
        primary, not both standbys. The old primary comes back by `rejoin`.
        """
        best = max((server for server in self.standbys if server.runs), key=_received)
        self.standbys.remove(best)
        best.execute(f"SELECT pg_promote(true, {PATIENCE})")
        old, self.primary = self.primary, best
        for server in self.standbys:
            if server.runs:
                server.set("primary_conninfo", _follow(best, server.name).replace("'", "''"))
        self.standbys.append(old)
        self._require_acknowledgement()
        return best

    def cut_off(self) -> None:
        """Takes all standbys off the primary, which goes on running: as if the network between them had failed."""
        running = [server for server in self.standbys if server.runs]
        for server in running:
            server.set("primary_conninfo", "")
        end = time.monotonic() + PATIENCE
        while any(server.execute("SELECT 1 FROM pg_stat_wal_receiver") for server in running):
            assert time.monotonic() < end, self.primary.log()
            time.sleep(0.02)

    def rejoin(self, server: Server) -> None:
        """Starts a server of the cluster as a standby, from a copy of the primary's files."""
        server.kill()
        shutil.rmtree(server.folder, ignore_errors=True)
        self.primary.run(
            "pg_basebackup", "-D", str(server.folder), "-d", self.primary.url(), "-c", "fast", "-X", "stream", "-N"
        )
        (server.folder / "standby.signal").touch()
        own(server.folder / "standby.signal")
        conninfo = _follow(self.primary, server.name).replace("'", "''")
        with (server.folder / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"primary_conninfo = '{conninfo}'\nsynchronous_standby_names = ''\n")
        server.start()

    def await_standbys(self) -> None:
        """Waits until every standby that runs has what the primary has written so far."""
        wanted = {server.name for server in self.standbys if server.runs}
        end = time.monotonic() + PATIENCE
        written = self.primary.execute("SELECT pg_current_wal_lsn()")[0][0]
        query = f"SELECT application_name FROM pg_stat_replication WHERE flush_lsn >= '{written}'"
        while not wanted <= {name for (name,) in self.primary.execute(query)}:
            assert time.monotonic() < end, self.primary.log()
            time.sleep(0.05)

    def _require_acknowledgement(self) -> None:
        names = ", ".join(server.name for server in self.standbys) if self.synchronous else ""
        self.primary.set("synchronous_standby_names", names and f"ANY 1 ({names})")


def _received(server: Server) -> int:
    query = "SELECT greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0'::pg_lsn"
    return int(server.execute(query)[0][0])


def _follow(primary: Server, name: str) -> str:
    return make_conninfo(primary.url(), dbname="", application_name=name, connect_timeout="2")


@contextmanager
def running_cluster(standbys: int = 0, *, synchronous: bool = True) -> Iterator[Cluster]:
    """A cluster until the end of the `with`; `synchronous`: one of the standbys must have what is acknowledged."""
    folder = Path(tempfile.mkdtemp(prefix="ringtrue-pg-"))
    own(folder)
    reaper = subprocess.Popen(
        ["/bin/sh", "-c", _REAPER, "reaper", str(folder)], stdin=subprocess.PIPE, start_new_session=True
    )
    cluster = Cluster(folder, synchronous, Server("s0", folder / "s0", secrets.token_hex(16)))
    try:
        _found(cluster.primary)
        for number in range(1, standbys + 1):
            cluster.standbys.append(Server(f"s{number}", folder / f"s{number}", cluster.primary.password))
            cluster.rejoin(cluster.standbys[-1])
        cluster.await_standbys()
        if standbys:
            cluster._require_acknowledgement()
        yield cluster
    finally:
        assert reaper.stdin is not None
        reaper.stdin.close()
        reaper.wait(PATIENCE)
        for server in [cluster.primary, *cluster.standbys]:
            if server.process is not None:
                server.process.wait(PATIENCE)


def _found(server: Server) -> None:
    password = server.folder.parent / "password"
    password.write_text(server.password)
    own(password)
    server.run(
        "initdb", "-D", str(server.folder), "-U", USER, f"--pwfile={password}", "-A", "scram-sha-256", "-N",
        "-E", "UTF8", "--locale=C",
    )  # fmt: skip
    password.unlink()
    with (server.folder / "postgresql.conf").open("a") as settings:
        settings.write(SETTINGS)
    server.start()
