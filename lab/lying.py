"""A lying delivery service: a transport between one client and an honest service that changes what this client sees.

Each victim has its own, with its own view of each log; others who use the honest service directly see the truth. The
lies are consistent: sequence numbers, heads, answers to posts and the event stream all fit the view that is shown.
"""

from collections.abc import AsyncIterator, Callable, Mapping

import httpx
import msgspec

from delivery_service.wire import JSON_TYPE, Appended, Entry, EntryBatch, GroupHeads, WelcomeBatch
from identity.base64url import decode_base64url
from lab.lying_view import View

Which = Callable[[Entry], bool]
Answer = Callable[[EntryBatch], EntryBatch]

_EVENTS, _GROUPS, _INBOX = "/v1/events", "/v1/groups", "/v1/inbox"


def everything(_: object) -> bool:
    """Choose every entry, or every Welcome's group."""
    return True


def nothing(_: object) -> bool:
    """Choose none."""
    return False


def reordered(batch: EntryBatch) -> EntryBatch:
    """The entries of one answer, last first."""
    return msgspec.structs.replace(batch, entries=batch.entries[::-1])


def duplicated(batch: EntryBatch) -> EntryBatch:
    """One answer with its last entry twice, at one place."""
    return msgspec.structs.replace(batch, entries=[*batch.entries, *batch.entries[-1:]])


def honest(batch: EntryBatch) -> EntryBatch:
    """The answer as it is."""
    return batch


