"""A log's addresses: RFC 6962 §4 over HTTP."""

import asyncio
import binascii
from base64 import b64decode
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.serialization import Encoding
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from identity.authority.errors import RefusedError
from identity.authority.exchange import json_response, read_json
from identity.authority.log.certificate_log import CertificateLog
from identity.authority.log.wire import (
    CHAIN_BODY_LIMIT,
    PREFIX,
    Chain,
    Consistency,
    Entries,
    Head,
    Log,
    Logs,
    Proof,
    Roots,
    Timestamp,
)
from identity.transparency.heads import SIZE_LIMIT
from identity.transparency.merkle import HASH_SIZE
from identity.transparency.timestamps import SignedTimestamp


def log_routes(log: CertificateLog, clock: Callable[[], float], prefix: str = PREFIX) -> list[Route]:
    """The addresses of one log; `prefix` is where RFC 6962 has /ct/v1."""
    service = _Endpoints(log, clock)
    return [
        Route(f"{prefix}/add-pre-chain", service.add_pre_chain, methods=["POST"]),
        Route(f"{prefix}/add-chain", service.add_chain, methods=["POST"]),
        Route(f"{prefix}/get-sth", service.head),
        Route(f"{prefix}/get-sth-consistency", service.consistency),
        Route(f"{prefix}/get-proof-by-hash", service.proof),
        Route(f"{prefix}/get-entries", service.entries),
        Route(f"{prefix}/get-roots", service.roots),
    ]


def logs_route(logs: Sequence[Log]) -> Route:
    """Where an authority says which logs its certificates are in."""
    answer = Logs(list(logs))

    async def named(_: Request) -> Response:
        return json_response(answer, 200)

    return Route("/v1/logs", named)


class _Endpoints:
    def __init__(self, log: CertificateLog, clock: Callable[[], float]) -> None:
        self._log = log
        self._clock = clock

    async def add_pre_chain(self, request: Request) -> Response:
        return await self._added(request, self._log.add_pre_chain)

    async def add_chain(self, request: Request) -> Response:
        return await self._added(request, self._log.add_chain)

    async def _added(self, request: Request, add: Callable[[Sequence[bytes], int], SignedTimestamp]) -> Response:
        body = await read_json(request, Chain, CHAIN_BODY_LIMIT, "CHAIN_BODY_LIMIT")
        timestamp = await asyncio.to_thread(add, body.chain, int(self._clock()))
        return json_response(Timestamp.of(timestamp), 200)

    async def head(self, _: Request) -> Response:
        signed = await asyncio.to_thread(self._log.head, int(self._clock()))
        head = signed.head
        return json_response(Head(head.size, head.timestamp, head.root, signed.signature), 200)

    async def consistency(self, request: Request) -> Response:
        first, second = _number(request, "first"), _number(request, "second")
        return json_response(Consistency(await asyncio.to_thread(self._log.consistency, first, second)), 200)

    async def proof(self, request: Request) -> Response:
        leaf_hash, size = _hash(request, "hash"), _number(request, "tree_size")
        return json_response(Proof(*await asyncio.to_thread(self._log.proof, leaf_hash, size)), 200)

    async def entries(self, request: Request) -> Response:
        start, end = _number(request, "start"), _number(request, "end")
        return json_response(Entries(await asyncio.to_thread(self._log.entries, start, end)), 200)

    async def roots(self, _: Request) -> Response:
        roots = await asyncio.to_thread(lambda: self._log.roots)
        return json_response(Roots([root.public_bytes(Encoding.DER) for root in roots]), 200)


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > len(str(SIZE_LIMIT)):
        raise RefusedError("malformed", f"{name} is a number of entries, in decimal digits")
    return int(text)


def _hash(request: Request, name: str) -> bytes:
    try:
        octets = b64decode(request.query_params.get(name, ""), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RefusedError("malformed", f"{name} is in base64") from error
    if len(octets) != HASH_SIZE:
        raise RefusedError("malformed", f"{name} is a SHA-256 of {HASH_SIZE} octets")
    return octets
