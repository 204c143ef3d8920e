"""The authority's client: prove a number to the token authority, order its certificate by ACME, renew and revoke it.

    challenge  the token authority sends a code
    certify    code -> authority token -> order (RFC 8555, RFC 9448) -> chain
    renew      the device's key stands in for the code

An order is placed before the code is used, so that a code is not spent on a server that cannot be reached. Nothing
that the authority answers is used before it was verified with the trust anchors in hand.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from client.credentials.acme import AcmeServer, origin
from client.credentials.acme_account import AcmeAccount, new_acme_account
from client.credentials.acme_answers import Challenge
from client.credentials.acme_order import Prove, certificates, place_order
from client.credentials.enrolled import Enrolled, Expected, check_delivered
from client.credentials.token_authority import TokenAuthority, Wanted, thumbprint
from client.errors import EnrolmentError, UnexpectedAnswerError
from client.services.answers import from_json
from client.services.service import Call, Service
from identity.authority.acme.wire import DIRECTORY_PATH, Revocation
from identity.authority.wire import (
    JSON_TYPE,
    OCSP_REQUEST_TYPE,
    ChallengeOpened,
    Holding,
    Holdings,
    HoldingsClaims,
    HoldingsRequest,
    ReportRequest,
    ReportTaken,
    Standing,
    StandingClaims,
    StandingRequest,
    Status,
    sign_holdings_proof,
    sign_standing_proof,
)
from identity.base64url import encode_base64url
from identity.certificates import TRUST_LIST_SIZE_LIMIT, TrustAnchors, leaf_number
from identity.errors import IdentityError
from identity.issuing import device_csr
from identity.message import certificate_path
from identity.number import TelephoneNumber
from identity.reports.report import Report
from identity.reports.status_list import LIST_LIMIT
from identity.status.ocsp import RESPONSE_SIZE_LIMIT
from identity.status.revocation import CRL_SIZE_LIMIT

NONCE_SIZE = 16  # octets
ANSWER_LIMIT = TRUST_LIST_SIZE_LIMIT  # octets


class EnrolmentClient:
    """One authority, and this device's account at the ACME server that certifies for it.

    Without `acme` that is the authority's own, with a new account: what `self.acme` is in the end can be kept and
    given again.
    """

    def __init__(
        self,
        base_url: str,
        *,
        clock: Callable[[], float] = time.time,
        transport: httpx.AsyncBaseTransport | None = None,
        acme: AcmeAccount | None = None,
    ) -> None:
        self._service = Service(base_url, ANSWER_LIMIT, transport)
        self._services = {self.base_url: self._service}
        self._transport = transport
        self._clock = clock
        account = acme or new_acme_account(self.base_url)
        directory_origin = origin(account.directory) or account.directory
        ours = directory_origin == origin(self.base_url)
        self._server = AcmeServer(self._service if ours else self._at(directory_origin), account, clock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        for service in self._services.values():
            await service.aclose()

    @property
    def acme(self) -> AcmeAccount:
        """The account at the ACME server, with what became known of it meanwhile."""
        return self._server.account

    @property
    def base_url(self) -> str:
        """The authority's address, without a slash at its end."""
        return self._service.base_url

    async def status(self) -> Status:
        """The authority's name, the numbers it certifies, and its clock."""
        return from_json(await self._service.send(Call("GET", "/v1/status")), Status)

    async def anchors(self) -> TrustAnchors:
        """The roots that the authority publishes: to trust them is the caller's decision. Raises EnrolmentError."""
        pem = await self._service.send(Call("GET", "/v1/anchors.pem"))
        try:
            anchors = TrustAnchors.from_pem(pem)
        except IdentityError as error:
            raise EnrolmentError(f"the authority's trust list cannot be used: {error}") from error
        if not anchors.roots:
            raise EnrolmentError("the authority's trust list is empty")
        return anchors

    async def challenge(self, number: TelephoneNumber) -> ChallengeOpened:
        """Have the token authority send a code; `self.acme` names it afterwards. Each call sends one, none repeats."""
        where = await self._token_authority(number)
        opened = await TokenAuthority(self._at(where), self._clock).challenge(number)
        self._server.account = replace(self.acme, token_authority=where)
        return opened

    async def certify(
        self,
        challenge: str,
        code: str,
        key: ec.EllipticCurvePrivateKey,
        number: TelephoneNumber,
        anchors: TrustAnchors,
    ) -> Enrolled:
        """Exchange the code for a certificate of `number` for `key`; anything else is an EnrolmentError."""
        where = await self._token_authority(number)
        wanted = Wanted(number, thumbprint(self.acme.key), thumbprint(key))

        async def prove(asked: Challenge) -> str:
            _check_same(asked, where)
            return await TokenAuthority(self._at(where), self._clock).token_by_code(challenge, code, wanted)

        return await self._ordered(number, key, anchors, prove)

    async def renew(self, key: ec.EllipticCurvePrivateKey, chain: Sequence[bytes], anchors: TrustAnchors) -> Enrolled:
        """Get a successor of `chain` for the same key and number. Raises EnrolmentError if it is for anything else."""
        number = _number(chain)
        wanted = Wanted(number, thumbprint(self.acme.key), thumbprint(key))

        async def prove(asked: Challenge) -> str:
            # A proof is for the token authority that it names alone: unlike a code, it can go where the server says.
            where = asked.token_authority.rstrip("/") or await self._token_authority(number)
            return await TokenAuthority(self._at(where), self._clock).token_by_device(key, chain, wanted)

        return await self._ordered(number, key, anchors, prove)

    async def certify_by_token(
        self, token: str, key: ec.EllipticCurvePrivateKey, number: TelephoneNumber, anchors: TrustAnchors
    ) -> Enrolled:
        """Get a certificate of `number` for `key` on an authority token for this account that came from elsewhere."""

        async def prove(_: Challenge) -> str:
            return token

        return await self._ordered(number, key, anchors, prove)

    async def token(self, key: ec.EllipticCurvePrivateKey, chain: Sequence[bytes], wanted: Wanted) -> str:
        """An authority token for another device of the chain's number: its account's key and its own are `wanted`."""
        where = await self._token_authority(wanted.number)
        return await TokenAuthority(self._at(where), self._clock).token_by_device(key, chain, wanted)

    async def revoke(self, key: ec.EllipticCurvePrivateKey | None, chain: Sequence[bytes], reason: int = 0) -> None:
        """Revoke the chain's leaf by its own key, or by the account that ordered it if `key` is None.

        `reason` is a CRLReason (RFC 5280 §5.3.1). Raises CertificationRefusedError, such as `already-revoked`.
        """
        request = Revocation(encode_base64url(chain[0]).decode("ascii"), reason)
        url = (await self._server.directory()).revoke_cert
        await (self._server.post(url, request) if key is None else self._server.post_by_key(url, request, key))

    async def holdings(self, key: ec.EllipticCurvePrivateKey, chain: Sequence[bytes]) -> list[Holding]:
        """The live certificates of the chain's number, the newest first."""
        leaf = hashlib.sha256(chain[0]).hexdigest()
        claims = HoldingsClaims(self.base_url, leaf, int(self._clock()), secrets.token_hex(NONCE_SIZE))
        request = HoldingsRequest(list(chain), sign_holdings_proof(key, claims))
        return from_json(await self._post("/v1/holdings", request, False), Holdings).certificates

    async def published(self, fingerprint: str) -> bytes:
        """A certificate (DER) that the authority has published, by its SHA-256 in hex. Raises EnrolmentError."""
        pem = await self._service.send(Call("GET", certificate_path(bytes.fromhex(fingerprint))))
        leaf = certificates(pem)[0]
        if hashlib.sha256(leaf).hexdigest() != fingerprint:
            raise EnrolmentError("the authority publishes another certificate at this address")
        return leaf

    async def report(self, report: Report) -> ReportTaken:
        """Hand a report in; the authority verifies it before it answers. Raises ReportRefusedError."""
        return from_json(await self._post("/v1/reports", ReportRequest.of(report), False), ReportTaken)

    async def standing(self, key: ec.EllipticCurvePrivateKey, chain: Sequence[bytes], appeal: str = "") -> Standing:
        """What counts against the chain's number; with a text, an appeal against it."""
        claims = StandingClaims(self.base_url, int(self._clock()), secrets.token_hex(NONCE_SIZE), appeal)
        request = StandingRequest(list(chain), sign_standing_proof(key, claims))
        return from_json(await self._post("/v1/standing", request, False), Standing)

    async def status_list(self, serial: int | None = None) -> bytes | None:
        """The signed list of statuses, unverified; None if it is still the one with this serial."""
        headers = {} if serial is None else {"if-none-match": f'"{serial}"'}
        call = Call("GET", "/v1/status-list", headers=headers, answer_limit=LIST_LIMIT)
        octets = await self._service.send(call)
        if serial is None and not octets:
            raise UnexpectedAnswerError(
                "the authority's list of statuses is empty of everything, its signature included"
            )
        return octets or None

    async def revocation_list(self, number: int | None = None) -> bytes | None:
        """The list of revocations (DER), unverified; None if it is still the one with this number."""
        headers = {} if number is None else {"if-none-match": f'"{number}"'}
        call = Call("GET", "/v1/crl", headers=headers, answer_limit=CRL_SIZE_LIMIT)
        octets = await self._service.send(call)
        if number is None and not octets:
            raise UnexpectedAnswerError("the authority's list of revocations is empty of everything")
        return octets or None

    async def certificate_status(self, query: bytes) -> bytes:
        """The answer to an OCSP request (identity.status.ocsp.encode_query), unverified."""
        headers = {"content-type": OCSP_REQUEST_TYPE}
        return await self._service.send(Call("POST", "/ocsp", query, headers, answer_limit=RESPONSE_SIZE_LIMIT))

    async def _post(self, path: str, request: msgspec.Struct, repeatable: bool) -> bytes:
        headers = {"content-type": JSON_TYPE}
        body = msgspec.json.encode(request)
        return await self._service.send(Call("POST", path, body, headers, repeatable=repeatable))

    def _at(self, address: str) -> Service:
        if address not in self._services:
            self._services[address] = Service(address, ANSWER_LIMIT, self._transport)
        return self._services[address]

    async def _token_authority(self, number: TelephoneNumber) -> str:
        """Its base address: the one that was given or found before, or else the one that the authority names."""
        if self.acme.token_authority:
            return self.acme.token_authority
        if self._is_own_server():
            named = (await self.status()).token_authority
        else:
            challenge = await (await place_order(self._server, number)).challenge()
            named = "" if challenge is None else challenge.token_authority
        return named.rstrip("/") or self.base_url

    async def _ordered(
        self, number: TelephoneNumber, key: ec.EllipticCurvePrivateKey, anchors: TrustAnchors, prove: Prove
    ) -> Enrolled:
        order = await place_order(self._server, number)
        challenge = await order.challenge()
        if challenge is not None:
            await order.answer(challenge, await prove(challenge))
        delivered = await order.finalize(device_csr(key, number))
        now, elsewhere = int(self._clock()), not self._is_own_server()
        expected = Expected(number, key.public_key(), anchors, now, self.base_url, elsewhere)
        enrolled = check_delivered(delivered, expected)
        self._server.account = replace(self.acme, published=enrolled.published)
        return enrolled

    def _is_own_server(self) -> bool:
        return self.acme.directory == self.base_url + DIRECTORY_PATH


def _check_same(asked: Challenge, where: str) -> None:
    """A code goes to nobody but the token authority that sent it, whatever the ACME server says."""
    named = asked.token_authority.rstrip("/")
    if named and named != where:
        raise EnrolmentError(
            f"the authority takes the tokens of {named[:300]!a}, and the code is one of {where}",
            code="address",
            hint="Nothing was sent there. If you rely on it: ringtrue enroll --token-authority URL",
        )


def _number(chain: Sequence[bytes]) -> TelephoneNumber:
    try:
        number = leaf_number(chain[0]) if chain else None
    except IdentityError as error:
        raise EnrolmentError("the old certificate cannot be read") from error
    if number is None:
        raise EnrolmentError("the old certificate is not for one number")
    return number
