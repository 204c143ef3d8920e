"""One PostgreSQL server for tests: started, stopped and killed as Debian's binaries are by hand.

PostgreSQL refuses to run as root, so that root's servers run as postgres or nobody.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom
from typing import Any

import psycopg

USER = "ringtrue"
PATIENCE = 60  # seconds until a server must answer
PORTS = range(20_000, 32_000)  # none that the kernel gives to outgoing connections: a restart finds its own free
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = '64MB'
dynamic_shared_memory_type = mmap
max_connections = 100
wal_keep_size = '2GB'
hot_standby = on
wal_receiver_timeout = '10s'
wal_retrieve_retry_interval = '100ms'
jit = off
"""


def binaries() -> Path | None:
    """The folder of the newest PostgreSQL here that can found a cluster; None without one."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    on_path = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    return next((folder for folder in [*reversed(debian), *on_path] if (folder / "initdb").exists()), None)


def why_not() -> str | None:
    """Why there can be no cluster here, None if there can."""
    return None if binaries() else "PostgreSQL's server is not installed: tests/postgresql/install does it"


def dropped_privileges() -> dict[str, Any]:
    """Arguments of subprocess that let root's servers run as somebody else."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def own(path: Path) -> None:
    """Gives a file or folder to whom the servers run as."""
    if user := dropped_privileges():
        os.chown(path, user["user"], user["group"])


def _free_port() -> int:
    while True:
        port = SystemRandom().choice(PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@dataclass
class Server:
    """One PostgreSQL server: its folder below the cluster's, and its port."""

    name: str
    folder: Path
    password: str
    port: int = field(default_factory=_free_port)
    process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres") -> str:
        """Where a client connects, with the password."""
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def run(self, program: str, *arguments: str) -> None:
        """Runs a program of PostgreSQL's to its end."""
        folder = binaries()
        assert folder is not None, why_not()
        done = subprocess.run(
            [folder / program, *arguments],
            cwd=self.folder.parent,
            capture_output=True,
            text=True,
            **dropped_privileges(),
        )
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"

    def start(self) -> None:
        """Starts the server, after `stop` or `kill` too, and waits until it answers."""
        folder = binaries()
        assert folder is not None, why_not()
        with (self.folder.parent / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [folder / "postgres", "-D", str(self.folder), "-p", str(self.port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder.parent,
                start_new_session=True,
                **dropped_privileges(),
            )
        self._await_answer()

    def _await_answer(self) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError:
                assert self.process is not None
                assert self.process.poll() is None, self.log()
                assert time.monotonic() < end, self.log()
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """Ends the server in order: open transactions are undone."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Ends the server and all its processes at once, with SIGKILL; what the kernel was given is kept."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Lets the server neither answer nor end, like one that cannot be reached; `resume` undoes it."""
        for process in self._processes():
            os.kill(process, signal.SIGSTOP)

    def resume(self) -> None:
        """Goes on after `pause`."""
        for process in self._processes():
            os.kill(process, signal.SIGCONT)

    @property
    def runs(self) -> bool:
        """Whether the server's process is there."""
        return self.process is not None and self.process.poll() is None

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """The rows of one statement, in its own connection and transaction."""
        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=PATIENCE) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def set(self, name: str, value: str) -> None:
        """Changes a setting that needs no restart."""
        self.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        self.execute("SELECT pg_reload_conf()")

    def log(self) -> str:
        """What the server wrote so far."""
        return (self.folder.parent / f"{self.name}.log").read_text(errors="replace")

    def _processes(self) -> list[int]:
        assert self.process is not None
        first = self.process.pid
        return [first, *map(int, Path(f"/proc/{first}/task/{first}/children").read_text().split())]

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        processes = self._processes() if self.runs else []
        for process in processes if number is signal.SIGKILL else processes[:1]:
            with suppress(ProcessLookupError):
                os.kill(process, number)
        self.process.wait(PATIENCE)
        end = time.monotonic() + PATIENCE
        while any(lives(process) for process in processes):  # the next start needs their shared memory gone
            assert time.monotonic() < end, f"{self.name} does not end"
            time.sleep(0.01)


def lives(process: int) -> bool:
    """Whether a process is there and not ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
