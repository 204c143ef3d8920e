"""The token authority's routes: code sending, bodies in, tokens out."""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from identity.authority.codes import CodeSender
from identity.authority.errors import CodeNotSentError, RefusedError
from identity.authority.exchange import client_address, json_response, read_json
from identity.authority.tokens.desk import TokenDesk
from identity.authority.tokens.signer import TokenSigner
from identity.authority.tokens.store import TokenStore
from identity.authority.tokens.wire import TOKEN_BODY_LIMIT, DeviceRight, TokenRequest
from identity.authority.wire import CODE_DIGITS, PEM_TYPE, ChallengeOpened, ChallengeRequest

SEND_TIMEOUT = 10  # seconds for a code sender to hand over a code
DEVICES_AT_ONCE = 2  # requests by devices: roots and lists may be elsewhere, and hold up no thread that others need
RESEND_DELAY = 30  # seconds that a client waits after a code could not be sent


@dataclass(frozen=True, slots=True)
class TokenService:
    """What the routes need: who decides, whose roots are published, who carries codes, and a clock."""

    desk: TokenDesk
    store: TokenStore
    signer: TokenSigner
    sender: CodeSender
    clock: Callable[[], float]
    devices_at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(DEVICES_AT_ONCE))

    def routes(self) -> list[Route]:
        """The addresses of `wire`."""
        return [
            Route("/v1/challenges", self._challenges, methods=["POST"]),
            Route("/at/account/{id}/token", self._token, methods=["POST"]),
            Route("/at/anchors.pem", self._anchors),
        ]

    async def _challenges(self, request: Request) -> Response:
        body = await read_json(request, ChallengeRequest)
        address, now = client_address(request), int(self.clock())
        challenge, code = await asyncio.to_thread(self.desk.open_challenge, body, address, now)
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                await self.sender.send(challenge.number, code)
        except (CodeNotSentError, TimeoutError) as error:
            await asyncio.to_thread(self.desk.withdraw, challenge)
            raise RefusedError("code-not-sent", "try again in a while", retry_after=RESEND_DELAY) from error
        return json_response(ChallengeOpened(challenge.id, challenge.expires_at, CODE_DIGITS), 201)

    async def _token(self, request: Request) -> Response:
        body = await read_json(request, TokenRequest, TOKEN_BODY_LIMIT, "TOKEN_BODY_LIMIT")
        subject, address, now = request.path_params["id"], client_address(request), int(self.clock())
        async with self.devices_at_once if isinstance(body.right, DeviceRight) else nullcontext():
            return json_response(await asyncio.to_thread(self.desk.issue, subject, body, address, now), 200)

    async def _anchors(self, _: Request) -> Response:
        return Response(self.signer.roots_pem, media_type=PEM_TYPE)
