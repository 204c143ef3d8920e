"""The endpoints of the wire's table: each reads a request, asks the service, and writes the answer."""

import asyncio
import hashlib
from functools import partial
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from delivery_service import wire
from delivery_service.errors import RefusedError
from delivery_service.events import EventStream, group_heads
from delivery_service.http.batches import Batch, BatchAnswer, LargeAnswer
from delivery_service.http.entries import entries_after
from delivery_service.http.requests import (
    LARGEST_CURSOR,
    Headers,
    decode,
    group_id_of,
    headers_of,
    idempotency_key,
    number_in,
    number_of,
    query_of,
    read_body,
)
from delivery_service.limits import HourlyLimit
from delivery_service.service import Service
from delivery_service.sessions import Session
from delivery_service.signatures import check_authority, signed_request, verify
from delivery_service.storage.values import Stock
from delivery_service.transfers import Transfer
from delivery_service.wire.duties import EvictionPolicy
from identity.certificates import leaf_public_point
from identity.errors import IdentityError

_JSON = msgspec.json.Encoder()
_SESSION_REQUEST = msgspec.json.Decoder(wire.SessionRequest)
_UPLOAD = msgspec.json.Decoder(wire.KeyPackageUpload)
_CLAIM = msgspec.json.Decoder(wire.KeyPackageClaim)
_CONTACT_MODE = msgspec.json.Decoder(wire.ContactMode)
_CONTACT_REQUEST = msgspec.json.Decoder(wire.ContactRequest)
_CONTACT_GRANT = msgspec.json.Decoder(wire.ContactGrant)
_ACK = msgspec.json.Decoder(wire.InboxAck)
_BUNDLE = msgspec.msgpack.Decoder(wire.CommitBundle)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _group_id(request: Request) -> bytes:
    return group_id_of(request.path_params["group"])


def _session(service: Service, headers: Headers) -> Session:
    return service.sessions.check(headers.get(b"authorization", b""), service.now())


def _json(value: Any, status: int = 200) -> Response:
    return Response(_JSON.encode(value), status, media_type=wire.JSON_TYPE)


async def _control(
    request: Request, headers: Headers, limit: int = wire.CONTROL_LIMIT, transfer: Transfer | None = None
) -> bytes:
    name = "CONTROL_LIMIT" if limit == wire.CONTROL_LIMIT else "UPLOAD_LIMIT"
    return await read_body(request.receive, headers, wire.JSON_TYPE, limit, name, transfer)


async def open_session(request: Request) -> Response:
    """POST /v1/sessions"""
    service, now = _service(request), _service(request).now()
    body = await _control(request, headers_of(request.scope))
    chain = tuple(decode(body, _SESSION_REQUEST).chain)
    if not chain:
        raise RefusedError("malformed", "the chain is empty")
    try:
        point = leaf_public_point(chain[0])
    except IdentityError as error:
        raise RefusedError("credential-refused", str(error)) from error
    device = service.credentials.device(chain, point, now)
    await service.lists.check(device.chain, now)
    token, session = service.sessions.grant(device, chain, now)
    nonce = _check_signature(request, body, session, now)
    await _spend(service, service.sessions_limit, session, nonce, now)
    await service.store.note_opening(session.device, hashlib.sha256(nonce[0].encode()).digest()[:16], now)
    await service.lists.note(session.device, device.chain)
    await service.evictions.seen(session.device, now)
    return _json(wire.SessionGranted(token, session.device.decode(), session.number, session.expires_at), 201)


def _check_signature(request: Request, body: bytes, session: Session, now: int) -> tuple[str, int]:
    """The nonce, to be spent until the second given."""
    check_authority(request.headers.get("host", ""), _service(request).host, request.scope.get("server"))
    return verify(signed_request(request), body, session.key(), now)


async def _spend(service: Service, limit: HourlyLimit, session: Session, nonce: tuple[str, int], now: int) -> None:
    """Counts a signed request; one that is refused writes nothing, and a replayed one counts against nobody."""
    limit.check(session.number, now)
    await service.store.spend_nonce(session.device, *nonce)
    limit.spend(session.number, now)


