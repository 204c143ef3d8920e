"""`ringtrue demo --web`: the demo's screen as a page, and what the page sends."""

import asyncio
import io
import re
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from lab.show.web import command
from tests.client.web.browser import serving
from tests.system.shell import MAIN, ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WAY_IN = re.compile(r'content="0; url=([^"]+)"')
SOON = 60  # seconds
ATTACKER, VICTIMS = (0xE5, 0x9F, 0x00), (0x56, 0xB4, 0xE9)  # the borders of the halves, as they are drawn


@asynccontextmanager
async def demo_in_browser(*options: str) -> AsyncIterator[tuple[Process, str]]:
    """The command as a process, and the address that it prints."""
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", MAIN, "demo", "--web", *options), cwd=ROOT, stdout=PIPE, stderr=PIPE
    )
    try:
        assert server.stdout is not None
        yield server, (await asyncio.wait_for(server.stdout.readline(), SOON)).decode().strip()
    finally:
        server.send_signal(signal.SIGINT)
        _, errors = await server.communicate()
        assert (server.returncode, b"Traceback" in errors) == (0, False), errors.decode()


async def test_a_page_shows_the_demo_and_takes_its_keys(tmp_path: Path) -> None:
    page_runs = command(["--attack=forged-number", "--pause=60"])
    async with serving(tmp_path, command=page_runs) as browser:
        await browser.enter()
        async with browser.page() as page:
            await page.shows("DEMO AUTHORITY, not a carrier")
            await page.type("m")
            await page.shows("Choose an attack")
            await page.shows("Speak as another number")
            await page.type("\r")
            await page.shows("PROOF FAILED")
            await page.type("q")
            await page.ended()
    assert browser.told == []


async def test_a_demo_that_ends_closes_its_page(tmp_path: Path) -> None:
    async with serving(tmp_path, command=command(["--attack=forged-number", "--pause=0"])) as browser:
        await browser.enter()
        async with browser.page() as page:
            await page.shows("DEMO AUTHORITY")
            await page.ended()
    assert browser.told == []


async def test_only_who_opened_the_address_gets_in() -> None:
    async with demo_in_browser("--attack=forged-number") as (_, address), aiohttp.ClientSession() as http:
        assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/enter/[A-Za-z0-9_-]{22}", address)
        async with http.get(address) as first, http.get(address) as again:
            assert (first.status, again.status) == (200, 403)
            assert WAY_IN.search(await first.text())


class Tab:
    """A page of a real browser, told what to do in the Chrome DevTools Protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._asked = 0

    async def ask(self, method: str, **parameters: object) -> dict[str, Any]:
        self._asked += 1
        await self._socket.send_json({"id": self._asked, "method": method, "params": parameters})
        while (told := await self._socket.receive_json(timeout=SOON)).get("id") != self._asked:
            pass
        return dict(told.get("result", {}))  # nothing, while it goes from one page to the next

    async def until(self, expression: str) -> None:
        """Wait until this holds in the page."""
        async with asyncio.timeout(SOON):
            while not (await self.ask("Runtime.evaluate", expression=expression)).get("result", {}).get("value"):
                await asyncio.sleep(0.1)

    async def press(self, key: str) -> None:
        await self.ask("Input.dispatchKeyEvent", type="keyDown", text=key, key=key)
        await self.ask("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def colours(self) -> set[tuple[int, int, int]]:
        """Those of the page as it is drawn."""
        octets = b64decode((await self.ask("Page.captureScreenshot"))["data"])
        with Image.open(io.BytesIO(octets)) as picture:
            return {colour for _, colour in picture.convert("RGB").getcolors(1 << 24) or []}


@asynccontextmanager
async def chromium(folder: Path, address: str) -> AsyncIterator[Tab]:
    """A browser with this page in it."""
    assert CHROMIUM is not None
    options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1000,700", "--remote-debugging-port=0")
    browser = await asyncio.create_subprocess_exec(
        CHROMIUM, *options, f"--user-data-dir={folder / 'profile'}", address, stdout=DEVNULL, stderr=PIPE
    )
    assert browser.stderr is not None
    try:
        async with asyncio.timeout(SOON), aiohttp.ClientSession() as http:
            while (told := re.search(rb"ws://([^/]+)/", await browser.stderr.readline())) is None:
                pass
            listening = asyncio.create_task(browser.stderr.read())
            async with http.get(f"http://{told[1].decode()}/json") as answer:
                (page,) = [each for each in await answer.json() if each["type"] == "page"]
            async with http.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                yield Tab(socket)
    finally:
        browser.terminate()
        await browser.wait()
        await listening


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
async def test_a_browser_draws_the_demo_and_its_keyboard_ends_it(tmp_path: Path) -> None:
    async with (
        demo_in_browser("--attack=forged-number", "--pause=60", "--theme=dark") as (_, address),
        chromium(tmp_path, address) as tab,
    ):
        await tab.until("document.body.classList.contains('-first-byte')")
        async with asyncio.timeout(SOON):
            while not {ATTACKER, VICTIMS} <= await tab.colours():
                await asyncio.sleep(0.2)
        await tab.press("q")
        await tab.until("document.body.classList.contains('-closed')")
