"""A delivery service on Mallory's side, which believes every certificate, and Bob, who has an account there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from client.events import ChatJoined, WelcomeRefused
from client.services.delivery import DeliveryClient
from client.session import Session
from identity.certificates import TrustAnchors, leaf_public_point
from identity.device import DeviceVerifier
from identity.errors import BindingError, CertificateError
from identity.number import TelephoneNumber
from identity.tn_auth_list import ServiceProviderCode, TelephoneNumberRange, TNAuthList
from identity.verdict import RULES
from lab.attacks.outcome import Guard, Keeper, Outcome, check
from lab.credulous import Credulous
from lab.foreign import Foreign
from lab.forgery import attested
from lab.mallory import Credentials, Mallory
from lab.readings import outcome, reading
from lab.world import HOST, World

BOB = "+12025550142"  # the number of his account there: two devices of one number would look after each other
RANGE = TNAuthList((TelephoneNumberRange("12025550200", 100),))
CODE = TNAuthList((ServiceProviderCode("709J"),))
CUSTOMER = TelephoneNumber.parse("+12025550242")  # within the range
AGE = 20 * 86_400  # seconds since the carriers' certificates were issued


@dataclass(frozen=True, slots=True)
class Bribed:
    """Bob trusts the authority and two carriers: one certifies a range of numbers, one has a service provider code."""

    url: str
    bob: Session
    anchors: TrustAnchors
    carrier: Foreign
    provider: Foreign

    @classmethod
    async def at(cls, world: World) -> "Bribed":
        """Start the service, and let Bob enrol; both stay until the world ends."""
        now = int(world.clock())
        carrier, provider = Foreign.over(RANGE, now - AGE), Foreign.over(CODE, now - AGE)
        anchors = TrustAnchors((*(await world.anchors()).roots, carrier.root, provider.root))
        url = await world.keep(world.delivery_service(anchors))
        world.services[url].credentials._verifier = Credulous(anchors)
        bob = await world.keep(world.visitor("Bob", BOB, url, anchors=anchors))
        return cls(url, bob, anchors, carrier, provider)

    async def invite(self, device: Credentials, sent: str) -> Outcome:
        """Let Bob be added to a group that this device has made, and say what his client did."""
        async with self._connected(device) as mallory:
            return await self._answer(await self._add(mallory), device, sent)

    async def write(self, device: Credentials, text: str, staple: bytes | None = None) -> Outcome:
        """The same with a message, proven by this device's certificate, and what his client made of that.

        `staple`: an OCSP response that the device's leaf carries.
        """
        async with self._connected(device, staple) as mallory:
            group_id = await self._add(mallory)
            framed = mallory.framed(group_id, text)
            data = attested(mallory.prove(group_id, framed), framed)
            seq = await mallory.post(group_id, mallory.encrypt(group_id, data))
            return outcome(reading(await self.bob.receive(), group_id, seq))

    @asynccontextmanager
    async def _connected(self, device: Credentials, staple: bytes | None = None) -> AsyncIterator[Mallory]:
        async with DeliveryClient(self.url, device.key, device.chain, clock=self.bob.now) as delivery:
            yield Mallory(device, delivery, HOST, self.bob.now, staple)

    async def _add(self, mallory: Mallory) -> bytes:
        (package, *_) = await mallory.delivery.claim_key_packages(self.bob.account.number)
        return await mallory.begin([package])

    async def _answer(self, group_id: bytes, device: Credentials, sent: str) -> Outcome:
        for event in await self.bob.receive():
            match event:
                case WelcomeRefused() if event.group_id == group_id:
                    return self._refusal(event, device, sent)
                case ChatJoined() if event.group_id == group_id:
                    reason = f"Bob's client joined a group of {event.inviter}."
                    return Outcome(None, reason, sent=sent, won=event.inviter == device.number)
        return Outcome(None, "Bob's client said nothing of the invitation.", sent=sent)

    def _refusal(self, event: WelcomeRefused, device: Credentials, sent: str) -> Outcome:
        """Which check made the client refuse: the one that refuses the certificate with the same words.

        Of an inviter whose certificate has ended it says when the Welcome came, which nobody else knows to the second.
        """
        try:
            DeviceVerifier(self.anchors).verify(device.chain, leaf_public_point(device.chain[0]), self.bob.now())
        except (CertificateError, BindingError) as error:
            number = error.check if isinstance(error, BindingError) else 5
            if event.cause == str(error) or (event.code, error.code) == ("inviter-refused", "expired"):
                rule = RULES[number]
                return Outcome(check(number), rule.reason, code=rule.code, compared=event.cause, sent=sent)
        return Outcome(Guard(Keeper.ENGINE, event.code), event.cause or event.reason, sent=sent)
