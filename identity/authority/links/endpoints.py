"""The addresses of the meeting place."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from identity.authority.errors import RefusedError
from identity.authority.exchange import client_address, read_octets
from identity.authority.links.mailboxes import Mailboxes
from identity.authority.links.wire import BOX_LIMIT, BOX_TYPE, WAIT_LIMIT
from identity.authority.store import AuthorityStore

_NO_STORE = {"cache-control": "no-store"}


def routes(store: AuthorityStore, clock: Callable[[], float]) -> list[Route]:
    """The routes of `wire`."""
    endpoints = _Endpoints(Mailboxes(store), clock)
    return [
        Route("/v1/links/{mailbox}/{slot}", endpoints.put, methods=["PUT"]),
        Route("/v1/links/{mailbox}/{slot}", endpoints.take, methods=["POST"]),
        Route("/v1/links/{mailbox}", endpoints.close, methods=["DELETE"]),
    ]


class _Endpoints:
    def __init__(self, mailboxes: Mailboxes, clock: Callable[[], float]) -> None:
        self._mailboxes = mailboxes
        self._clock = clock

    def _now(self) -> int:
        return int(self._clock())

    async def put(self, request: Request) -> Response:
        mailbox, slot = _names(request)
        box = await read_octets(request, BOX_TYPE, BOX_LIMIT, "BOX_LIMIT")
        await asyncio.to_thread(self._mailboxes.put, mailbox, slot, box, client_address(request), self._now())
        self._mailboxes.changed(mailbox)
        return Response(status_code=201, headers=_NO_STORE)

    async def take(self, request: Request) -> Response:
        mailbox, slot = _names(request)
        wait = _wait(request)
        await asyncio.to_thread(self._mailboxes.count_asking, client_address(request), self._now())
        with self._mailboxes.watched(mailbox) as changed:
            box = await asyncio.to_thread(self._mailboxes.take, mailbox, slot, self._now())
            with suppress(TimeoutError):
                while box is None and wait:
                    async with asyncio.timeout(wait):
                        await changed.wait()
                    changed.clear()
                    if await request.is_disconnected():  # a box that nobody hears would be lost
                        break
                    box = await asyncio.to_thread(self._mailboxes.take, mailbox, slot, self._now())
        if box is None:
            return Response(status_code=204, headers=_NO_STORE)
        return Response(box, headers=_NO_STORE, media_type=BOX_TYPE)

    async def close(self, request: Request) -> Response:
        mailbox = str(request.path_params["mailbox"])
        await asyncio.to_thread(self._mailboxes.close, mailbox, client_address(request), self._now())
        self._mailboxes.changed(mailbox)
        return Response(status_code=204, headers=_NO_STORE)


def _names(request: Request) -> tuple[str, str]:
    return str(request.path_params["mailbox"]), str(request.path_params["slot"])


def _wait(request: Request) -> int:
    text = request.query_params.get("wait", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and int(text) <= WAIT_LIMIT):
        raise RefusedError("malformed", f"wait is a whole number of seconds of at most {WAIT_LIMIT}")
    return int(text)
