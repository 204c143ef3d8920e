"""A delivery service on Mallory's side, which believes every certificate, and Bob, who has an account there."""

import secrets
from dataclasses import dataclass

from client.delivery import DeliveryClient
from client.events import ChatJoined, WelcomeRefused
from client.outbox import new_idempotency_key
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
from lab.mallory import Credentials, bundle_of, raw_engine
from lab.world import World

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
        group_id = secrets.token_bytes(16)
        async with DeliveryClient(self.url, device.key, device.chain, clock=self.bob.now) as delivery:
            (package, *_) = await delivery.claim_key_packages(self.bob.account.number)
            group = raw_engine(device).create(group_id, self.bob.now())
            await delivery.create_group(group_id, group.group_info(), new_idempotency_key())
            pending = group.commit(self.bob.now(), add=[package])
            await delivery.commit(group_id, bundle_of(pending), new_idempotency_key())
        return await self._answer(group_id, device, sent)

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
        """Which check made the client refuse: the one that refuses the certificate with the same words."""
        try:
            DeviceVerifier(self.anchors).verify(device.chain, leaf_public_point(device.chain[0]), self.bob.now())
        except (CertificateError, BindingError) as error:
            number = error.check if isinstance(error, BindingError) else 5
            if event.cause == str(error):
                rule = RULES[number]
                return Outcome(check(number), rule.reason, code=rule.code, compared=event.cause, sent=sent)
        return Outcome(Guard(Keeper.ENGINE, event.code), event.cause or event.reason, sent=sent)
