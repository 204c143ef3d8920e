"""The address at which members report a commit that they cannot apply."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from delivery_service.http.requests import decode, group_id_of, headers_of, read_body
from delivery_service.service import Service
from delivery_service.wire import CONTROL_LIMIT, JSON_TYPE
from delivery_service.wire.rollback import Rejection

_REJECTION = msgspec.json.Decoder(Rejection)
_JSON = msgspec.json.Encoder()


async def report_rejection(request: Request) -> Response:
    """POST /v1/groups/{group}/rejections"""
    service: Service = request.app.state.service
    headers = headers_of(request.scope)
    session = service.sessions.check(headers.get(b"authorization", b""), service.now())
    group_id = group_id_of(request.path_params["group"])
    rejection = decode(await read_body(request.receive, headers, JSON_TYPE, CONTROL_LIMIT, "CONTROL_LIMIT"), _REJECTION)
    service.uploads.spend(session.number, service.now())
    counted = await service.rollbacks.report(session, group_id, rejection, service.now_ms())
    return Response(_JSON.encode(counted), 201, media_type=JSON_TYPE)
