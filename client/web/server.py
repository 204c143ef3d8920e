"""The web server: textual-serve's page and static files, behind `Access`, and one child for each page that is open."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from socket import socket

import aiohttp_jinja2
import jinja2
from aiohttp import WSCloseCode, WSMsgType, web
from textual_serve.server import Server

from client.web.access import COOKIE, OPENED_BEFORE, Access, protections
from client.web.child import PATIENCE, Child, running
from client.web.places import Places
from client.web.typed import Blur, Focus, Ping, Resize, Size, Stdin, first_size, read

WAITING = 4  # pages that may wait for a place; more are refused
MESSAGE_LIMIT = 1 << 20  # octets of one message of a page: what is pasted
HEARTBEAT = 15.0  # seconds until a page that does not answer is taken for closed, twice over
SHUTDOWN_LIMIT = 4 * PATIENCE  # seconds
WAIT_FOR_PLACE = (
    "\x1b[2J\x1b[H\r\n  This account is open in another tab already.\r\n\r\n"
    "  It opens here when you quit Ringtrue there, or close that tab.\r\n"
    "  To use it in several tabs at once, run in a terminal:  ringtrue daemon\r\n"
)

# textual-serve's script does not take the keyboard. Sooner, its socket would not be open, and it could not tell of it.
FOCUS = """new MutationObserver((_, observer) => {
  if (document.body.classList.contains("-first-byte")) {
    observer.disconnect();
    document.querySelector(".xterm-helper-textarea").focus();
  }
}).observe(document.body, { attributes: true, attributeFilter: ["class"] });
"""
SETTING_UP = 10  # octets of a frame that draws nothing yet, as textual-serve's script has it

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Tab:
    """One open page: what it sends goes to its child, once it has one."""

    def __init__(self, page: web.WebSocketResponse, size: Size, waiting: str) -> None:
        self.page = page
        self._waiting = waiting
        self.size = size
        self.child: Child | None = None
        self._focused = False

    async def take(self, message: str) -> None:
        """Hand on one message of the page; what is none is dropped."""
        typed = read(message)
        if isinstance(typed, Ping):
            await self.page.send_json(["pong", typed.moment])
        elif isinstance(typed, Resize):
            self.size = typed.size
        elif isinstance(typed, Focus | Blur):
            self._focused = isinstance(typed, Focus)
        if self.child is None:
            return
        match typed:
            case Stdin(text):
                await self.child.type(text)
            case Resize(size):
                await self.child.tell("resize", width=size.width, height=size.height)
            case Focus():
                await self.child.tell("focus")
            case Blur():
                await self.child.tell("blur")

    async def play(self, command: Sequence[str], places: Places, told: Callable[[str], None]) -> None:
        """Wait for a place, then show the child's frames until it ends."""
        with suppress(ConnectionError):  # the page is closed; whoever reads from it learns the same
            if places.full:
                await self.page.send_bytes(self._waiting.encode())
            async with places.one(), running(command, self.size, told) as child:
                self.child = child
                await self._show(child)
            await self.page.close()

    async def _show(self, child: Child) -> None:
        drawn = False
        async for frame in child.frames():
            await self.page.send_bytes(frame)
            if not drawn and len(frame) > SETTING_UP:
                drawn = True
                if self._focused:  # Textual begins as if it were looked away from, and takes no keys then
                    await child.tell("focus")


class WebClient(Server):
    """Serves one account: `command` runs a client, for at most `sessions()` pages at a time; `told` gets its errors.

    `waiting` is drawn in a page that waits for its turn.
    """

    def __init__(
        self,
        access: Access,
        command: Sequence[str],
        sessions: Callable[[], int],
        told: Callable[[str], None],
        *,
        waiting: str = WAIT_FOR_PLACE,
    ) -> None:
        templates = Path(__file__).with_name("templates")
        super().__init__("ringtrue", public_url=access.origin, title="Ringtrue", templates_path=templates)
        self._access = access
        self._child_command = command
        self._places = Places(sessions)
        self._most = sessions
        self._told = told
        self._waiting = waiting
        self._pages: set[web.WebSocketResponse] = set()

    async def run(self, listener: socket, ready: Callable[[], None], stop: asyncio.Event) -> None:
        """Serve on a bound socket until `stop`; afterwards no child is left."""
        runner = web.AppRunner(await self._make_app(), access_log=None, shutdown_timeout=SHUTDOWN_LIMIT)
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            ready()
            await stop.wait()
        finally:
            await runner.cleanup()

    async def _make_app(self) -> web.Application:
        app = web.Application(middlewares=[self._let_in])
        # textual-serve's template asks for fonts of a third party, and runs scripts of its own
        aiohttp_jinja2.setup(app, loader=jinja2.FileSystemLoader(self.templates_path))
        folder = self._access.folder
        app.add_routes(
            [
                web.get("/enter/{token}", self.handle_enter, name="enter", allow_head=False),
                web.get(self._access.page, self.handle_index, name="index", allow_head=False),
                web.get(f"{folder}/ws", self.handle_websocket, name="websocket", allow_head=False),
                web.get(f"{folder}/focus.js", self.handle_focus, name="focus", allow_head=False),
                web.static(f"{folder}/static", self.statics_path, name="static"),
            ]
        )
        app.on_response_prepare.append(self._protect)
        app.on_shutdown.append(self.on_shutdown)
        return app

    async def on_shutdown(self, app: web.Application) -> None:
        """Close every page, which ends its child."""
        for page in set(self._pages):
            await page.close(code=WSCloseCode.GOING_AWAY)

    async def handle_enter(self, request: web.Request) -> web.StreamResponse:
        """Exchange the token for the session's cookie.

        The answer is a page that goes on by itself, not a redirect: after a link on somebody's page, a browser would
        not send a SameSite=Strict cookie along with a redirected request.
        """
        session = self._access.redeem(request.match_info["token"])
        if session is None:
            raise web.HTTPForbidden(text=OPENED_BEFORE)
        context = {"page": self._access.page}
        response = aiohttp_jinja2.render_template("enter.html", request, context)
        response.set_cookie(COOKIE, session, path=self._access.page, httponly=True, samesite="Strict")
        return response

    async def handle_focus(self, _: web.Request) -> web.StreamResponse:
        """The one script of ours."""
        return web.Response(text=FOCUS, content_type="text/javascript")

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Run one client for one page, for as long as both last."""
        if len(self._pages) >= self._most() + WAITING:
            raise web.HTTPServiceUnavailable(text="Too many pages are open. Close some.")
        page = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=MESSAGE_LIMIT)
        self._pages.add(page)
        try:
            await page.prepare(request)
            await self._converse(Tab(page, first_size(request.query), self._waiting))
        finally:
            self._pages.discard(page)
        return page

    async def _converse(self, tab: Tab) -> None:
        playing = asyncio.create_task(tab.play(self._child_command, self._places, self._told))
        try:
            async for message in tab.page:
                if message.type is WSMsgType.TEXT:
                    await tab.take(message.data)
        finally:
            playing.cancel()
            with suppress(asyncio.CancelledError):
                await playing

    @web.middleware
    async def _let_in(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        name = request.match_info.route.name
        refusal = self._access.refusal(request.headers, opens_socket=name == "websocket")
        if refusal is None and name != "enter":
            refusal = self._access.stranger(request.headers, request.cookies.get(COOKIE))
        if refusal is not None:
            raise web.HTTPForbidden(text=refusal)
        return await handler(request)

    async def _protect(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(protections(self._access.authority))
