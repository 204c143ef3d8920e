"""POST and GET /v1/groups/{group}/entries: nearly all requests of a service, hence answered ahead of the framework.

Starlette's layers, request and response objects cost more than all that is done here.
"""

import msgspec
from starlette.types import Receive, Scope, Send

from delivery_service import wire
from delivery_service.errors import RefusedError, StoreError
from delivery_service.http.batches import Batch, BatchAnswer
from delivery_service.http.problems import answer_to
from delivery_service.http.requests import (
    LARGEST_CURSOR,
    group_id_of,
    headers_of,
    idempotency_key,
    number_of,
    query_of,
    read_body,
)
from delivery_service.service import Service

APPENDING = ("POST", "/v1/groups/{group}/entries")  # the route, as the tables name others
_BEFORE, _AFTER = "/v1/groups/", "/entries"
_JSON = msgspec.json.Encoder()
_TYPE = (b"content-type", wire.JSON_TYPE.encode())


def addressed_group(scope: Scope) -> str | None:
    """The path's word for the group to append to or to read; None for any other request."""
    if scope["type"] != "http" or scope["method"] not in ("POST", "GET"):
        return None
    path: str = scope["path"]
    if not (path.startswith(_BEFORE) and path.endswith(_AFTER)):
        return None
    group = path[len(_BEFORE) : -len(_AFTER)]
    return None if "/" in group else group or None


async def answer_entries(service: Service, group: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Appends the body to the log of a group, or reads it."""
    try:
        if scope["method"] == "GET":
            await entries_after(service, group, scope)(scope, receive, send)
        else:
            await _tell(await _append(service, group, headers_of(scope), receive), send)
    except (RefusedError, StoreError) as error:
        await answer_to(error, scope)(scope, receive, send)


def entries_after(service: Service, group: str, scope: Scope) -> BatchAnswer:
    """The answer that reads a group after the query's cursor."""
    session = service.sessions.check(headers_of(scope).get(b"authorization", b""), service.now())
    group_id, query = group_id_of(group), query_of(scope)
    after, wait = number_of(query, "after", LARGEST_CURSOR), number_of(query, "wait", wire.LONG_POLL_LIMIT)

    async def look() -> tuple[Batch, bool]:
        batch = await service.store.read(group_id, session.device, after)
        found = wire.EntryBatch(batch.entries, batch.head, batch.more, batch.settled)
        return found, batch.current and not batch.entries

    watch = service.wakeups.watch(session.device, (group_id,))
    return BatchAnswer(service.readings.of(session.number), watch, wait, look)


async def _tell(appended: wire.Appended, send: Send) -> None:
    answer = _JSON.encode(appended)
    length = (b"content-length", b"%d" % len(answer))
    await send({"type": "http.response.start", "status": 201, "headers": [length, _TYPE]})
    await send({"type": "http.response.body", "body": answer})


async def _append(service: Service, group: str, headers: dict[bytes, bytes], receive: Receive) -> wire.Appended:
    now = service.clock()
    session = service.sessions.check(headers.get(b"authorization", b""), int(now))
    key, group_id = idempotency_key(headers), group_id_of(group)
    body = await read_body(receive, headers, wire.MLS_TYPE, wire.APPLICATION_LIMIT, "APPLICATION_LIMIT")
    service.octets.spend(session.number, now, len(body))
    return await service.groups.append(session, group_id, body, key, int(now * 1000))
