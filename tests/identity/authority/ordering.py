"""An ACME account and its requests, as any client makes them, with room for what a client gets wrong."""

import secrets
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from identity.authority.acme import wire
from identity.authority.tokens.wire import CodeRight, DeviceRight, RightClaims, TokenRequest, sign_right_proof
from identity.base64url import encode_base64url
from identity.enrolment.acme_jws import JOSE_TYPE, JWK, thumbprint_text
from identity.enrolment.authority_token import (
    TN_AUTH_LIST,
    AuthorityTokenChallenge,
    account_fingerprint,
    identifier_value,
)
from identity.number import TelephoneNumber
from identity.tn_auth_list import OneNumber, TNAuthList

BASE_URL = "http://authority.example"


def private_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def one(number: TelephoneNumber) -> str:
    """The identifier of a number."""
    return identifier_value(TNAuthList((OneNumber(number.digits),)))


def thumbprint(key: ec.EllipticCurvePrivateKey) -> str:
    return thumbprint_text(JWK.of(key.public_key()).thumbprint)


def flattened(key: Any, payload: bytes, headers: dict[str, Any], algorithm: str = "ES256") -> bytes:
    """A flattened JWS with exactly these headers beside alg."""
    token = jwt.PyJWS().encode(payload, key, algorithm=algorithm, headers={"typ": None, **headers})
    protected, middle, signature = token.split(".")
    return msgspec.json.encode({"protected": protected, "payload": middle, "signature": signature})


@dataclass
class AcmeAccount:
    """A key that orders; `kid` is the account's URL once it has one."""

    http: httpx.AsyncClient
    key: ec.EllipticCurvePrivateKey = field(default_factory=private_key)
    kid: str | None = None
    base_url: str = BASE_URL

    @property
    def fingerprint(self) -> str:
        return account_fingerprint(JWK.of(self.key.public_key()).thumbprint)

    async def nonce(self) -> str:
        return (await self.http.head(f"{self.base_url}/acme/new-nonce")).headers["replay-nonce"]

    async def send(self, url: str, body: bytes, content_type: str = JOSE_TYPE) -> httpx.Response:
        return await self.http.post(url, content=body, headers={"content-type": content_type})

    async def headers(self, url: str, **changes: Any) -> dict[str, Any]:
        """What a good request has; a change to None leaves a header out."""
        good: dict[str, Any] = {"url": url, "nonce": await self.nonce()}
        good |= {"kid": self.kid} if self.kid else {"jwk": msgspec.to_builtins(JWK.of(self.key.public_key()))}
        return {name: value for name, value in (good | changes).items() if value is not None}

    async def post(self, url: str, payload: Any = b"", **changes: Any) -> httpx.Response:
        """Sign and send; `changes` are headers that are not as they should be."""
        octets = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        return await self.send(url, flattened(self.key, octets, await self.headers(url, **changes)))

    async def register(self) -> "AcmeAccount":
        response = await self.post(f"{self.base_url}/acme/new-account", wire.NewAccount())
        assert response.status_code in (200, 201), response.text
        self.kid = response.headers["location"]
        return self

    async def order(self, *values: str) -> "OrderAt":
        identifiers = [wire.Identifier(TN_AUTH_LIST, value) for value in values]
        response = await self.post(f"{self.base_url}/acme/new-order", wire.NewOrder(identifiers))
        assert response.status_code == 201, response.text
        return OrderAt(response.headers["location"], response.json())

    async def authorization(self, order: "OrderAt") -> dict[str, Any]:
        return (await self.post(order.body["authorizations"][0])).json()

    async def answer(self, order: "OrderAt", token: str) -> httpx.Response:
        """Answer the order's challenge."""
        challenge = (await self.authorization(order))["challenges"][0]
        return await self.post(challenge["url"], {"tkauth": token})

    async def finalize(self, order: "OrderAt", csr: bytes) -> httpx.Response:
        return await self.post(order.body["finalize"], {"csr": encode_base64url(csr).decode()})

    async def token(self, subject: str, request: TokenRequest, tokens: str | None = None) -> str:
        """Ask a token authority, the one beside the server unless told otherwise."""
        url = f"{tokens or self.base_url}/at/account/{subject}/token"
        response = await self.http.post(
            url, content=msgspec.json.encode(request), headers={"content-type": "application/json"}
        )
        assert response.status_code == 200, response.text
        return response.json()["token"]

    async def chain(self, certificate: str) -> list[bytes]:
        """Fetch what was issued: DER, leaf first."""
        pem = (await self.post(certificate)).content
        return [each.public_bytes(Encoding.DER) for each in x509.load_pem_x509_certificates(pem)]

    def atc(self, value: str, **changes: Any) -> AuthorityTokenChallenge:
        """What a token for this account is to say."""
        good = AuthorityTokenChallenge(TN_AUTH_LIST, value, self.fingerprint)
        return msgspec.structs.replace(good, **changes)

    def by_code(self, code: str, number: TelephoneNumber, key: ec.EllipticCurvePrivateKey | None) -> TokenRequest:
        """A request for a token by the code that came to a number, to certify a key."""
        return TokenRequest(self.atc(one(number)), CodeRight(code), None if key is None else thumbprint(key))

    def by_device(
        self,
        chain: list[bytes],
        signer: ec.EllipticCurvePrivateKey,
        number: TelephoneNumber,
        key: ec.EllipticCurvePrivateKey,
        now: int,
        /,
        **changes: Any,
    ) -> TokenRequest:
        """A request for a token by a certified device's key; `changes` are claims that are not as they should be."""
        atc, name = self.atc(one(number)), thumbprint(key)
        claims = RightClaims(BASE_URL, atc, name, now, secrets.token_urlsafe(8))
        proof = sign_right_proof(signer, msgspec.structs.replace(claims, **changes))
        return TokenRequest(atc, DeviceRight(chain, proof), name)


@dataclass(frozen=True)
class OrderAt:
    """An order and where it is."""

    url: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Issued:
    """A certificate with its issuer's, where its path is published, and its last second."""

    chain: list[bytes]
    x5u: str
    not_after: int
