"""A certificate for another number from a root that nobody trusts, shown to the delivery service."""

from client.errors import ServiceError
from client.services.delivery import DeliveryClient
from lab.attacks.attack import Attack
from lab.attacks.outcome import Guard, Keeper, Outcome
from lab.foreign import Foreign, one
from lab.readings import service_refusal
from lab.seams import service
from lab.stage import Stage

SENT = "a signed session request with her own chain for Alice's number"


async def run(stage: Stage) -> Outcome:
    """Ask for a session with a chain for Alice's number that leads to Mallory's own root."""
    number = stage.alice.number
    device = Foreign.over(one(number), stage.now()).device(number, stage.now())
    async with DeliveryClient(stage.world.delivery_url, device.key, device.chain, clock=stage.world.clock) as delivery:
        try:
            session = await delivery.open_session()
        except ServiceError as refusal:
            return service_refusal(refusal, SENT)
    return Outcome(None, f"The service opened a session for {session.number}.", won=session.number == number.e164)


ATTACK = Attack(
    "unknown-root",
    "Certify the number herself",
    "Mallory makes a root of her own, issues a certificate for Alice's number and asks for a session with it.",
    Guard(Keeper.SERVICE, "credential-refused"),
    run,
    story=(
        "Mallory has a root and an issuer that she made herself, and a certificate of theirs for Alice's number, "
        "right in every field. She wants a session of Alice's. The delivery service knows no path from that "
        "certificate to a root that it trusts, and refuses; no recipient sees anything."
    ),
    has="a root that nobody trusts",
    sees="nothing: the request is refused",
    without=(service.CREDENTIALS,),
)
