"""A stranger who wants to reach everybody."""

from client.errors import ServiceError
from client.services.delivery import DeliveryClient
from delivery_service.quotas import Quotas
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.elsewhere import account_at
from lab.readings import service_refusal
from lab.seams import service
from lab.stage import Stage

QUOTA = Quotas(per_number=2)  # first contacts of a number in a day; the service's own is fifty


async def run(stage: Stage) -> Outcome:
    """Claim key packages of one person after the other, at a service that allows two first contacts a day."""
    sender, sent = (await stage.accomplice()).device, "three signed claims, each for another number"
    reached = []
    async with stage.world.delivery_service(await stage.world.anchors(), QUOTA) as url:
        for person in stage.people:
            await account_at(url, person)
        async with DeliveryClient(url, sender.key, sender.chain, clock=stage.world.clock) as delivery:
            try:
                for person in stage.people:
                    reached += await delivery.claim_key_packages(person.number)
            except ServiceError as refusal:
                return service_refusal(refusal, sent)
    return Outcome(None, "The service handed out everybody's key packages.", sent=sent, won=len(reached) == 3)


ATTACK = Attack(
    "request-flood",
    "Reach everybody",
    "A spammer claims the key packages of one number after the other, as fast as the service answers.",
    service.service("rate-limited"),
    run,
    story=(
        "A spammer has one genuine number and a list of victims. Whoever has somebody's key package can put a "
        "request before them. First contacts are counted: for each number in a day, for each issuer in an hour, "
        "for each target in a day. After the last one the delivery service refuses, and the rest of the list is "
        "not disturbed: spam costs numbers."
    ),
    has="a genuine number, and a list of victims",
    sees="nothing, after the day's quota",
    without=(service.QUOTAS,),
)
