"""The token authority's client: have a code sent, and get the authority token that an order is authorized by."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from client.services.answers import from_json
from client.services.service import Call, Service
from identity.authority.tokens.wire import (
    BY_DEVICE,
    CodeRight,
    DeviceRight,
    RightClaims,
    TokenIssued,
    TokenRequest,
    sign_right_proof,
)
from identity.authority.wire import JSON_TYPE, ChallengeOpened, ChallengeRequest
from identity.base64url import encode_base64url
from identity.enrolment.acme_jws import JWK
from identity.enrolment.authority_token import (
    TN_AUTH_LIST,
    AuthorityTokenChallenge,
    account_fingerprint,
    identifier_value,
)
from identity.number import TelephoneNumber
from identity.tn_auth_list import OneNumber, TNAuthList

NONCE_SIZE = 16  # octets


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a token is to say: an ACME account may have a certificate of one number for one key, and not as a CA.

    Both keys go by their thumbprints (RFC 7638, 32 octets); they may be another device's.
    """

    number: TelephoneNumber
    account: bytes
    key: bytes

    @property
    def atc(self) -> AuthorityTokenChallenge:
        """The token's claim (RFC 9448 §5.4)."""
        value = identifier_value(TNAuthList((OneNumber(self.number.digits),)))
        return AuthorityTokenChallenge(TN_AUTH_LIST, value, account_fingerprint(self.account))


class TokenAuthority:
    """One token authority. Every method raises UnreachableError, UnexpectedAnswerError or a ServiceError."""

    def __init__(self, service: Service, clock: Callable[[], float]) -> None:
        self._service = service
        self._clock = clock

    async def challenge(self, number: TelephoneNumber) -> ChallengeOpened:
        """Have a code sent to the number. Each call sends one, so none is repeated by itself."""
        return from_json(await self._post("/v1/challenges", ChallengeRequest(number.e164), False), ChallengeOpened)

    async def token_by_code(self, challenge: str, code: str, wanted: Wanted) -> str:
        """Exchange the code; the same may be sent again if an answer was lost."""
        return await self._token(challenge, TokenRequest(wanted.atc, CodeRight(code), _text(wanted.key)), True)

    async def token_by_device(self, key: ec.EllipticCurvePrivateKey, chain: Sequence[bytes], wanted: Wanted) -> str:
        """Ask by the key of a certified device of the number."""
        name, nonce = _text(wanted.key), secrets.token_urlsafe(NONCE_SIZE)
        claims = RightClaims(self._service.base_url, wanted.atc, name, int(self._clock()), nonce)
        right = DeviceRight(list(chain), sign_right_proof(key, claims))
        return await self._token(BY_DEVICE, TokenRequest(wanted.atc, right, name), False)

    async def _token(self, right: str, request: TokenRequest, repeatable: bool) -> str:
        return from_json(await self._post(f"/at/account/{right}/token", request, repeatable), TokenIssued).token

    async def _post(self, path: str, request: msgspec.Struct, repeatable: bool) -> bytes:
        body = msgspec.json.encode(request)
        return await self._service.send(Call("POST", path, body, {"content-type": JSON_TYPE}, repeatable=repeatable))


def thumbprint(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The name of a key's public half (RFC 7638), 32 octets."""
    return JWK.of(key.public_key()).thumbprint


def _text(octets: bytes) -> str:
    return encode_base64url(octets).decode("ascii")