async def openings(request: Request) -> Response:
    """GET /v1/openings"""
    service = _service(request)
    kept = await service.store.openings(_session(service, headers_of(request.scope)).device)
    return _json(wire.Openings([wire.Opening(each.number, each.at, each.nonce.hex()) for each in kept]))


async def status(request: Request) -> Response:
    """GET /v1/status"""
    service = _service(request)
    eviction = EvictionPolicy(service.sender.named.key, service.policy.idle)
    about = service.policy.retention, service.franking.public_key, eviction, service.lists.state()
    return _json(wire.Status(service.host, service.now(), *about))


def _stock(stock: Stock) -> Response:
    return _json(wire.KeyPackageStock(stock.available, wire.KEY_PACKAGES_LOW_WATER, stock.last_resort, stock.rotate))


async def upload_key_packages(request: Request) -> Response:
    """PUT /v1/key-packages"""
    service, headers = _service(request), headers_of(request.scope)
    session = _session(service, headers)
    service.uploads.spend(session.number, service.now())
    with service.large_bodies.of(session.number) as transfer:
        upload = decode(await _control(request, headers, wire.UPLOAD_LIMIT, transfer), _UPLOAD)
        return _stock(await service.key_packages.upload(session, upload, service.now()))


async def key_package_stock(request: Request) -> Response:
    """GET /v1/key-packages"""
    service = _service(request)
    device = _session(service, headers_of(request.scope)).device
    return _stock(await service.store.stock(device, service.now()))


async def key_package_references(request: Request) -> Response:
    """GET /v1/key-packages/references"""
    service = _service(request)
    device = _session(service, headers_of(request.scope)).device
    return _json(wire.KeyPackageReferences(await service.store.references(device, service.now())))


async def claim_key_packages(request: Request) -> Response:
    """POST /v1/key-packages/claims"""
    service, headers = _service(request), headers_of(request.scope)
    session = _session(service, headers)
    body = await _control(request, headers)
    number = number_in(decode(body, _CLAIM).number)
    now = service.now()
    nonce = _check_signature(request, body, session, now)
    own = number == session.number  # a person's other devices are no strangers, and are added to every chat
    await _spend(service, service.own_claims if own else service.claims, session, nonce, now)
    sparing = not own and not service.claims_of_target.has_left(number, now)
    claimed = await service.consent.claim(session, number, now, sparing=sparing)
    if not own:
        service.claims_of_target.allows(number, now)  # only now: who is refused uses nothing of the target's up
    return _json(wire.ClaimedKeyPackages(service.purge.unrevoked(claimed, now)))


