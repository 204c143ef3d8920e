"""A certificate for another number from a root that nobody trusts, shown to the delivery service."""

from client.delivery import DeliveryClient
from client.errors import ServiceError
from lab.attacks.attack import Attack
from lab.attacks.outcome import Guard, Keeper, Outcome
from lab.impostor import impostor
from lab.readings import service_refusal
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Ask for a session with a chain for Alice's number that leads to Mallory's own root."""
    device, _ = impostor(stage.alice.number, stage.now())
    async with DeliveryClient(stage.world.delivery_url, device.key, device.chain, clock=stage.world.clock) as delivery:
        try:
            await delivery.open_session()
        except ServiceError as refusal:
            return service_refusal(refusal, "a signed session request with her own chain for Alice's number")
    return Outcome(None, "The delivery service opened a session.")


ATTACK = Attack(
    "unknown-root",
    "Certify the number herself",
    "Mallory makes a root of her own, issues a certificate for Alice's number and asks for a session with it.",
    Guard(Keeper.SERVICE, "credential-refused"),
    run,
)
