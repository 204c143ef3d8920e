"""Requests to an ACME server (RFC 8555 §6): its directory, nonces, the account's signature, refusals as exceptions."""

import asyncio
import re
from collections.abc import Callable

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from client.credentials.acme_account import AcmeAccount
from client.credentials.acme_answers import Directory
from client.credentials.acme_problems import BAD_NONCE, HINTS, NO_ACCOUNT, acme_refusal
from client.errors import (
    CertificationRefusedError,
    ClientError,
    EnrolmentError,
    NotFoundError,
    RateLimitedError,
    UnexpectedAnswerError,
    UnreachableError,
)
from client.services.answers import from_json
from client.services.service import ATTEMPTS, PATIENCE, Answer, Call, Service, backoff
from identity.authority.acme.wire import NewAccount
from identity.enrolment.acme_jws import JOSE_TYPE, sign_request

NONCES_KEPT = 4  # unused ones; an older one may have ended at the server
ADDRESS_HINT = "Use the address that the authority's operator gave as its base URL."
DIRECTORY_HINT = "Give the address that its operator names, with --acme-directory; see: ringtrue enroll --help"
TERMS_HINT = "Read them, then: ringtrue enroll --accept-terms"

_NONCE = re.compile(r"[A-Za-z0-9_-]{1,500}")  # RFC 8555 §6.5.1
_DONE = range(200, 300)


class AcmeServer:
    """One server and this device's account there, which is registered when it is first needed.

    Every method raises UnreachableError, UnexpectedAnswerError, or a ServiceError for what the server refuses.
    """

    def __init__(self, service: Service, account: AcmeAccount, clock: Callable[[], float]) -> None:
        self._service = service
        self._clock = clock
        self._directory: Directory | None = None
        self._nonces: list[str] = []
        self.account = account

    def now(self) -> float:
        """Seconds since the Unix epoch, by this device's clock."""
        return self._clock()

    async def directory(self) -> Directory:
        """Where each kind of request goes."""
        if self._directory is None:
            try:
                self._directory = from_json(await self._service.send(Call("GET", self.account.directory)), Directory)
            except (NotFoundError, UnexpectedAnswerError) as error:
                words = f"{self.account.directory[:300]!a} is not the directory of an ACME server"
                raise EnrolmentError(words, code="address", hint=DIRECTORY_HINT) from error
        return self._directory

    async def post(self, url: str, payload: msgspec.Struct | None = None) -> Answer:
        """Ask by the account for what is at `url`; without a payload, read it (POST-as-GET, RFC 8555 §6.3)."""
        octets = b"" if payload is None else msgspec.json.encode(payload)
        registered_before = bool(self.account.url)
        if not registered_before:
            await self._register()
        try:
            return await self._signed(url, octets, self.account.key, self.account.url)
        except CertificationRefusedError as error:
            if error.code != NO_ACCOUNT or not registered_before:
                raise
        await self._register()  # a server may forget an account; the key is what counts
        return await self._signed(url, octets, self.account.key, self.account.url)

    async def post_by_key(self, url: str, payload: msgspec.Struct, key: ec.EllipticCurvePrivateKey) -> Answer:
        """Ask by a key that is no account's: a certificate's, to have that revoked (RFC 8555 §7.6)."""
        return await self._signed(url, msgspec.json.encode(payload), key, None)

    async def _register(self) -> None:
        """Have an account for the key, a new one or the one that there is (RFC 8555 §7.3)."""
        directory = await self.directory()
        _check_conditions(directory, self.account)
        payload = msgspec.json.encode(NewAccount(terms_of_service_agreed=self.account.accepts_terms))
        answer = await self._signed(directory.new_account, payload, self.account.key, None)
        self.account = self.account.named(self._here(answer.headers.get("location", "")))

    async def _signed(self, url: str, payload: bytes, key: ec.EllipticCurvePrivateKey, kid: str | None) -> Answer:
        """Sign and send; again, with another nonce, where that may help: nothing that is asked here does harm twice."""
        url = self._here(url)
        for attempt in range(1, ATTEMPTS):
            try:
                return await self._exchange(url, payload, key, kid)
            except (UnreachableError, RateLimitedError, CertificationRefusedError) as error:
                pause = _pause(error, attempt)
                if pause is None:
                    raise
            await asyncio.sleep(pause)
        return await self._exchange(url, payload, key, kid)

    async def _exchange(self, url: str, payload: bytes, key: ec.EllipticCurvePrivateKey, kid: str | None) -> Answer:
        body = sign_request(key, payload, url=url, nonce=await self._nonce(), kid=kid)
        answer = await self._service.answer(Call("POST", url, body, {"content-type": JOSE_TYPE}))
        self._keep_nonce(answer.headers)
        if answer.status not in _DONE:
            raise acme_refusal(answer, self.now())
        return answer

    async def _nonce(self) -> str:
        if not self._nonces:
            directory = await self.directory()
            self._keep_nonce((await self._service.answer(Call("HEAD", self._here(directory.new_nonce)))).headers)
        if not self._nonces:
            raise UnexpectedAnswerError("the authority's ACME server gives no nonce")
        return self._nonces.pop()

    def _keep_nonce(self, headers: httpx.Headers) -> None:
        nonce = headers.get("replay-nonce", "")
        if _NONCE.fullmatch(nonce) and len(self._nonces) < NONCES_KEPT:
            self._nonces.append(nonce)

    def _here(self, url: str) -> str:
        """An address that the server gave: one of its own, so that nobody else is asked in its name."""
        if origin(url) != origin(self.account.directory):
            raise EnrolmentError(
                f"the authority's ACME server leads away from itself, to {url[:200]!a}",
                code="address",
                hint=ADDRESS_HINT,
            )
        return url


def origin(url: str) -> str:
    """Scheme, host and port of an address, "" if it is none."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return ""
    host = parsed.netloc.decode("ascii", "replace")
    return f"{parsed.scheme}://{host}" if parsed.scheme in ("http", "https") and host else ""


def _check_conditions(directory: Directory, account: AcmeAccount) -> None:
    """Say at once what would be refused, with words that help more."""
    if directory.meta.external_account_required:
        words = "this authority wants accounts that were arranged with it before"
        raise EnrolmentError(words, code="external-account-required", hint=HINTS["external-account-required"])
    if directory.meta.terms_of_service and not account.accepts_terms:
        terms = directory.meta.terms_of_service[:500]
        raise EnrolmentError(f"this authority has terms of service: {terms!a}", code="terms", hint=TERMS_HINT)


def _pause(error: ClientError, attempt: int) -> float | None:
    """Seconds until the next attempt; None if there is to be none."""
    match error:
        case UnreachableError(retryable=True):
            return backoff(attempt)
        case RateLimitedError(retry_after=seconds) if seconds <= PATIENCE:
            return seconds + backoff(attempt)
        case CertificationRefusedError(code=code) if code == BAD_NONCE:
            return 0
    return None
