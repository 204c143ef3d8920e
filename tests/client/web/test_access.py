"""Who gets in: whoever opens the printed address, once, in one browser, and nobody by way of another page or name."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from client.web.access import COOKIE, OPEN_PRINTED, OPENED_BEFORE, WRONG_HOST, WRONG_ORIGIN
from tests.client.web.browser import Browser, serving

EVIL = "https://evil.example"


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with serving(tmp_path / "home") as browser:
        yield browser


def _paths(browser: Browser) -> list[str]:
    page = browser.access.page
    return [page, f"{page}ws", f"{page}static/js/textual.js", f"{page}focus.js"]


async def test_nothing_is_served_without_the_token(browser: Browser) -> None:
    for path in ["/", "/nothing", "/static/js/textual.js", "/download/key", "/ws", *_paths(browser)]:
        assert await browser.get(path, **browser.own) == (403, OPEN_PRINTED), path
    assert await browser.connect(**browser.own) == 403


async def test_the_token_opens_the_page_once(browser: Browser) -> None:
    address = browser.access.address.removeprefix(browser.access.origin)
    assert (await browser.get(address[:-1]))[0] == 403
    assert (await browser.get("/enter/%C3%A9%00"))[0] == 403
    page = await browser.enter()
    status, html = await browser.get(page)
    assert (status, "data-session-websocket-url" in html) == (200, True)
    assert await browser.get(address) == (403, OPENED_BEFORE)
    browser.http.cookie_jar.clear()
    assert await browser.get(address) == (403, OPENED_BEFORE)
    assert await browser.get(page) == (403, OPEN_PRINTED)


async def test_asking_for_the_head_of_the_address_uses_nothing_up(browser: Browser) -> None:
    async with browser.http.head(browser.access.address) as answer:
        assert answer.status in (403, 405)
    await browser.enter()


async def test_the_cookie_is_for_this_page_and_this_run(browser: Browser, tmp_path: Path) -> None:
    async with browser.http.get(browser.access.address) as answer:
        cookie = answer.headers["Set-Cookie"]
    assert {part.strip() for part in cookie.split(";")[1:]} == {
        "HttpOnly",
        "SameSite=Strict",
        f"Path={browser.access.page}",
    }
    session = cookie.partition("=")[2].partition(";")[0]
    async with serving(tmp_path / "home") as another:
        for value in (session, "", "é"):
            assert (await another.get(another.access.page, Cookie=f"{COOKIE}={value}"))[0] == 403


async def test_another_name_of_the_server_is_refused(browser: Browser) -> None:
    port = browser.access.authority.partition(":")[2]
    address = browser.access.address.removeprefix(browser.access.origin)
    for host in (f"rebound.example:{port}", f"localhost:{port}", "127.0.0.1", f"127.0.0.1:{port}.", ""):
        assert await browser.get(address, Host=host) == (403, WRONG_HOST), host
    await browser.enter()
    for path in _paths(browser):
        assert await browser.get(path, **browser.own, Host=f"rebound.example:{port}") == (403, WRONG_HOST), path
    assert await browser.connect(**browser.own, Host=f"rebound.example:{port}") == 403


async def test_pages_of_others_are_refused(browser: Browser) -> None:
    await browser.enter()
    port = browser.access.authority.partition(":")[2]
    for origin in (EVIL, "null", f"https://127.0.0.1:{port}", "http://127.0.0.1:1", f"http://localhost:{port}"):
        for path in _paths(browser):
            assert await browser.get(path, Origin=origin) == (403, WRONG_ORIGIN), (origin, path)
        assert await browser.connect(Origin=origin) == 403
    assert await browser.connect() == 403, "a socket says where it comes from"
    for site in ("cross-site", "same-site"):
        for path in _paths(browser):
            answer = await browser.get(path, **browser.own, **{"Sec-Fetch-Site": site})
            assert answer == (403, WRONG_ORIGIN), (site, path)
    assert await browser.connect(**browser.own, **{"Sec-Fetch-Site": "same-origin"}) == 101


async def test_every_answer_forbids_what_a_page_of_others_could_do_with_it(browser: Browser) -> None:
    answers: list[aiohttp.ClientResponse] = []
    paths = ["/", browser.access.address.removeprefix(browser.access.origin), *_paths(browser)]
    paths.remove(f"{browser.access.page}ws")
    for path in [*paths, f"{browser.access.page}nothing"]:
        async with browser.http.get(browser.access.origin + path) as answer:
            answers.append(answer)
    assert [answer.status for answer in answers] == [403, 200, 200, 200, 200, 404]
    for answer in answers:
        policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert (policy["script-src"], policy["connect-src"]) == ("'self'", f"ws://{browser.access.authority}")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"


async def test_the_page_asks_nobody_else_for_anything(browser: Browser) -> None:
    _, html = await browser.get(await browser.enter())
    assert "googleapis" not in html
    assert html.replace(browser.access.origin, "").count("://") == 1, "the socket's address"
    assert "onclick" not in html.lower()


async def test_static_files_are_the_packages_and_no_others(browser: Browser) -> None:
    page = await browser.enter()
    status, script = await browser.get(f"{page}static/js/textual.js")
    assert (status, "WebSocket" in script) == (200, True)
    for path in (
        "",
        "js",
        "js/",
        "../server.py",
        "..%2fserver.py",
        "%2e%2e/server.py",
        "..%5cserver.py",
        "/etc/passwd",
    ):
        url = URL(f"{browser.access.origin}{page}static/{path}", encoded=True)
        async with browser.http.get(url) as answer:
            assert answer.status in (403, 404), path
            assert "textual.js" not in await answer.text()