class LyingTransport(httpx.AsyncBaseTransport):
    """Give it to the victim as `transport`; `inner` leads to the honest service. Set the lies before or between calls.

    `drop`: these entries are left out, their numbers stay free (`give_back` shows them after all). `hide`: left out as
    if they had never been: a history of its own, hence a fork. `hold`: nothing after what was read is shown until
    `release`: delay, or a tail that never comes. `replay`: after each of these an entry's octets come again under the
    next number. `swap`: each of these and its successor change places. `backdate`: milliseconds taken off `at_ms`.
    `answer`: changes one answer as a whole (`reordered`, `duplicated`). `keep_welcomes`: of these groups.
    `swallow`: these posts are answered as accepted and go nowhere.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self._views: dict[str, View] = {}
        self.drop: Which = nothing
        self.hide: Which = nothing
        self.replay: Which = nothing
        self.swap: Which = nothing
        self.backdate = 0
        self.answer: Answer = honest
        self.keep_welcomes: Callable[[bytes], bool] = nothing
        self.swallow: Callable[[httpx.Request], bool] = nothing

    async def aclose(self) -> None:
        """Close the way to the honest service."""
        await self._inner.aclose()

    def hold(self, group_id: bytes | None = None) -> None:
        """Show nothing new from now on, of one group or of all that were read."""
        for view in self._chosen(group_id):
            view.hold()

    def release(self, group_id: bytes | None = None) -> None:
        """Show what was held."""
        for view in self._chosen(group_id):
            view.release()

    def give_back(self, group_id: bytes | None = None) -> None:
        """Show in their places the entries that were dropped, to whoever asks for them again; drop nothing more."""
        self.drop = nothing
        for view in self._chosen(group_id):
            view.give_back()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass the request on and change the answer as the lies want it."""
        path = request.url.path
        if request.method == "GET" and path.endswith("/entries"):
            return await self._entries(request)
        if request.method == "GET" and path == _EVENTS:
            return await self._events(request)
        if request.method == "POST" and path.endswith(("/entries", "/commits")) and self.swallow(request):
            view = self._views.get(_group_in(request))
            body = msgspec.json.encode(Appended(1 if view is None else view.head + 1, 0))
            return httpx.Response(201, headers={"content-type": JSON_TYPE}, stream=httpx.ByteStream(body))
        response = await self._inner.handle_async_request(request)
        if not response.is_success:
            return response
        if request.method == "GET" and path == _GROUPS:
            return _json(response, self._heads(msgspec.json.decode(await _body(response), type=GroupHeads)))
        if request.method == "GET" and path == _INBOX:
            return _msgpack(response, self._welcomes(msgspec.msgpack.decode(await _body(response), type=WelcomeBatch)))
        if request.method == "POST" and path.endswith(("/entries", "/commits")):
            return _json(response, await self._appended(request, await _body(response)))
        return response

    async def _entries(self, request: httpx.Request) -> httpx.Response:
        group, after = _group_in(request), int(request.url.params["after"])
        view = self._views.setdefault(group, View(after))
        if after < view.base:
            return await self._inner.handle_async_request(request)
        wait = 0 if view.has_after(after) else int(request.url.params.get("wait", 0))
        response, refused = await self._ingest(request, view, wait)
        if refused:
            return response
        return _msgpack(response, self.answer(EntryBatch(view.after(after), view.head, False)))

    async def _ingest(self, request: httpx.Request, view: View, wait: int) -> tuple[httpx.Response, bool]:
        """Read what the honest service has; the last answer, and whether it refused."""
        while True:
            url = request.url.copy_set_param("after", str(view.read)).copy_set_param("wait", str(wait))
            asked = httpx.Request("GET", url, headers=request.headers, extensions=request.extensions)
            response = await self._inner.handle_async_request(asked)
            if not response.is_success:
                return response, True
            batch = msgspec.msgpack.decode(await _body(response), type=EntryBatch)
            for entry in batch.entries:
                self._show(view, entry)
            if not batch.more:
                return response, False
            wait = 0

    def _show(self, view: View, entry: Entry) -> None:
        view.read = entry.seq
        told = msgspec.structs.replace(entry, at_ms=max(entry.at_ms - self.backdate, 0))
        if self.hide(entry):
            view.hide()
        elif self.drop(entry):
            view.drop(told)
        elif self.swap(entry):
            view.put_off(told)
        else:
            view.show(told)
            if self.replay(entry):
                view.repeat(told)

    async def _appended(self, request: httpx.Request, body: bytes) -> Appended:
        """The answer to a post in the view's numbers."""
        appended = msgspec.json.decode(body, type=Appended)
        view = self._views.get(_group_in(request))
        if view is None:
            return appended
        entries = request.url.copy_with(path=f"{_GROUPS}/{_group_in(request)}/entries")
        headers = {name: value for name, value in request.headers.items() if name in ("authorization", "host")}
        asked = httpx.Request("GET", entries, headers=headers, extensions=request.extensions)
        await self._ingest(asked, view, 0)
        return msgspec.structs.replace(appended, seq=view.place_of(request.headers["idempotency-key"], appended.seq))

    def _heads(self, heads: GroupHeads) -> GroupHeads:
        groups = {group: self._head(group, head) for group, head in heads.groups.items()}
        return msgspec.structs.replace(heads, groups=groups)

    def _head(self, group: str, head: int) -> int:
        view = self._views.get(group)
        return head if view is None else view.estimate(head)

    def _welcomes(self, batch: WelcomeBatch) -> WelcomeBatch:
        items = [item for item in batch.items if not self.keep_welcomes(item.group_id)]
        return msgspec.structs.replace(batch, items=items)

    async def _events(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        stream = _Events(response, self._heads)
        return httpx.Response(response.status_code, headers=_headers(response), stream=stream)

    def _chosen(self, group_id: bytes | None) -> list[View]:
        return [view for name, view in self._views.items() if group_id in (None, decode_base64url(name.encode()))]


class _Events(httpx.AsyncByteStream):
    """An event stream whose heads are those of the views."""

    def __init__(self, response: httpx.Response, heads: Callable[[GroupHeads], GroupHeads]) -> None:
        self._response = response
        self._heads = heads

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pending = b""
        async for chunk in self._response.aiter_raw():
            *lines, pending = (pending + chunk).split(b"\n")
            yield b"".join(self._line(line) + b"\n" for line in lines)

    async def aclose(self) -> None:
        await self._response.aclose()

    def _line(self, line: bytes) -> bytes:
        field, _, data = line.partition(b":")
        if field != b"data" or b'"groups"' not in data:  # the last event says only why the stream ends
            return line
        return b"data: " + msgspec.json.encode(self._heads(msgspec.json.decode(data, type=GroupHeads)))


def _group_in(request: httpx.Request) -> str:
    return request.url.path.split("/")[3]


async def _body(response: httpx.Response) -> bytes:
    body = await response.aread()
    await response.aclose()
    return body


def _headers(response: httpx.Response) -> Mapping[str, str]:
    return {name: value for name, value in response.headers.items() if name != "content-length"}


def _json(response: httpx.Response, value: object) -> httpx.Response:
    return _answer(response, msgspec.json.encode(value))


def _msgpack(response: httpx.Response, value: object) -> httpx.Response:
    return _answer(response, msgspec.msgpack.encode(value))


def _answer(response: httpx.Response, body: bytes) -> httpx.Response:
    return httpx.Response(response.status_code, headers=_headers(response), stream=httpx.ByteStream(body))
