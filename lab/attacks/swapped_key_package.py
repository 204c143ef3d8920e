"""A delivery service that hands out somebody else's key package."""

from client.errors import GroupRefusedError
from client.invitations import claim
from client.services.delivery import DeliveryClient
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.seams import engine
from lab.stage import Stage
from lab.swapping import Swapping


async def run(stage: Stage) -> Outcome:
    """Let Alice ask for Bob's key packages, and answer with one of Mallory's."""
    alice, bob = stage.people[0].session, stage.people[1].number
    mallorys = stage.mallory.engine.key_package(stage.now(), lifetime=3600).message
    account, sent = alice.account, "Mallory's key package in the place of Bob's"
    swapping = Swapping(mallorys)
    async with DeliveryClient(
        account.delivery, account.key, account.chain, clock=alice.now, transport=swapping
    ) as delivery:
        try:
            packages = await claim(delivery, alice.steps.groups, alice.worker, bob, stage.now())
        except GroupRefusedError as refusal:
            return Outcome(engine.engine(refusal.code), f"{refusal}.", sent=sent)
    return Outcome(None, "Alice's client took it for Bob's.", sent=sent, won=packages == [mallorys])


ATTACK = Attack(
    "swapped-key-package",
    "Add the wrong person",
    "The delivery service answers Alice's question for Bob's key packages with one of Mallory's.",
    engine.engine("key-package"),
    run,
    story=(
        "The delivery service and Mallory work together. Whoever's key package Alice gets will read what is meant "
        "for Bob. A key package carries its owner's certificate: Alice's client compares the number in it with the "
        "one that she asked for, and adds nobody."
    ),
    has="the delivery service, and an accomplice",
    sees="an error; nobody is added",
    without=(engine.INVITED,),
)
