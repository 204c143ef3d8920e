"""The endpoints of blobs: uploads in pieces, and downloads whole or in a range."""

from contextlib import aclosing, suppress

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from delivery_service import wire
from delivery_service.blobs import Blobs
from delivery_service.errors import RefusedError, StoreError
from delivery_service.http.problems import answer_to
from delivery_service.http.ranges import requested
from delivery_service.http.requests import (
    blob_of,
    body_chunks,
    check_body,
    decode,
    headers_of,
    piece_of,
    read_body,
    upload_of,
)
from delivery_service.service import Service
from delivery_service.wire.blobs import PIECE_SIZE, BlobUpload

_JSON = msgspec.json.Encoder()
_BLOB_UPLOAD = msgspec.json.Decoder(BlobUpload)


def _asked(request: Request) -> tuple[Service, str]:
    service: Service = request.app.state.service
    session = service.sessions.check(headers_of(request.scope).get(b"authorization", b""), service.now())
    return service, session.number


def _json(value: msgspec.Struct, status: int = 200) -> Response:
    return Response(_JSON.encode(value), status, media_type=wire.JSON_TYPE)


async def open_upload(request: Request) -> Response:
    """POST /v1/blobs"""
    service, number = _asked(request)
    headers, now = headers_of(request.scope), service.now()
    body = await read_body(request.receive, headers, wire.JSON_TYPE, wire.CONTROL_LIMIT, "CONTROL_LIMIT")
    wanted = decode(body, _BLOB_UPLOAD)
    service.blobs_limit.check(number, now)
    state = await service.blobs.open(number, wanted, now)
    service.blobs_limit.spend(number, now)
    return _json(state, 201)


async def upload_state(request: Request) -> Response:
    """GET /v1/uploads/{upload}"""
    service, number = _asked(request)
    return _json(await service.blobs.state(number, upload_of(request.path_params["upload"])))


async def put_piece(request: Request) -> Response:
    """PUT /v1/uploads/{upload}/pieces/{piece}"""
    service, number = _asked(request)
    upload, piece = upload_of(request.path_params["upload"]), piece_of(request.path_params["piece"])
    with service.blobs.uploads.of(number) as transfer:
        length = check_body(headers_of(request.scope), wire.BLOB_TYPE, PIECE_SIZE, "PIECE_SIZE")
        wanted = await service.blobs.wanted(number, upload, piece)
        service.octets.spend(number, service.now(), length)
        async with aclosing(body_chunks(request.receive, PIECE_SIZE, "PIECE_SIZE")) as chunks:
            octets = await transfer.whole(chunks)
        await service.blobs.put(wanted, piece, octets)
    return Response(status_code=204)


async def finish_upload(request: Request) -> Response:
    """POST /v1/uploads/{upload}/finish"""
    service, number = _asked(request)
    with service.blobs.uploads.of(number):
        finished = await service.blobs.finish(number, upload_of(request.path_params["upload"]), service.now())
    return _json(finished, 201)


async def cancel_upload(request: Request) -> Response:
    """DELETE /v1/uploads/{upload}"""
    service, number = _asked(request)
    await service.blobs.cancel(number, upload_of(request.path_params["upload"]))
    return Response(status_code=204)


async def read_blob(request: Request) -> Response:
    """GET /v1/blobs/{blob}"""
    service, number = _asked(request)
    name = blob_of(request.path_params["blob"])
    return BlobAnswer(
        service.blobs, name, number, request.headers.get("range", ""), request.headers.get("if-range", "")
    )


async def delete_blob(request: Request) -> Response:
    """DELETE /v1/blobs/{blob}"""
    service, number = _asked(request)
    await service.blobs.delete(number, blob_of(request.path_params["blob"]))
    return Response(status_code=204)


class BlobAnswer(Response):
    """The response that hands out a blob or a range of it; it takes a turn for as long as it lasts."""

    def __init__(self, blobs: Blobs, name: bytes, number: str, field: str = "", condition: str = "") -> None:
        tag = f'"{name.hex()}"'
        headers = {"cache-control": "no-store", "accept-ranges": "bytes", "etag": tag}
        super().__init__(None, headers=headers, media_type=wire.BLOB_TYPE)
        self._blobs = blobs
        self._name = name
        self._number = number
        self._range = field, condition, tag

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers: the head, then the octets as they are read."""
        with self._blobs.downloads.of(self._number) as transfer:
            blob = await self._blobs.find(self._name)
            try:
                part = requested(*self._range, blob.size)
            except RefusedError as error:
                await _beyond(error, scope, blob.size)(scope, receive, send)
                return
            start, end = part or (0, blob.size)
            if part is not None:
                self.status_code = 206
                self.headers["content-range"] = f"bytes {start}-{end - 1}/{blob.size}"
            self.headers["content-length"] = str(end - start)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            with suppress(RefusedError, StoreError):  # without the last part: the server closes the connection
                async with transfer.moving(), aclosing(self._blobs.read(blob, start, end)) as octets:
                    async for chunk in octets:
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                        transfer.moved(len(chunk))
                await send({"type": "http.response.body", "body": b"", "more_body": False})


def _beyond(error: RefusedError, scope: Scope, size: int) -> Response:
    answer = answer_to(error, scope)
    answer.headers["content-range"] = f"bytes */{size}"  # RFC 9110 §14.4
    return answer
