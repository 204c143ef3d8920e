"""One order of a certificate for one number (RFC 8555 §7.4, RFC 9448): placed, authorized by a token, finalized."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding

from client.credentials.acme import AcmeServer
from client.credentials.acme_answers import Authorization, Challenge, Order
from client.credentials.acme_problems import (
    HINTS,
    MALFORMED,
    NOT_READY,
    UNSUPPORTED,
    certification_refused,
    retry_after,
)
from client.errors import CertificationRefusedError, ClientError, EnrolmentError, UnexpectedAnswerError
from client.services.answers import from_json
from client.services.service import Answer
from identity.authority.acme.wire import ATC, TKAUTH, ChallengeAnswer, Finalize, Identifier, NewOrder
from identity.base64url import encode_base64url
from identity.certificate_fields import load_pem
from identity.enrolment.authority_token import TN_AUTH_LIST, identifier_value
from identity.errors import CertificateError
from identity.number import TelephoneNumber
from identity.tn_auth_list import OneNumber, TNAuthList

POLL = 1  # seconds between looks, where the server does not say
POLL_LIMIT = 30  # seconds that one look waits at most
PATIENCE = 120  # seconds that an order may be worked on, all looks together

CHALLENGE_HINT = "Give the directory of an authority that takes authority tokens (RFC 9448)."

Prove = Callable[[Challenge], Awaitable[str]]
T = TypeVar("T", Order, Authorization)


class DraftAnswer(msgspec.Struct, frozen=True):
    """The answer by the drafts of RFC 9447, which named its member otherwise; acme2certifier 0.46 reads no other."""

    atc: str


class StillProcessingError(ClientError):
    """The authority has not decided within PATIENCE."""

    code = "still-processing"
    hint = "Do the same again in a while: what was proved stays proved."
    exit_code = 7


@dataclass(frozen=True, slots=True)
class Delivered:
    """What an order led to, unverified: DER, leaf first, and the address that the server publishes it at, if any."""

    chain: tuple[bytes, ...]
    x5u: str | None


@dataclass(frozen=True, slots=True)
class AcmeOrder:
    """A number's order at a server, from its first request to the certificate. Every method raises ClientError.

    `url`, `authorization` and `finalizing` are addresses at the server.
    """

    server: AcmeServer
    url: str
    authorization: str
    finalizing: str

    async def challenge(self) -> Challenge | None:
        """The challenge that an authority token answers; None if the account has authority over the number already."""
        authorization = await self._settled(self.authorization, Authorization, _being_validated)
        if authorization.status == "valid":
            return None
        for each in authorization.challenges:
            if each.type == TKAUTH and each.tkauth_type.lower() == ATC:
                return each
        raise EnrolmentError(
            "the authority asks for another proof of the number than an authority token",
            code="unsupported-challenge",
            hint=CHALLENGE_HINT,
        )

    async def answer(self, challenge: Challenge, token: str) -> None:
        """Give the authority token, and wait until it is accepted."""
        try:
            given = await self._give(challenge, token)
        except CertificationRefusedError as refused:  # of a repeated answer, perhaps, whose first one was taken
            await self._proved(_being_validated, refused)
            return
        if from_json(given.body, Challenge).status != "valid":
            await self.proved()

    async def _give(self, challenge: Challenge, token: str) -> Answer:
        try:
            return await self.server.post(challenge.url, ChallengeAnswer(token))
        except CertificationRefusedError as error:
            if error.code != MALFORMED:
                raise
            return await self.server.post(challenge.url, DraftAnswer(token))

    async def proved(self) -> None:
        """Wait until what the authorization asks for is accepted."""
        await self._proved(_is_pending, None)

    async def _proved(self, working: Callable[[Authorization], bool], refused: ClientError | None) -> None:
        authorization = await self._settled(self.authorization, Authorization, working)
        if authorization.status == "valid":
            return
        for each in authorization.challenges:
            if each.error is not None:
                raise certification_refused(each.error)
        raise refused or EnrolmentError(f"the authorization became {authorization.status!a}")

    async def finalize(self, csr: bytes) -> Delivered:
        """Have the certificate issued for this request (PKCS #10, DER), and fetch it."""
        request = Finalize(encode_base64url(csr).decode("ascii"))
        try:
            order = from_json((await self.server.post(self.finalizing, request)).body, Order)
        except CertificationRefusedError as error:
            if error.code != NOT_READY:  # of two, the first was taken
                raise
            order = await self._settled(self.url, Order, _being_issued)
        if _being_issued(order):
            order = await self._settled(self.url, Order, _being_issued)
        if order.status != "valid" or order.certificate is None:
            raise _ended(order)
        answer = await self.server.post(order.certificate)
        return Delivered(certificates(answer.body), order.x5u)

    async def _settled(self, url: str, shape: type[T], working: Callable[[T], bool]) -> T:
        """What is at `url` once the server is not `working` on it any more (RFC 8555 §7.5.1)."""
        waited = 0
        while True:
            answer = await self.server.post(url)
            value = from_json(answer.body, shape)
            if not working(value):
                return value
            pause = _pause(answer, self.server.now())
            if waited + pause > PATIENCE:
                raise StillProcessingError("the authority is still at work on the certificate")
            waited += pause
            await asyncio.sleep(pause)


async def place_order(server: AcmeServer, number: TelephoneNumber) -> AcmeOrder:
    """Order a certificate for one number. Raises ClientError."""
    value = identifier_value(TNAuthList((OneNumber(number.digits),)))
    directory = await server.directory()
    try:
        answer = await server.post(directory.new_order, NewOrder([Identifier(TN_AUTH_LIST, value)]))
    except CertificationRefusedError as error:
        if error.code == MALFORMED:  # what some servers call an identifier that they do not know
            error.hint = HINTS[UNSUPPORTED]
        raise
    order = from_json(answer.body, Order)
    if len(order.authorizations) != 1:
        count = len(order.authorizations)
        raise UnexpectedAnswerError(f"the authority asks for {count} authorizations of one number")
    return AcmeOrder(server, answer.headers.get("location", ""), order.authorizations[0], order.finalize)


def _is_pending(authorization: Authorization) -> bool:
    return authorization.status == "pending"


def _being_validated(authorization: Authorization) -> bool:
    return _is_pending(authorization) and any(each.status == "processing" for each in authorization.challenges)


def _being_issued(order: Order) -> bool:
    return order.status == "processing"


def _pause(answer: Answer, now: float) -> int:
    asked = retry_after(answer.headers, now)
    return min(max(1, POLL if asked is None else asked), POLL_LIMIT)


def _ended(order: Order) -> ClientError:
    if order.error is not None:
        return certification_refused(order.error)
    return EnrolmentError(f"the order became {order.status!a}, and the authority does not say why")


def certificates(pem: bytes) -> tuple[bytes, ...]:
    """The chain in a PEM file (RFC 8555 §9.1), DER. Raises EnrolmentError."""
    try:
        return tuple(each.public_bytes(Encoding.DER) for each in load_pem(pem))
    except CertificateError as error:
        raise EnrolmentError("the authority's answer is not a chain of certificates") from error
