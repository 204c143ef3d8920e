"""The authority's client: prove a number by a code, get the certificate chain, renew it.

Nothing that the authority answers is used before it was verified with the trust anchors in hand.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from client.answers import from_json
from client.errors import EnrolmentError, UnexpectedAnswerError
from client.service import Call, Service
from identity.authority.wire import (
    JSON_TYPE,
    OCSP_REQUEST_TYPE,
    CertificateRequest,
    ChallengeOpened,
    ChallengeRequest,
    Holding,
    Holdings,
    HoldingsClaims,
    HoldingsRequest,
    IssuedChain,
    RenewalClaims,
    RenewalRequest,
    ReportRequest,
    ReportTaken,
    Standing,
    StandingClaims,
    StandingRequest,
    Status,
    sign_holdings_proof,
    sign_renewal_proof,
    sign_standing_proof,
)
from identity.binding import DeviceIdentity, DeviceVerifier, x5u_for
from identity.certificates import TRUST_LIST_SIZE_LIMIT, TrustAnchors, leaf_number, public_point
from identity.errors import IdentityError
from identity.issuing import device_csr
from identity.number import TelephoneNumber
from identity.ocsp import RESPONSE_SIZE_LIMIT
from identity.report import Report
from identity.revocation import CRL_SIZE_LIMIT
from identity.status_list import LIST_LIMIT

NONCE_SIZE = 16  # octets
ANSWER_LIMIT = TRUST_LIST_SIZE_LIMIT  # octets


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A device whose chain was verified, and the address where the authority publishes that chain."""

    identity: DeviceIdentity
    x5u: str

    @property
    def chain(self) -> tuple[bytes, ...]:
        """DER, leaf first, without the root."""
        return self.identity.chain.certificates


class EnrolmentClient:
    """One authority; its base address is part of the `x5u` that its certificates are published at."""

    def __init__(
        self,
        base_url: str,
        *,
        clock: Callable[[], float] = time.time,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._service = Service(base_url, ANSWER_LIMIT, transport)
        self._clock = clock

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._service.aclose()

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
        """Have a code sent to the number. Each call sends one, so none is repeated by itself."""
        return from_json(await self._post("/v1/challenges", ChallengeRequest(number.e164), False), ChallengeOpened)

    async def certify(
        self,
        challenge: str,
        code: str,
        key: ec.EllipticCurvePrivateKey,
        number: TelephoneNumber,
        anchors: TrustAnchors,
    ) -> Enrolled:
        """Exchange the code for a certificate of `number` for `key`; anything else is an EnrolmentError."""
        request = CertificateRequest(challenge, code, device_csr(key, number))
        issued = from_json(await self._post("/v1/certificates", request, True), IssuedChain)
        return self._verified(issued, key, number, anchors)

    async def renew(self, key: ec.EllipticCurvePrivateKey, chain: Sequence[bytes], anchors: TrustAnchors) -> Enrolled:
        """Get a successor of `chain` for the same key and number. Raises EnrolmentError if it is for anything else."""
        number = _number(chain)
        csr = device_csr(key, number)
        claims = RenewalClaims(self.base_url, hashlib.sha256(csr).hexdigest(), int(self._clock()))
        request = RenewalRequest(list(chain), csr, sign_renewal_proof(key, claims))
        issued = from_json(await self._post("/v1/renewals", request, False), IssuedChain)
        return self._verified(issued, key, number, anchors)

    async def holdings(self, key: ec.EllipticCurvePrivateKey, chain: Sequence[bytes]) -> list[Holding]:
        """The live certificates of the chain's number, the newest first."""
        leaf = hashlib.sha256(chain[0]).hexdigest()
        claims = HoldingsClaims(self.base_url, leaf, int(self._clock()), secrets.token_hex(NONCE_SIZE))
        request = HoldingsRequest(list(chain), sign_holdings_proof(key, claims))
        return from_json(await self._post("/v1/holdings", request, False), Holdings).certificates

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
        """The answer to an OCSP request (identity.ocsp.encode_query), unverified."""
        headers = {"content-type": OCSP_REQUEST_TYPE}
        return await self._service.send(Call("POST", "/ocsp", query, headers, answer_limit=RESPONSE_SIZE_LIMIT))

    async def _post(self, path: str, request: msgspec.Struct, repeatable: bool) -> bytes:
        headers = {"content-type": JSON_TYPE}
        body = msgspec.json.encode(request)
        return await self._service.send(Call("POST", path, body, headers, repeatable=repeatable))

    def _verified(
        self, issued: IssuedChain, key: ec.EllipticCurvePrivateKey, number: TelephoneNumber, anchors: TrustAnchors
    ) -> Enrolled:
        point = public_point(key.public_key())
        try:
            identity = DeviceVerifier(anchors).verify(issued.chain, point, int(self._clock()))
        except IdentityError as error:
            raise EnrolmentError(f"the certificate from the authority is not acceptable: {error}") from error
        if identity.number != number:
            raise EnrolmentError(f"the authority certified {identity.number}, not {number}")
        if issued.x5u != x5u_for(self.base_url, issued.chain[0]):
            raise EnrolmentError(
                f"the authority publishes its certificates at {issued.x5u!a}, which is not below {self.base_url}",
                code="address",
                hint="Use the address that the authority's operator gave as its base URL.",
            )
        return Enrolled(identity, issued.x5u)


def _number(chain: Sequence[bytes]) -> TelephoneNumber:
    try:
        number = leaf_number(chain[0]) if chain else None
    except IdentityError as error:
        raise EnrolmentError("the old certificate cannot be read") from error
    if number is None:
        raise EnrolmentError("the old certificate is not for one number")
    return number
