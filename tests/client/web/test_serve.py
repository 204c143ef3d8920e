"""The client in a page: real clients in real processes, drawn and typed into over a WebSocket."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from client.storage.home import AccountLock, Home
from client.web import child as child_module
from client.web.server import MESSAGE_LIMIT, WAITING
from lab.world import World
from tests.client.web.browser import Browser, Page, serving
from tests.system.shell import Shell
from tests.system.test_daemon import daemon

ALICE = "+12025550142"
PASSPHRASE = "correct horse"
WELCOME, ASKED, ELSEWHERE = "Welcome to Ringtrue", "The passphrase of this account", "open in another tab"
OPEN = "No conversation is open"
ENTER, QUIT = "\r", "\x11"


@pytest.fixture
async def alice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shell]:
    """Alice, who has enrolled; the passphrase's file is named to the server as well."""
    async with World() as world:
        alice = Shell(world, tmp_path, ALICE)
        await alice.enroll()
        monkeypatch.setenv("RINGTRUE_PASSPHRASE_FILE", alice.env["RINGTRUE_PASSPHRASE_FILE"])
        yield alice


async def _pages(browser: Browser, stack: AsyncExitStack, count: int) -> list[Page]:
    return [await stack.enter_async_context(browser.page()) for _ in range(count)]


async def test_a_new_account_begins_in_the_page(tmp_path: Path) -> None:
    home = tmp_path / 'it\'s "my" $(home) & more'
    async with serving(home) as browser:
        await browser.enter()
        async with browser.page() as page:
            await page.shows(WELCOME)
            await page.type(ENTER)
            await page.shows("Your telephone number")
            assert browser.told == []


async def test_the_passphrase_is_asked_for_in_the_page(alice: Shell) -> None:
    async with serving(alice.home) as browser:
        await browser.enter()
        async with browser.page() as page:
            await page.shows(ASKED)
            await page.type("wrong" + ENTER)
            await page.shows("does not open")
            await page.type(PASSPHRASE + ENTER)
            await page.shows(OPEN)
            assert PASSPHRASE not in page.text
            await page.type(QUIT)
            await page.ended()
    with AccountLock(Home(alice.home)):
        assert browser.told == []


async def test_one_process_has_the_account_and_a_second_tab_waits_for_it(alice: Shell) -> None:
    async with serving(alice.home) as browser, AsyncExitStack() as stack:
        await browser.enter()
        first, second = await _pages(browser, stack, 2)
        await first.shows(ASKED)
        assert "ringtrue daemon" in await second.shows(ELSEWHERE)
        await first.socket.close()
        await second.shows(ASKED)
        await second.type(PASSPHRASE + ENTER)
        await second.shows(OPEN)


async def test_a_client_that_was_waited_for_learns_that_it_is_looked_at(tmp_path: Path) -> None:
    program = (
        "import os\n"
        "def draw(octets): os.write(1, b'D' + len(octets).to_bytes(4, 'big') + octets)\n"
        "os.write(1, b'__GANGLION__\\n'); draw(b'nothing was said yet\\r\\n'); told = b''\n"
        "while b'quit' not in told:\n"
        "    told = os.read(0, int.from_bytes(os.read(0, 5)[1:], 'big')); draw(told)\n"
    )
    async with (
        serving(tmp_path / "home", command=(sys.executable, "-c", program)) as browser,
        AsyncExitStack() as stack,
    ):
        await browser.enter()
        first, second = await _pages(browser, stack, 2)
        await first.shows("nothing was said yet")
        await second.shows(ELSEWHERE)
        await second.socket.send_json(["focus"])
        await second.socket.send_json(["ping", "1"])
        assert await second.socket.receive_json() == ["pong", "1"]
        await first.socket.close()
        await second.shows('{"type": "focus"}')


async def test_a_tab_that_stops_waiting_takes_no_place(alice: Shell) -> None:
    async with serving(alice.home) as browser, AsyncExitStack() as stack:
        await browser.enter()
        first, second = await _pages(browser, stack, 2)
        await first.shows(ASKED)
        await second.shows(ELSEWHERE)
        await second.socket.close()
        await first.socket.close()
        async with browser.page() as third:
            await third.shows(ASKED)


async def test_beside_a_daemon_several_tabs_share_the_account(alice: Shell) -> None:
    async with daemon(alice), serving(alice.home, sessions=2) as browser, AsyncExitStack() as stack:
        await browser.enter()
        first, second, third = await _pages(browser, stack, 3)
        await first.shows(OPEN)
        await second.shows(OPEN)
        await third.shows(ELSEWHERE)
        await second.socket.close()
        await third.shows(OPEN)


async def test_pages_that_wait_are_not_without_number(tmp_path: Path) -> None:
    async with serving(tmp_path / "home") as browser, AsyncExitStack() as stack:
        await browser.enter()
        first, *_ = await _pages(browser, stack, 1 + WAITING)
        assert await browser.connect(**browser.own) == 503
        await first.shows(WELCOME)


async def test_what_is_no_message_of_the_page_is_dropped(tmp_path: Path) -> None:
    async with serving(tmp_path / "home") as browser:
        await browser.enter()
        async with browser.page() as page:
            for message in ("", "{}", "[", '["quit"]', '["stdin",7]', '["stdin","\\ud800"]', '["resize",{"width":-1}]'):
                await page.socket.send_str(message)
            await page.socket.send_bytes(b"\xff")
            await page.socket.send_json(["resize", {"width": 70, "height": 20}])
            await page.shows(WELCOME)
            await page.type(ENTER)
            await page.shows("Your telephone number")
            await page.socket.send_str("x" * (MESSAGE_LIMIT + 1))
            await page.ended()
            assert page.socket.close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


async def test_what_a_child_says_on_its_way_out_is_harmless_in_the_servers_terminal(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "import sys; sys.exit('no \\x1b]0;title\\x07 such thing')")
    async with serving(tmp_path / "home", command=command) as browser:
        await browser.enter()
        async with browser.page() as page:
            await page.ended()
    (words,) = browser.told
    assert "no " in words
    assert words.isprintable()


async def test_files_and_addresses_that_a_child_hands_out_reach_no_page(tmp_path: Path) -> None:
    packets = b"__GANGLION__\n"
    for kind, payload in ((b"M", b'{"type":"open_url","url":"javascript:1","new_tab":true}'), (b"D", b"drawn")):
        packets += kind + len(payload).to_bytes(4, "big") + payload
    program = f"import os; os.write(1, {packets!r})"
    async with serving(tmp_path / "home", command=(sys.executable, "-c", program)) as browser:
        await browser.enter()
        async with browser.page() as page:
            message = await page.socket.receive()
            assert (message.type, message.data) == (aiohttp.WSMsgType.BINARY, b"drawn")
            await page.ended()


async def test_a_child_that_does_not_quit_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "PATIENCE", 0.2)
    program = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "draw = str(os.getpid()).encode();"
        "os.write(1, b'__GANGLION__\\nD' + len(draw).to_bytes(4, 'big') + draw); time.sleep(600)"
    )
    async with serving(tmp_path / "home", command=(sys.executable, "-c", program)) as browser:
        await browser.enter()
        async with browser.page() as page:
            number = int((await page.socket.receive()).data)
            os.kill(number, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
