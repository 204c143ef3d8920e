"""One HTTP service as a client sees it: explicit timeouts, bounded answers, refusals as exceptions, few retries."""

import asyncio
import random
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from client.errors import ClientError, RateLimitedError, UnexpectedAnswerError, UnreachableError
from client.services.problems import refusal

CONNECT_TIMEOUT = 5.0  # seconds
TRANSFER_TIMEOUT = 30.0  # seconds without an octet, either way; a long poll's wait comes on top
CONNECTIONS = 16
ATTEMPTS = 4  # of one call, the first included
BACKOFF = 0.2  # seconds before the first repeat on average; doubles, with full jitter
BACKOFF_LIMIT = 30.0  # seconds
TOO_LONG = "answer-too-long"  # code of the error for an answer beyond its limit
PATIENCE = 5  # seconds of Retry-After that a call waits by itself; with more it is for the caller to decide
TLS_HINT = (
    "If the service has its certificate from an authority of its own, name that one's certificate in SSL_CERT_FILE. "
    "Otherwise check the address, the clock, and who may be between you and the service."
)
ADDRESS_HINT = "Write the service's address as https://HOST or, on this machine, http://127.0.0.1:PORT."

HOST = re.compile("[0-9A-Za-z._:-]+")

Sign = Callable[[httpx.Request], None]


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `repeatable`: to carry it out twice is the same as once. `wait`: seconds a long poll may take.

    `answer_limit`: octets of a successful answer, where the service's own limit is not the right one.
    """

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, int] = field(default_factory=dict)
    repeatable: bool = True
    wait: float = 0
    sign: Sign | None = None
    answer_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status says."""

    status: int
    headers: httpx.Headers
    body: bytes


class Service:
    """Requests to one base address."""

    def __init__(self, base_url: str, answer_limit: int, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.base_url = _checked(base_url)
        self._answer_limit = answer_limit
        self._http = httpx.AsyncClient(
            base_url=self.base_url,
            transport=transport,
            verify=_tls(self.base_url),
            headers={"accept-encoding": "identity", "user-agent": "ringtrue"},
            limits=httpx.Limits(max_connections=CONNECTIONS),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, call: Call) -> bytes:
        """The body of a successful answer. Raises UnreachableError, UnexpectedAnswerError or a ServiceError."""
        for attempt in range(1, ATTEMPTS):
            try:
                return await self._exchange(call)
            except (UnreachableError, RateLimitedError) as error:
                pause = _pause(error, call, attempt)
                if pause is None:
                    raise
            await asyncio.sleep(pause)
        return await self._exchange(call)

    async def answer(self, call: Call) -> Answer:
        """What comes back to one attempt, a refusal too: for a protocol whose headers say how to go on."""
        async with self._answered(call, TRANSFER_TIMEOUT + call.wait) as response:
            return Answer(response.status_code, response.headers, await self._read(response, call.answer_limit))

    @asynccontextmanager
    async def open(self, call: Call, silence: float) -> AsyncIterator[httpx.Response]:
        """A successful answer whose body has not been read; no octet for `silence` seconds ends it.

        To a call with If-None-Match an answer without a body is one: nothing has changed (RFC 9110 §13.1.2).
        """
        async with self._answered(call, silence) as response:
            if not response.is_success and not _unchanged(call, response):
                raise refusal(response.status_code, await self._read(response))
            yield response

    @asynccontextmanager
    async def _answered(self, call: Call, silence: float) -> AsyncIterator[httpx.Response]:
        request = self._request(call, silence)
        try:
            response = await self._http.send(request, stream=True)
        except httpx.TransportError as error:
            raise _unreachable(error, self.base_url, call) from error
        try:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise UnexpectedAnswerError("the service compressed its answer, which was not asked for")
            yield response
        except httpx.TransportError as error:
            raise _unreachable(error, self.base_url, call) from error
        finally:
            await response.aclose()

    async def _exchange(self, call: Call) -> bytes:
        async with self.open(call, TRANSFER_TIMEOUT + call.wait) as response:
            return await self._read(response, call.answer_limit)

    def _request(self, call: Call, silence: float) -> httpx.Request:
        timeout = httpx.Timeout(TRANSFER_TIMEOUT, connect=CONNECT_TIMEOUT, read=silence)
        headers, params = dict(call.headers), dict(call.params) or None
        request = self._http.build_request(
            call.method, call.path, content=call.body, headers=headers, params=params, timeout=timeout
        )
        if call.sign is not None:
            call.sign(request)
        return request

    async def _read(self, response: httpx.Response, answer_limit: int | None = None) -> bytes:
        limit = self._answer_limit if answer_limit is None else answer_limit
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > limit:
                raise UnexpectedAnswerError(f"the service's answer is longer than {limit} octets", code=TOO_LONG)
        return bytes(body)


def backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row: doubling, with full jitter, bounded."""
    ceiling = min(BACKOFF_LIMIT, BACKOFF * 2 ** min(failures, 16))
    return random.uniform(0, ceiling)  # noqa: S311 - spreads load, guards nothing


def _unchanged(call: Call, response: httpx.Response) -> bool:
    return response.status_code == httpx.codes.NOT_MODIFIED and "if-none-match" in call.headers


def _pause(error: ClientError, call: Call, attempt: int) -> float | None:
    """Seconds until the next attempt; None if there is to be none."""
    match error:
        case UnreachableError(retryable=True):
            return backoff(attempt)
        case RateLimitedError(retry_after=seconds) if call.repeatable and seconds <= PATIENCE:
            return seconds + backoff(attempt)
    return None


def _unreachable(error: httpx.TransportError, base_url: str, call: Call) -> ClientError:
    if isinstance(error, httpx.UnsupportedProtocol):
        return ClientError(f"{base_url!a} is not an address of a service", code="address", hint=ADDRESS_HINT)
    if _has_other_certificate(error):
        return UnreachableError(
            f"{base_url} shows a certificate that counts for nothing here", retryable=True, hint=TLS_HINT
        )
    never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    what = "cannot be reached" if never_sent else "did not answer"
    return UnreachableError(f"{base_url} {what}", retryable=never_sent or call.repeatable)


def _has_other_certificate(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None


def _tls(base_url: str) -> ssl.SSLContext | bool:
    # To load the system's authorities takes longer than a command's whole exchange with a service on this machine; a
    # context without any trusts nobody, should a plain address ever lead to TLS.
    return True if httpx.URL(base_url).scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _checked(base_url: str) -> str:
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, TypeError) as error:
        raise ClientError(f"{base_url!a} is not an address", code="address", hint=ADDRESS_HINT) from error
    named = url.scheme in ("http", "https") and HOST.fullmatch(url.raw_host.decode("ascii"))
    if not named or url.query or url.fragment or url.userinfo:
        raise ClientError(f"{base_url!a} is not an address of a service", code="address", hint=ADDRESS_HINT)
    return base_url.rstrip("/")
