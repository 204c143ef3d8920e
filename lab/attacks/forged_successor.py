"""A commit in which a member's certificate turns into one for another number."""

from client.errors import ServiceError
from client.outbox import new_idempotency_key
from delivery_service.wire import CommitBundle
from lab.attacks.attack import Attack
from lab.attacks.outcome import Guard, Keeper, Outcome
from lab.impostor import impostor
from lab.mallory import raw_engine
from lab.readings import service_refusal
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Rotate Mallory's own leaf to a certificate for Alice's number."""
    mallory = stage.mallory
    await mallory.listen(stage.group)
    device, _ = impostor(stage.alice.number, stage.now())
    pending = mallory.groups[stage.group].commit(stage.now(), identity=raw_engine(device))
    bundle = CommitBundle(pending.commit, list(pending.welcomes), pending.group_info)
    try:
        await mallory.delivery.commit(stage.group, bundle, new_idempotency_key())
    except ServiceError as refusal:
        return service_refusal(refusal, "a commit with a path whose leaf has her chain for Alice's number")
    return Outcome(None, "The delivery service accepted the commit.")


ATTACK = Attack(
    "forged-successor",
    "Become Alice inside the group",
    "Mallory commits an update that replaces her own certificate by the one that she made for Alice's number.",
    Guard(Keeper.SERVICE, "credential-refused"),
    run,
)
