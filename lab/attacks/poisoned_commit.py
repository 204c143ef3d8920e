"""A commit that the service must carry and no member can follow."""

from delivery_service.wire import CommitBundle
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.poison import poisoned
from lab.seams import engine
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Commit with a wrong confirmation tag, which only members can compare (RFC 9420 §8.1), in a group of its own."""
    stage = await stage.elsewhere()
    mallory, group = stage.mallory, stage.group
    pending = mallory.groups[group].commit(stage.now(), path=True)
    bundle = CommitBundle(poisoned(mallory, group, pending.commit), [], pending.group_info)
    return await stage.commit(
        mallory, bundle, "a commit that is signed and tagged, with one bit of its confirmation wrong"
    )


ATTACK = Attack(
    "poisoned-commit",
    "Poison a commit",
    "Mallory commits with a wrong confirmation tag: right for the delivery service, wrong for every member.",
    engine.engine("invalid_confirmation"),
    run,
    story=(
        "Mallory is a member and can make a commit that the delivery service cannot tell from a good one: it has "
        "no group secret, and the confirmation tag is made with one. She wants members to go on in an epoch of "
        "which they do not all have the same secrets. Each client's engine compares the tag and keeps the epoch "
        "that it has; a line says that an entry could not be read. The service has moved on, so the group is of no "
        "use any more and is begun anew."
    ),
    has="a number and a place in the group",
    sees="a line: an entry could not be read; keys stay as they were",
    without=(engine.CONFIRMATION,),
)
