"""Devices with real certificates and MLS engines at a real delivery service, through `DeliveryClient` alone."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from mls_rs import Credential, Engine, Group
from starlette.applications import Starlette

from client.records.outbox import new_idempotency_key
from client.services.delivery import DeliveryClient
from delivery_service.app import create_app
from delivery_service.credentials import Credentials
from delivery_service.wire import Appended, CommitBundle, KeyPackageUpload
from identity.certificates import TrustAnchors
from identity.issuing import create_issuer, create_root, issue_device_certificate
from identity.number import TelephoneNumber
from identity.tn_auth_list import TelephoneNumberRange, TNAuthList

NOW = 1_800_000_000
YEAR = 365 * 86_400
HOST = "delivery.example"
ALICE = TelephoneNumber.from_digits("12025550142")
BOB = TelephoneNumber.from_digits("12025550143")


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class Device:
    """A device of a number, its engine and its client."""

    number: TelephoneNumber
    key: ec.EllipticCurvePrivateKey
    chain: tuple[bytes, ...]
    engine: Engine
    delivery: DeliveryClient
    secrets: list[bytes] = field(default_factory=list)

    async def publish(self, count: int = 1) -> None:
        made = [self.engine.key_package(NOW, lifetime=90 * 86_400, last_resort=False) for _ in range(count)]
        self.secrets += [package.secret for package in made]
        await self.delivery.upload_key_packages(KeyPackageUpload([package.message for package in made]))

    async def create(self) -> Group:
        group = self.engine.create(secrets.token_bytes(16), NOW)
        await self.delivery.create_group(group.group_id, group.group_info(), new_idempotency_key())
        return group

    async def add(self, group: Group, number: TelephoneNumber) -> Appended:
        pending = group.commit(NOW, add=await self.delivery.claim_key_packages(number))
        bundle = CommitBundle(pending.commit, list(pending.welcomes), pending.group_info)
        appended = await self.delivery.commit(group.group_id, bundle, new_idempotency_key())
        group.apply(pending.secrets)
        return appended

    async def say(self, group: Group, words: bytes) -> Appended:
        return await self.delivery.append(group.group_id, group.encrypt(words), new_idempotency_key())


@dataclass
class Scene:
    """An authority's keys, and a delivery service that trusts them."""

    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        root_key, root = create_root("Test root", NOW, 10 * YEAR)
        numbers = TNAuthList((TelephoneNumberRange("12025550100", 100),))
        self.anchors = TrustAnchors((root,))
        self.issuer_key, self.issuer = create_issuer(root_key, root, "Test issuer", numbers, NOW, 9 * YEAR)
        self.app = self.service()

    def service(self) -> Starlette:
        """A new delivery service, with nothing in it."""
        return create_app(None, self.anchors, host=HOST, clock=self.clock)

    def chain(self, key: ec.EllipticCurvePrivateKey, number: TelephoneNumber) -> tuple[bytes, ...]:
        leaf = issue_device_certificate(self.issuer_key, self.issuer, key.public_key(), number, NOW, YEAR)
        return leaf.public_bytes(Encoding.DER), self.issuer.public_bytes(Encoding.DER)

    def device(
        self,
        number: TelephoneNumber,
        base_url: str = f"http://{HOST}",
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> Device:
        key = ec.generate_private_key(ec.SECP256R1())
        chain = self.chain(key, number)
        if transport is None and base_url == f"http://{HOST}":
            transport = httpx.ASGITransport(self.app)
        credentials = Credentials(self.anchors)
        scalar = bytearray(key.private_numbers().private_value.to_bytes(32))
        engine = Engine(2, Credential.x509(chain), scalar, credentials.validate, credentials.succeed)
        delivery = DeliveryClient(base_url, key, chain, clock=self.clock, transport=transport)
        return Device(number, key, chain, engine, delivery)


@asynccontextmanager
async def running() -> AsyncIterator[Scene]:
    """A scene whose service runs, reached over ASGI."""
    scene = Scene()
    async with scene.app.router.lifespan_context(scene.app):
        yield scene
