"""`ringtrue serve`: the terminal client in a browser of this machine."""

import asyncio
import errno
import signal
import socket
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TYPE_CHECKING

import click

from client.desk.endpoint import daemon_is_running
from client.errors import ClientError
from client.storage.home import AUTHORITY, DELIVERY, default_home, write_private
from client.web.access import Access
from client.web.child import run_command

if TYPE_CHECKING:
    from client.web.server import WebClient

SESSIONS = 4  # at most: each is a process of its own
HTTP_PORT = 80  # which browsers leave out of Host and Origin
NOT_ENCRYPTED = (
    "Warning: what goes between the browser and {host} is not encrypted. Whoever is on the network in between can read "
    "every message and use the account."
)


class ListenError(ClientError):
    """The server cannot have this address or port."""

    code = "cannot-listen"
    hint = "Choose another with --host and --port; --port 0 takes any free one."


@click.command()
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="RINGTRUE_HOME",
    default=default_home,
    show_default="the user's data folder",
    help="The account's folder (RINGTRUE_HOME).",
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="One address of this machine, as browsers name it."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any free one.")
@click.option(
    "--sessions",
    type=click.IntRange(1, SESSIONS),
    default=SESSIONS,
    show_default=True,
    help="Tabs at a time while a daemon runs; without one, a single tab has the account.",
)
@click.option("--open", "opens", is_flag=True, help="Show it in the browser.")
@click.option("--authority", default=AUTHORITY, show_default=True, help="What the first run proposes.")
@click.option("--delivery", default=DELIVERY, show_default=True, help="What the first run proposes.")
def serve(home: Path, host: str, port: int, sessions: int, opens: bool, authority: str, delivery: str) -> None:
    """Chat in a browser of this machine.

    The address that it prints opens the client once, in one browser, which stays let in until this command ends (with
    Ctrl-C). The passphrase is asked for there.
    """
    from client.web.server import WebClient  # a web server, which a list of all commands starts without

    try:
        listener = listen(host, port)
    except ListenError as error:
        click.echo(f"Error: {error}\n{error.hint}", err=True)
        raise click.exceptions.Exit(error.exit_code) from None
    if not _stays_here(host):
        click.echo(NOT_ENCRYPTED.format(host=host), err=True)
    access = Access(_named(host, listener.getsockname()[1]))
    client = WebClient(
        access,
        run_command(home, authority, delivery),
        lambda: sessions if daemon_is_running(home) else 1,
        lambda words: click.echo(words, err=True),
    )
    with listener, _way_in(access.address) if opens else nullcontext() as way_in:
        asyncio.run(serve_pages(client, listener, access.address, way_in))


async def serve_pages(client: "WebClient", listener: socket.socket, address: str, way_in: Path | None) -> None:
    """Print the address and serve until this process is told to end; `way_in` is a file that leads a browser there."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def ready() -> None:
        click.echo(address)
        click.echo("Open this address in a browser; it works once. Ctrl-C ends the server.", err=True)
        if way_in is not None:  # a browser in a console would not return before it ends
            Thread(target=_show, args=(way_in.as_uri(),), daemon=True).start()

    await client.run(listener, ready, stop)


def _show(page: str) -> None:
    if not webbrowser.open(page):
        click.echo("No browser could be started. Open the address yourself.", err=True)


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to one address of this machine. Raises ListenError."""
    try:
        (family, *_, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        if ip_address(str(address[0]).partition("%")[0]).is_unspecified:
            raise ListenError(f"{host} is every address at once, and the server answers to one name only")
        return socket.create_server(address[:2], family=family)
    except (socket.gaierror, UnicodeError) as error:
        raise ListenError(f"{host!a} is no name or address of this machine") from error
    except OSError as error:
        raise ListenError(_why(host, port, error)) from error


def _why(host: str, port: int, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"another program uses port {port} of {host}"
        case errno.EADDRNOTAVAIL:
            return f"{host} is no address of this machine"
        case errno.EACCES:
            return f"this user may not use port {port}"
        case _:
            return f"cannot listen at port {port} of {host}: {error.strerror}"


def _named(host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host else host.lower()
    return name if port == HTTP_PORT else f"{name}:{port}"


def _stays_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@contextmanager
def _way_in(address: str) -> Iterator[Path]:
    """A private file that leads a browser to the address: other users can read the arguments that a browser gets."""
    with TemporaryDirectory(prefix="ringtrue-") as folder:
        path = Path(folder, "open.html")
        page = (
            f'<!DOCTYPE html><meta http-equiv="refresh" content="0; url={address}"><a href="{address}">Ringtrue</a>\n'
        )
        write_private(path, page.encode("ascii"))
        yield path
