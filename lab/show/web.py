"""`ringtrue demo --web`: the same screens in a browser of this machine, behind the same door as the client's."""

import asyncio
import sys
from collections.abc import Sequence

import click

from client.web.access import Access
from client.web.cli import SESSIONS, listen, serve_pages
from client.web.server import WebClient

HOST = "127.0.0.1"
FULL = "\x1b[2J\x1b[H\r\n  The demo runs in as many tabs as this machine can bear. Close one of them.\r\n"
_MAIN = "from lab.cli import demo; demo()"


def command(arguments: Sequence[str]) -> tuple[str, ...]:
    """What one page runs: a demo with a world of its own. No shell reads it."""
    return (sys.executable, "-P", "-c", _MAIN, "--in-browser", *arguments)


def serve(arguments: Sequence[str]) -> None:
    """Serve it until Ctrl-C, one demo for each page, at an address that works once."""
    with listen(HOST, 0) as listener:
        access = Access(f"{HOST}:{listener.getsockname()[1]}")
        pages = WebClient(access, command(arguments), lambda: SESSIONS, _tell, waiting=FULL)
        asyncio.run(serve_pages(pages, listener, access.address, None))


def _tell(words: str) -> None:
    click.echo(words, err=True)
