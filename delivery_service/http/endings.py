"""The addresses at which groups end, and at which devices have deleted what is kept for them."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from delivery_service.http.requests import decode, group_id_of, headers_of, read_body
from delivery_service.service import Service
from delivery_service.sessions import Session
from delivery_service.wire import CONTROL_LIMIT, JSON_TYPE
from delivery_service.wire.ending import DataDeletion, Ending

_ENDING = msgspec.json.Decoder(Ending)
_DELETION = msgspec.json.Decoder(DataDeletion)
_JSON = msgspec.json.Encoder()


async def end_group(request: Request) -> Response:
    """POST /v1/groups/{group}/endings"""
    service, session, body = await _asked(request)
    group_id = group_id_of(request.path_params["group"])
    wanted = decode(body, _ENDING)
    service.foundings.spend(session.number, service.now())
    ended = await service.endings.end(session, group_id, wanted, service.now_ms())
    return Response(_JSON.encode(ended), 201, media_type=JSON_TYPE)


async def delete_data(request: Request) -> Response:
    """POST /v1/data-deletions"""
    service, session, body = await _asked(request)
    wanted = decode(body, _DELETION)
    service.decisions.spend(session.number, service.now())
    return Response(_JSON.encode(await service.endings.delete_data(session, wanted)), 200, media_type=JSON_TYPE)


async def _asked(request: Request) -> tuple[Service, Session, bytes]:
    service: Service = request.app.state.service
    headers = headers_of(request.scope)
    session = service.sessions.check(headers.get(b"authorization", b""), service.now())
    return service, session, await read_body(request.receive, headers, JSON_TYPE, CONTROL_LIMIT, "CONTROL_LIMIT")