async def choose_contact_mode(request: Request) -> Response:
    """PUT /v1/contact-mode"""
    service, headers = _service(request), headers_of(request.scope)
    number = _session(service, headers).number
    body = await read_body(request.receive, headers, wire.JSON_TYPE, wire.CONTACT_MODE_LIMIT, "CONTACT_MODE_LIMIT")
    choice = decode(body, _CONTACT_MODE)
    service.decisions.spend(number, service.now(), 1 + len(choice.granted) // wire.GRANTS_PER_DECISION)
    return _json(await service.consent.set_mode(number, choice))


async def contact_mode(request: Request) -> Response:
    """GET /v1/contact-mode"""
    service = _service(request)
    number = _session(service, headers_of(request.scope)).number
    return LargeAnswer(service.readings.of(number), partial(service.consent.reachability, number))


async def ask_for_contact(request: Request) -> Response:
    """POST /v1/contact-requests"""
    service, headers = _service(request), headers_of(request.scope)
    session, now = _session(service, headers), service.now()
    limit, name = wire.CONTACT_REQUEST_LIMIT, "CONTACT_REQUEST_LIMIT"
    body = await read_body(request.receive, headers, wire.JSON_TYPE, limit, name)
    asked = decode(body, _CONTACT_REQUEST)
    nonce = _check_signature(request, body, session, now)
    host, signed, signature = (request.headers.get(each, "") for each in ("host", "signature-input", "signature"))
    proof = wire.AskedContact(now, host, signed, signature, body)
    approach = await asyncio.to_thread(service.consent.check, session, asked, proof, now)
    await _spend(service, service.claims, session, nonce, now)
    return _json(await service.consent.ask(approach, proof), 201)


async def contact_requests(request: Request) -> Response:
    """GET /v1/contact-requests"""
    service = _service(request)
    number = _session(service, headers_of(request.scope)).number
    return LargeAnswer(service.readings.of(number), partial(service.consent.waiting, number, service.now()))


async def grant_contact(request: Request) -> Response:
    """PUT /v1/contact-grants"""
    service, headers = _service(request), headers_of(request.scope)
    number = _session(service, headers).number
    grant = decode(await _control(request, headers), _CONTACT_GRANT)
    service.decisions.spend(number, service.now())
    await service.consent.decide(number, grant)
    return Response(status_code=204)


async def create_group(request: Request) -> Response:
    """POST /v1/groups"""
    service, headers = _service(request), headers_of(request.scope)
    session, key = _session(service, headers), idempotency_key(headers)
    body = await read_body(request.receive, headers, wire.MLS_TYPE, wire.FOUNDING_LIMIT, "FOUNDING_LIMIT")
    service.foundings.spend(session.number, service.now())
    return _json(await service.groups.create(session, body, key, service.now_ms()), 201)


async def append_commit(request: Request) -> Response:
    """POST /v1/groups/{group}/commits"""
    service, headers = _service(request), headers_of(request.scope)
    session, key, group_id = _session(service, headers), idempotency_key(headers), _group_id(request)
    with service.large_bodies.of(session.number) as transfer:
        limit, name = wire.BUNDLE_LIMIT, "BUNDLE_LIMIT"
        body = await read_body(request.receive, headers, wire.MSGPACK_TYPE, limit, name, transfer)
        service.octets.spend(session.number, service.now(), len(body))
        bundle, digest = decode(body, _BUNDLE), hashlib.sha256(body).digest()
        return _json(await service.groups.commit(session, group_id, bundle, digest, key, service.now_ms()), 201)


async def read_entries(request: Request) -> Response:
    """GET /v1/groups/{group}/entries, where the framework has taken it: HEAD"""
    return entries_after(_service(request), request.path_params["group"], request.scope)


async def heads(request: Request) -> Response:
    """GET /v1/groups"""
    service = _service(request)
    session = _session(service, headers_of(request.scope))

    async def look() -> wire.GroupHeads:
        known = await service.store.heads(session.device)
        return group_heads(known.groups, known)

    return LargeAnswer(service.readings.of(session.number), look)


async def read_inbox(request: Request) -> Response:
    """GET /v1/inbox"""
    service = _service(request)
    session = _session(service, headers_of(request.scope))
    query = query_of(request.scope)
    after, wait = number_of(query, "after", LARGEST_CURSOR), number_of(query, "wait", wire.LONG_POLL_LIMIT)

    async def look() -> tuple[Batch, bool]:
        items, head = await service.store.inbox(session.device, after)
        return wire.WelcomeBatch(items, head), not items

    return BatchAnswer(service.readings.of(session.number), service.wakeups.watch(session.device), wait, look)


async def acknowledge_inbox(request: Request) -> Response:
    """POST /v1/inbox/ack"""
    service, headers = _service(request), headers_of(request.scope)
    session = _session(service, headers)
    position = decode(await _control(request, headers), _ACK).position
    if not 0 <= position <= LARGEST_CURSOR:
        raise RefusedError("malformed", f"position must be a whole number of at most {LARGEST_CURSOR}")
    await service.store.acknowledge(session.device, position)
    return Response(status_code=204)


async def events(request: Request) -> Response:
    """GET /v1/events"""
    service = _service(request)
    session = _session(service, headers_of(request.scope))
    return EventStream(service.streams, session.device, session.expires_at - service.clock())
