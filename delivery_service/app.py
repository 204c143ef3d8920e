"""The delivery service as an ASGI application."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from delivery_service.blob_storage import BlobStorage
from delivery_service.errors import RefusedError
from delivery_service.http import about, blobs, endings, endpoints, rejections
from delivery_service.http.connections import BEGIN
from delivery_service.http.entries import APPENDING, addressed_group, answer_entries
from delivery_service.http.operations import DOCUMENT_PATH, OPERATIONS
from delivery_service.http.problems import EXCEPTION_HANDLERS, answer_to
from delivery_service.policy import POLICY, Policy
from delivery_service.quotas import QUOTAS, Quotas
from delivery_service.service import Service
from identity.certificates import TrustAnchors
from identity.openapi import document_route, served

if TYPE_CHECKING:
    from delivery_service.storage.database import Database

ROUTES = [
    Route("/v1/groups/{group}/entries", endpoints.read_entries, methods=["GET"]),
    Route("/v1/groups/{group}/commits", endpoints.append_commit, methods=["POST"]),
    Route("/v1/groups/{group}/endings", endings.end_group, methods=["POST"]),
    Route("/v1/data-deletions", endings.delete_data, methods=["POST"]),
    Route("/v1/groups/{group}/rejections", rejections.report_rejection, methods=["POST"]),
    Route("/v1/groups", endpoints.create_group, methods=["POST"]),
    Route("/v1/groups", endpoints.heads, methods=["GET"]),
    Route("/v1/sessions", endpoints.open_session, methods=["POST"]),
    Route("/v1/openings", endpoints.openings, methods=["GET"]),
    Route("/v1/status", endpoints.status, methods=["GET"]),
    Route("/v1/key-packages", endpoints.upload_key_packages, methods=["PUT"]),
    Route("/v1/key-packages", endpoints.key_package_stock, methods=["GET"]),
    Route("/v1/key-packages/references", endpoints.key_package_references, methods=["GET"]),
    Route("/v1/key-packages/claims", endpoints.claim_key_packages, methods=["POST"]),
    Route("/v1/contact-mode", endpoints.choose_contact_mode, methods=["PUT"]),
    Route("/v1/contact-mode", endpoints.contact_mode, methods=["GET"]),
    Route("/v1/contact-requests", endpoints.ask_for_contact, methods=["POST"]),
    Route("/v1/contact-requests", endpoints.contact_requests, methods=["GET"]),
    Route("/v1/contact-grants", endpoints.grant_contact, methods=["PUT"]),
    Route("/v1/inbox", endpoints.read_inbox, methods=["GET"]),
    Route("/v1/inbox/ack", endpoints.acknowledge_inbox, methods=["POST"]),
    Route("/v1/blobs", blobs.open_upload, methods=["POST"]),
    Route("/v1/blobs/{blob}", blobs.read_blob, methods=["GET"]),
    Route("/v1/blobs/{blob}", blobs.delete_blob, methods=["DELETE"]),
    Route("/v1/uploads/{upload}", blobs.upload_state, methods=["GET"]),
    Route("/v1/uploads/{upload}", blobs.cancel_upload, methods=["DELETE"]),
    Route("/v1/uploads/{upload}/pieces/{piece}", blobs.put_piece, methods=["PUT"]),
    Route("/v1/uploads/{upload}/finish", blobs.finish_upload, methods=["POST"]),
    Route("/v1/events", endpoints.events, methods=["GET"]),
    Route("/v1/health", about.health, methods=["GET"]),
    Route("/v1/ready", about.ready, methods=["GET"]),
]
ALWAYS = ("/v1/health", "/v1/ready")  # who asks whether the service lives must not hear that it is busy


class DeliveryService(Starlette):
    """Starlette, with the address of entries.py before its router."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; one that had to wait for too long to be begun is refused."""
        try:
            _begin(scope)
        except RefusedError as error:
            await answer_to(error, scope)(scope, receive, send)
            return
        group = addressed_group(scope)
        if group is None:
            await super().__call__(scope, receive, send)
        else:
            await answer_entries(self.state.service, group, scope, receive, send)


def _begin(scope: Scope) -> None:
    extensions = scope.get("extensions", {})
    if BEGIN in extensions:
        with suppress(RefusedError) if scope["path"] in ALWAYS else nullcontext():
            extensions[BEGIN][BEGIN]()


def create_app(
    folder: Path | None,
    anchors: TrustAnchors,
    *,
    host: str,
    clock: Callable[[], float] = time.time,
    quotas: Quotas = QUOTAS,
    storage: BlobStorage | None = None,
    database: "Database | None" = None,
    policy: Policy = POLICY,
    transport: httpx.AsyncBaseTransport | None = None,
    encryption: bytes | None = None,
) -> Starlette:
    """A service whose store is in `folder` (in memory if None) and lives as long as the application's lifespan.

    `database`: where the store is instead; keys stay in the folder. `storage`: where blobs lie, if not in the folder.
    `transport`: what carries its requests for lists of revocations. `encryption`: the key of the store in the folder.
    """
    service = Service(
        folder,
        anchors,
        host,
        clock,
        quotas,
        storage,
        database,
        policy=policy,
        transport=transport,
        encryption=encryption,
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with service.running():
            yield

    described = document_route([*served(ROUTES), APPENDING], OPERATIONS, "Ringtrue's delivery service", DOCUMENT_PATH)
    app = DeliveryService(routes=[*ROUTES, described], exception_handlers=dict(EXCEPTION_HANDLERS), lifespan=lifespan)
    app.router.redirect_slashes = False  # addresses are exact, and a redirect would repeat the Host field
    app.state.service = service
    return app
