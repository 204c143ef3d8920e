"""What tests of blobs share: a device's uploads and downloads, and blob storages to try the service with."""

import hashlib
import os
from typing import Any

import httpx
import msgspec

from delivery_service import wire
from delivery_service.wire.blobs import PIECE_SIZE

ALICE, BOB, CAROL = "+12025550142", "+12025550143", "+12025550144"


def name_of(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()


def pieces_of(octets: bytes) -> list[bytes]:
    return [octets[start : start + PIECE_SIZE] for start in range(0, len(octets), PIECE_SIZE)]


async def opening(device: Any, name: str, size: int) -> httpx.Response:
    return await device.call("POST", "/v1/blobs", msgspec.json.encode({"blob": name, "size": size}))


async def begun(device: Any, octets: bytes) -> str:
    answer = await opening(device, name_of(octets), len(octets))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["upload"])


async def put(device: Any, upload: str, piece: int, octets: bytes) -> httpx.Response:
    return await device.call("PUT", f"/v1/uploads/{upload}/pieces/{piece}", octets, wire.BLOB_TYPE)


async def finish(device: Any, upload: str) -> httpx.Response:
    return await device.call("POST", f"/v1/uploads/{upload}/finish")


async def state(device: Any, upload: str) -> httpx.Response:
    return await device.call("GET", f"/v1/uploads/{upload}")


async def stored(device: Any, octets: bytes) -> str:
    upload = await begun(device, octets)
    for number, piece in enumerate(pieces_of(octets)):
        answer = await put(device, upload, number, piece)
        assert answer.status_code == 204, answer.text
    answer = await finish(device, upload)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["blob"])


async def read(device: Any, name: str, **fields: str) -> httpx.Response:
    return await device.call("GET", f"/v1/blobs/{name}", b"", wire.JSON_TYPE, **fields)


async def delete(device: Any, name: str) -> httpx.Response:
    return await device.call("DELETE", f"/v1/blobs/{name}")


def noise(size: int) -> bytes:
    return os.urandom(size)
