"""A guest of the attacker's who lets himself in."""

from client.errors import ServiceError
from client.outbox import new_idempotency_key
from delivery_service.wire import CommitBundle
from lab.attacks.attack import Attack
from lab.attacks.outcome import Guard, Keeper, Outcome
from lab.readings import service_refusal
from lab.stage import Stage

GUEST = "+12025550198"


async def run(stage: Stage) -> Outcome:
    """Hand the GroupInfo to a guest with an honest certificate, who joins by external commit (RFC 9420 §12.4.3.2)."""
    await stage.mallory.listen(stage.group)
    group_info = stage.mallory.groups[stage.group].group_info()
    guest = await stage.world.mallory(GUEST)
    _, commit, next_group_info = guest.engine.external_join(group_info, stage.now())
    try:
        bundle = CommitBundle(commit, [], next_group_info)
        await guest.delivery.commit(stage.group, bundle, new_idempotency_key())
    except ServiceError as refusal:
        return service_refusal(refusal, "an external commit by a certified device that nobody added")
    return Outcome(None, "The delivery service let the guest in.")


ATTACK = Attack(
    "uninvited",
    "Open the back door",
    "Mallory hands the group's public state to an accomplice, who adds himself to the group.",
    Guard(Keeper.SERVICE, "not-allowed"),
    run,
)
