"""The device's session at the delivery service: opened by a signed request, renewed before it ends or when refused."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from client.errors import SessionExpiredError, UnexpectedAnswerError
from client.services.answers import from_json
from client.services.service import Call, Service, Sign
from client.services.signing import RequestSigner
from delivery_service.wire import JSON_TYPE, SessionGranted, SessionRequest

RENEWAL_MARGIN = 30  # seconds before its end in which a session is not used any more


Opening = Callable[[], Awaitable[Sequence[str]]]


class DeviceSession:
    """Sends calls with a bearer token, and opens one session at a time.

    `opening` is asked for the nonces of the attempts before a session is opened, so that they can be kept first.
    """

    def __init__(
        self,
        service: Service,
        key: ec.EllipticCurvePrivateKey,
        chain: Sequence[bytes],
        clock: Callable[[], float],
        opening: Opening | None = None,
    ) -> None:
        self._service = service
        self._key = key
        self._chain = tuple(chain)
        self._signer = RequestSigner(key, self._chain[0])
        self._clock = clock
        self._announce = opening
        self._granted: SessionGranted | None = None
        self._opening = asyncio.Lock()

    def with_chain(self, chain: Sequence[bytes]) -> "DeviceSession":
        """The same device with another certificate, without a session yet."""
        return DeviceSession(self._service, self._key, chain, self._clock, self._announce)

    async def open(self) -> SessionGranted:
        """Open a new session, whether there is one or not."""
        body = msgspec.json.encode(SessionRequest(list(self._chain)))
        sign = self._sign() if self._announce is None else self._sign_with(await self._announce())
        call = Call("POST", "/v1/sessions", body, {"content-type": JSON_TYPE}, sign=sign)
        granted = from_json(await self._service.send(call), SessionGranted)
        if not granted.token.isascii() or not granted.token.isprintable():
            raise UnexpectedAnswerError("the service's session token cannot stand in a header")
        self._granted = granted
        return granted

    async def send(self, call: Call) -> bytes:
        """The body of the answer to a call within a session."""
        granted = await self._current()
        try:
            return await self._service.send(_within(granted, call))
        except SessionExpiredError:
            self._forget(granted)
        return await self._service.send(_within(await self._current(), call))

    async def send_signed(self, call: Call) -> bytes:
        """The same for a call that also carries a signature of its own."""
        return await self.send(replace(call, sign=self._sign()))

    @asynccontextmanager
    async def stream(self, call: Call, silence: float) -> AsyncIterator[httpx.Response]:
        """An open answer within a session; a refused session is forgotten, so that a repeat opens another."""
        granted = await self._current()
        try:
            async with self._service.open(_within(granted, call), silence) as response:
                yield response
        except SessionExpiredError:
            self._forget(granted)
            raise

    async def _current(self) -> SessionGranted:
        async with self._opening:
            if self._granted is None or self._granted.expires_at - self._clock() < RENEWAL_MARGIN:
                return await self.open()
            return self._granted

    def _forget(self, granted: SessionGranted) -> None:
        if self._granted is granted:  # otherwise another task has already opened a new one
            self._granted = None

    def _sign_with(self, nonces: Sequence[str]) -> Sign:
        left = iter(nonces)  # one for each attempt of client.services.service.ATTEMPTS
        return lambda request: self._signer.sign(request, self._clock(), next(left))

    def _sign(self) -> Sign:
        return lambda request: self._signer.sign(request, self._clock())


def _within(granted: SessionGranted, call: Call) -> Call:
    return replace(call, headers={**call.headers, "authorization": f"Bearer {granted.token}"})
