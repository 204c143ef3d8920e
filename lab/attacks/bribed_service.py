"""The same certificate with a delivery service on the attacker's side."""

from client.delivery import DeliveryClient
from client.events import WelcomeRefused
from client.outbox import new_idempotency_key
from delivery_service.wire import CommitBundle
from identity.certificates import TrustAnchors
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.impostor import impostor
from lab.mallory import Credentials, raw_engine
from lab.readings import welcome_refusal
from lab.stage import Person, Stage

GROUP_ID = b"a group of Alice"


async def run(stage: Stage) -> Outcome:
    """Invite Bob, at a service that trusts Mallory's root, into a group that seems to be Alice's."""
    device, root = impostor(stage.alice.number, stage.now())
    bob = stage.people[1]
    honest = await stage.world.anchors()
    sent = "a Welcome to a group whose other leaf has her chain for Alice's number"
    async with (
        stage.world.delivery_service(TrustAnchors((*honest.roots, root))) as bribed,
        stage.world.visitor("Bob", bob.number.e164, bribed) as session,
    ):
        await _invite(stage, bribed, device, bob)
        for event in await session.receive():
            if isinstance(event, WelcomeRefused) and event.group_id == GROUP_ID:
                return welcome_refusal(event, sent)
    return Outcome(None, "Bob's client joined the group.")


async def _invite(stage: Stage, url: str, device: Credentials, guest: Person) -> None:
    async with DeliveryClient(url, device.key, device.chain, clock=stage.world.clock) as delivery:
        (package,) = await delivery.claim_key_packages(guest.number)
        group = raw_engine(device).create(GROUP_ID, stage.now())
        await delivery.create_group(GROUP_ID, group.group_info(), new_idempotency_key())
        pending = group.commit(stage.now(), add=[package])
        bundle = CommitBundle(pending.commit, list(pending.welcomes), pending.group_info)
        await delivery.commit(GROUP_ID, bundle, new_idempotency_key())


ATTACK = Attack(
    "bribed-service",
    "Bribe the delivery service",
    "A second delivery service trusts Mallory's root as well; there she invites Bob as Alice.",
    check(5),
    run,
)
