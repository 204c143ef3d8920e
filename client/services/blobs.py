"""The delivery service's addresses for blobs (delivery_service.wire.blobs): uploads in pieces, downloads that go on.

Every method raises UnreachableError, UnexpectedAnswerError or a ServiceError.
"""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import msgspec

from client.errors import ClientError, ContentError, NotFoundError, UnexpectedAnswerError
from client.formats.parts import ExternalPart
from client.services.answers import from_json
from client.services.device_session import DeviceSession
from client.services.service import TRANSFER_TIMEOUT, Call
from delivery_service.wire import BLOB_TYPE, JSON_TYPE
from delivery_service.wire.blobs import BlobStored, BlobUpload, UploadState

BLOBS = "/v1/blobs"
UPLOADS = "/v1/uploads"
PIECE_LIMITS = (64 * 1024, 16 * 1024 * 1024)  # octets of a piece that a service may ask for
URL_SHOWN = 80  # characters of a refused URL in the message
GONE_HINT = "The service keeps attachments for a limited time. Ask the sender to send it again."

_NAME = re.compile("[0-9a-f]{64}")
_OLD_NAME = re.compile("[0-9a-f]{32}")
_UPLOAD = re.compile("[0-9a-f]{32}")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15})")


@dataclass(frozen=True, slots=True)
class Download:
    """A blob that is being handed out: `octets` from position `start` on; `total` is its whole length."""

    start: int
    total: int
    octets: AsyncIterator[bytes]


class BlobService:
    """Blobs at one delivery service; `session` gives the device's present session there."""

    def __init__(self, session: Callable[[], DeviceSession], base_url: str) -> None:
        self._session = session
        self._base_url = base_url

    async def open(self, blob: str, size: int) -> UploadState:
        """Begin to upload `size` octets with the SHA-256 `blob`, or learn what is still missing of them."""
        body = msgspec.json.encode(BlobUpload(blob, size))
        call = Call("POST", BLOBS, body, {"content-type": JSON_TYPE})
        state = from_json(await self._session().send(call), UploadState)
        if not state.stored:
            _check_state(state, size)
        return state

    async def put(self, upload: str, piece: int, octets: bytes) -> None:
        """Store a piece; a repeat changes nothing."""
        path = f"{UPLOADS}/{upload}/pieces/{piece}"
        await self._session().send(Call("PUT", path, octets, {"content-type": BLOB_TYPE}))

    async def finish(self, upload: str) -> str:
        """Make the blob readable; the answer is its name. Its octets are compared with that name there."""
        answer = await self._session().send(Call("POST", f"{UPLOADS}/{upload}/finish"))
        return from_json(answer, BlobStored).blob

    async def cancel(self, upload: str) -> None:
        """Let the service delete what it has of an upload."""
        await self._session().send(Call("DELETE", f"{UPLOADS}/{upload}"))

    async def delete(self, blob: str) -> None:
        """Let the service delete a blob that this number has stored. Raises NotFoundError if there is none."""
        await self._session().send(Call("DELETE", f"{BLOBS}/{blob}"))

    def url(self, blob: str) -> str:
        """Where a blob can be read, for the message that offers it."""
        return f"{self._base_url}{BLOBS}/{blob}"

    def name(self, part: ExternalPart) -> str:
        """The name of the blob that a part offers. Raises ClientError for any other place than this service.

        A sender must not choose to whom this device sends requests. Raises ContentError where the URL names other
        octets than the part does, or names them as an earlier version did.
        """
        name = blob_name(part.url, self._base_url)
        if name != part.content_hash.hex():
            raise ContentError("the attachment is not the one that its message names", code="attachment-hash")
        return name

    @asynccontextmanager
    async def read(self, blob: str, start: int) -> AsyncIterator[Download]:
        """Fetch a blob from a position on, or from its beginning if the service gives it only whole.

        Raises NotFoundError if the service has it no more.
        """
        headers = {"range": f"bytes={start}-", "if-range": f'"{blob}"'} if start else {}
        try:
            async with self._session().stream(
                Call("GET", f"{BLOBS}/{blob}", headers=headers), TRANSFER_TIMEOUT
            ) as answer:
                begin, total = _extent(answer, start)
                yield Download(begin, total, answer.aiter_raw())
        except NotFoundError as error:
            error.hint = GONE_HINT
            raise


def blob_name(url: str, base_url: str) -> str:
    """The name in a blob's URL. Only the name is used of it, and only if the rest is this service's address."""
    base, _, name = url.rpartition(f"{BLOBS}/")
    if _normal(base) != _normal(base_url) or not (_NAME.fullmatch(name) or _OLD_NAME.fullmatch(name)):
        raise ClientError(
            f"the attachment lies at {url[:URL_SHOWN]!a}, which is not this account's delivery service",
            code="foreign-attachment",
            hint="Nothing was fetched. Ask the sender to send it again through the delivery service of this chat.",
        )
    if _OLD_NAME.fullmatch(name):
        raise ContentError(
            "the file was stored as an earlier version did, and no service keeps such files any more",
            code="attachment-old",
            hint="Ask the sender to send it again.",
        )
    return name


def _normal(address: str) -> httpx.URL | None:
    try:
        return httpx.URL(address)
    except httpx.InvalidURL:
        return None


def _check_state(state: UploadState, size: int) -> None:
    smallest, largest = PIECE_LIMITS
    if not _UPLOAD.fullmatch(state.upload) or not smallest <= state.piece_size <= largest:
        raise UnexpectedAnswerError("the service opened an upload in a form that is not known here")
    count = -(-size // state.piece_size)
    if len(state.missing) > count or any(not 0 <= piece < count for piece in state.missing):
        raise UnexpectedAnswerError("the service misses pieces that there are not")


def _extent(answer: httpx.Response, start: int) -> tuple[int, int]:
    """Where an answer begins and how long the whole is. Raises UnexpectedAnswerError."""
    if answer.status_code == httpx.codes.PARTIAL_CONTENT:
        found = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
        first, last, total = map(int, found.groups()) if found else (-1, -1, -1)
        if first != start or last != total - 1:
            raise UnexpectedAnswerError("the service handed out another part of the file than it was asked for")
        return start, total
    length = answer.headers.get("content-length", "")
    if answer.status_code != httpx.codes.OK or not (length.isascii() and length.isdigit() and len(length) <= 15):
        raise UnexpectedAnswerError("the service does not say how long the file is")
    return 0, int(length)
