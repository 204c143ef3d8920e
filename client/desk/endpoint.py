"""The daemon's place: a Unix socket in the account's folder, for processes of the same user only."""

import asyncio
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from client.errors import AccountError, ClientError
from client.storage.home import FILE_MODE, Home

SOCKET = "daemon.sock"
PATH_LIMIT = 103  # octets of a Unix socket's path that every system takes
WAITING = 16  # connections that the system keeps until they are accepted
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid (unix(7), SO_PEERCRED)


class NoDaemonError(ClientError):
    """Nobody listens at the account's socket."""

    code = "no-daemon"
    hint = "Start it: ringtrue daemon"
    exit_code = 8


class WrongUserError(ClientError):
    """The process at the other end of the socket belongs to another user."""

    code = "wrong-user"
    hint = "Use the account as the user whose folder it is."
    exit_code = 8


def socket_path(home: Path) -> Path:
    """Where the daemon of the account in this folder listens."""
    return home / SOCKET


@contextmanager
def listening(home: Path) -> Iterator[socket.socket]:
    """A listening socket (mode 0600) in the account's folder. The caller holds the account's lock.

    Whoever holds the lock is the only one who may listen, so a socket that lies there is a dead process's: it is
    replaced. Raises AccountError if the folder is open to others or its path too long.
    """
    path = socket_path(home)
    if len(os.fsencode(path)) > PATH_LIMIT:
        raise AccountError(
            f"the path of {path} is longer than the {PATH_LIMIT} octets that a socket can have",
            code="path-too-long",
            hint="Move the account's folder to a shorter path and name it in RINGTRUE_HOME.",
        )
    Home(home).create()
    # Nobody can connect before the mode is right: the socket gets its name only then.
    temporary = path.with_name(f".{SOCKET}")
    with suppress(FileNotFoundError):
        temporary.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.setblocking(False)
        listener.bind(str(temporary))
        temporary.chmod(FILE_MODE)
        listener.listen(WAITING)
        temporary.replace(path)
        try:
            yield listener
        finally:
            with suppress(FileNotFoundError):
                path.unlink()


async def connect(home: Path, limit: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the daemon; a line may have `limit` octets. Raises NoDaemonError, WrongUserError."""
    path = socket_path(home)
    if len(os.fsencode(path)) > PATH_LIMIT:
        raise NoDaemonError(f"no daemon can listen at {path}: its path is too long")
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=limit)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
        raise NoDaemonError(f"no daemon runs for the account in {home}") from error
    try:
        check_peer(writer)
    except WrongUserError:
        writer.close()
        raise
    return reader, writer


def check_peer(writer: asyncio.StreamWriter) -> None:
    """Make sure that the process at the other end is the same user's. Raises WrongUserError."""
    if not hasattr(socket, "SO_PEERCRED"):
        return  # the modes of the folder and of the socket keep others out
    peer = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(peer)
    if user != os.geteuid():
        raise WrongUserError(f"the process at the daemon's socket belongs to the user {user}")


def daemon_is_running(home: Path) -> bool:
    """Whether a process listens at the account's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        trial.setblocking(False)
        try:
            trial.connect(str(socket_path(home)))
        except BlockingIOError:
            return True  # it listens, and has its hands full
        except OSError:
            return False
        return True
