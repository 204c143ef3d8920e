"""Two commits for one epoch."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.mallory import bundle_of
from lab.seams import engine, service
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Prepare a commit, let Alice's be first, and post it all the same for the epoch that has ended."""
    mallory, group = stage.mallory, stage.group
    await mallory.listen(group)
    pending = mallory.groups[group].commit(stage.now(), path=True)
    await stage.alice.session.refresh(group)
    return await stage.commit(mallory, bundle_of(pending), "a valid commit for the epoch before Alice's")


ATTACK = Attack(
    "commit-race",
    "Race for an epoch",
    "Mallory commits to an epoch that Alice's commit has just ended, so that the group would split.",
    service.service("stale-epoch"),
    run,
    story=(
        "Mallory has a valid commit for an epoch, and so has Alice, who was first. Mallory wants both to count: "
        "some members would follow one and some the other, and read each other no more. The delivery service keeps "
        "one order and one commit for each epoch, and refuses the second; no recipient sees anything."
    ),
    has="a number and a place in the group",
    sees="nothing: the request is refused",
    without=(
        service.EPOCH,
        service.HANDSHAKES,
        engine.EPOCHS,
    ),
    spoils=True,
)
