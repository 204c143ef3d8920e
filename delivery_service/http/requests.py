"""What requests are made of: bodies within their limits, types, cursors and keys; each fault is a RefusedError."""

import re
from collections.abc import AsyncGenerator
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Receive, Scope

from delivery_service.errors import RefusedError
from delivery_service.transfers import Transfer
from delivery_service.wire import IDEMPOTENCY_HEADER
from identity.base64url import decode_base64url
from identity.errors import NumberError
from identity.number import TelephoneNumber

LARGEST_CURSOR = 2**63 - 1
_KEY_HEADER = IDEMPOTENCY_HEADER.encode()
_KEY_LENGTH = 32  # hexadecimal digits
_BLOB = re.compile("[0-9a-f]{64}")
_UPLOAD = re.compile("[0-9a-f]{32}")
_PIECE = re.compile("0|[1-9][0-9]{0,5}")

Headers = dict[bytes, bytes]
Query = dict[str, str]
T = TypeVar("T")


def headers_of(scope: Scope) -> Headers:
    """The header fields by lower-case name."""
    return dict(scope["headers"])


async def read_body(
    receive: Receive, headers: Headers, media_type: str, limit: int, name: str, transfer: Transfer | None = None
) -> bytes:
    """The body, if its type is right and it has at most `limit` octets; nothing beyond the limit is kept in memory.

    A large one has a turn, its `transfer`.
    """
    check_body(headers, media_type, limit, name)
    chunks = body_chunks(receive, limit, name)
    return b"".join([chunk async for chunk in chunks]) if transfer is None else await transfer.whole(chunks)


def check_body(headers: Headers, media_type: str, limit: int, name: str) -> int:
    """The length that a body declares, `limit` if it declares none; refuses another type and more than `limit`."""
    if headers.get(b"content-type", b"").partition(b";")[0].strip().decode("latin-1").lower() != media_type:
        raise RefusedError("unsupported-type", f"send {media_type}")
    declared = headers.get(b"content-length", b"")
    length = int(declared) if declared.isdigit() else limit
    if length > limit:
        raise _too_large(limit, name)
    return length


async def body_chunks(receive: Receive, limit: int, name: str) -> AsyncGenerator[bytes]:
    """A body as it arrives; refuses the octet after `limit`, and a body that ends early."""
    received, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise RefusedError("malformed", "the request ended early")
        chunk: bytes = message.get("body", b"")
        received += len(chunk)
        if received > limit:
            raise _too_large(limit, name)
        yield chunk
        more = message.get("more_body", False)


def _too_large(limit: int, name: str) -> RefusedError:
    return RefusedError("too-large", f"at most {limit} octets ({name})", limit=limit, limit_name=name)


def decode(body: bytes, decoder: "msgspec.json.Decoder[T] | msgspec.msgpack.Decoder[T]") -> T:
    """The body's structure."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError("malformed", f"the body is not as expected: {error}") from error


def idempotency_key(headers: Headers) -> bytes:
    """The 16 octets of the Idempotency-Key."""
    text = headers.get(_KEY_HEADER, b"").decode("latin-1")
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(text) != _KEY_LENGTH or len(key) * 2 != _KEY_LENGTH:
        raise RefusedError("malformed", f"{IDEMPOTENCY_HEADER} must have {_KEY_LENGTH} hexadecimal digits")
    return key


def number_in(text: str) -> str:
    """A telephone number in a body, as `+E164`."""
    try:
        number = TelephoneNumber.from_digits(text.removeprefix("+"))
    except NumberError as error:
        raise RefusedError("malformed", f"the number is not +E164: {error}") from error
    if text != number.e164:
        raise RefusedError("malformed", "the number must begin with +")
    return text


def group_id_of(text: str) -> bytes:
    """The group id that a path names."""
    try:
        return decode_base64url(text.encode("ascii"))
    except ValueError as error:
        raise RefusedError("malformed", "the group id is not unpadded base64url") from error


def blob_of(text: str) -> bytes:
    """The 32 octets of the blob's name in a path: the SHA-256 of its octets."""
    if not _BLOB.fullmatch(text):
        raise RefusedError("malformed", "a blob's name has 64 hexadecimal digits in lower case")
    return bytes.fromhex(text)


def upload_of(text: str) -> str:
    """The upload's name in a path."""
    if not _UPLOAD.fullmatch(text):
        raise RefusedError("malformed", "an upload's name has 32 hexadecimal digits in lower case")
    return text


def piece_of(text: str) -> int:
    """The piece's number in a path."""
    if not _PIECE.fullmatch(text):
        raise RefusedError("malformed", "a piece is named by its number, from 0, without zeros before it")
    return int(text)


def query_of(scope: Scope) -> Query:
    """What the query says; of a name that comes twice, the last."""
    return dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))


def number_of(query: Query, name: str, largest: int) -> int:
    """A whole number in the query, 0 if it is absent."""
    text = query.get(name, "0")
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(largest)) and int(text) <= largest):
        raise RefusedError("malformed", f"{name} must be a whole number of at most {largest}")
    return int(text)
