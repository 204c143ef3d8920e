"""`ringtrue serve` as a process: what it prints, what it refuses, and every way in which it ends."""

import asyncio
import os
import re
import select
import signal
import socket
import stat
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.client.web.browser import Page
from tests.system.shell import MAIN, ROOT

WORKS_ONCE = "it works once"
SOON = 30_000  # milliseconds


async def _start(home: Path, *args: str, **env: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", MAIN, "serve", f"--home={home}", *args),
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )


async def _said(home: Path, *args: str) -> tuple[int | None, str, str]:
    process = await _start(home, *args)
    out, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    return process.returncode, out.decode(), err.decode()


async def _address(process: Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


@asynccontextmanager
async def _open_page(home: Path) -> AsyncIterator[tuple[Process, int]]:
    """A server with one page open, and the number of the client's process; the page is drawn."""
    server = await _start(home, "--port", "0")
    address = await _address(server)
    origin = address.partition("/enter/")[0]
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        async with http.get(address) as answer:
            (page,) = re.findall(r'content="0; url=([^"]+)"', await answer.text())
        async with http.ws_connect(f"{origin}{page}ws?width=100&height=30", headers={"Origin": origin}) as socket:
            await Page(socket).shows("Welcome to Ringtrue")
            (child,) = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
            yield server, int(child)
    await server.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_the_server_and_its_clients(tmp_path: Path, number: signal.Signals) -> None:
    async with _open_page(tmp_path / "home") as (server, child):
        server.send_signal(number)
        _, err = await server.communicate()
        assert server.returncode == 0
        assert b"Traceback" not in err
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


async def test_clients_do_not_outlive_a_killed_server(tmp_path: Path) -> None:
    async with _open_page(tmp_path / "home") as (server, child):
        gone = select.poll()
        descriptor = os.pidfd_open(child)
        gone.register(descriptor, select.POLLIN)
        server.kill()
        try:
            assert await asyncio.to_thread(gone.poll, SOON), "the client goes on, and nobody sees it"
        finally:
            os.close(descriptor)
    assert not list((tmp_path / "home").glob("crash-*")), "it ended in order"


async def test_the_address_stands_alone_on_stdout(tmp_path: Path) -> None:
    server = await _start(tmp_path / "home", "--port", "0")
    address = await _address(server)
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/enter/[A-Za-z0-9_-]{22}", address)
    server.send_signal(signal.SIGINT)
    out, err = await server.communicate()
    assert (out, WORKS_ONCE in err.decode(), "not encrypted" in err.decode()) == (b"", True, False)


async def test_a_port_in_use_is_said_in_words(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = await _said(tmp_path, "--port", str(port))
    assert (code, out) == (1, "")
    assert f"another program uses port {port}" in err
    assert "--port" in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("0.0.0.0", "every address at once"),
        ("::", "every address at once"),
        ("203.0.113.7", "no address of this machine"),
        ("no such\x1b[31m name", "no name or address"),
        ("", "no name or address"),
        ("x" * 300, "no name or address"),
    ],
)
async def test_an_address_that_cannot_be_had_is_said_in_words(tmp_path: Path, host: str, words: str) -> None:
    code, _, err = await _said(tmp_path, f"--host={host}", "--port=0")
    assert (code, words in err, "\x1b" in err) == (1, True, False), err


async def test_more_sessions_than_four_are_refused(tmp_path: Path) -> None:
    for count in ("0", "5"):
        assert (await _said(tmp_path, "--sessions", count))[0] == 2


async def test_a_host_that_others_reach_is_warned_of(tmp_path: Path) -> None:
    name = socket.gethostname()
    try:
        socket.create_server((name, 0)).close()
    except OSError:
        pytest.skip("this machine's name is not its own")
    server = await _start(tmp_path / "home", f"--host={name}", "--port=0")
    assert (await _address(server)).startswith(f"http://{name.lower()}:")
    server.send_signal(signal.SIGINT)
    _, err = await server.communicate()
    assert "not encrypted" in err.decode()


async def test_the_browser_gets_the_address_in_a_private_file(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    os.mkfifo(seen)
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf "%s" "$*" > "{seen}"\n')
    browser.chmod(0o700)
    server = await _start(tmp_path / "home", "--port=0", "--open", BROWSER=f"{browser} %s")
    address = await _address(server)
    argument = await asyncio.to_thread(seen.read_text)
    token = address.rpartition("/")[2]
    assert argument.startswith("file://")
    assert token not in argument
    page = Path(argument.removeprefix("file://"))
    assert token in page.read_text()
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert stat.S_IMODE(page.parent.stat().st_mode) == 0o700
    server.send_signal(signal.SIGINT)
    await server.communicate()
    assert not page.exists()


def test_nothing_else_loads_the_web_server() -> None:
    program = (
        "import pkgutil, importlib, sys, client\n"
        "for found in pkgutil.walk_packages(client.__path__, 'client.'):\n"
        "    if not found.name.startswith('client.web'):\n"
        "        importlib.import_module(found.name)\n"
        "print({'client.web.server', 'textual_serve', 'aiohttp'} & sys.modules.keys())\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert told.stdout.strip() == "set()"
