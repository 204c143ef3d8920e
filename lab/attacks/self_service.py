"""A member who acts as an admin."""

from identity.certificates import leaf_number
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.mallory import bundle_of
from lab.seams import engine, service
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Remove Bob from a group in which only Alice is an admin."""
    stage = await stage.elsewhere(admins=[stage.alice.number])
    mallory, bob = stage.mallory, stage.people[1].number
    group = mallory.groups[stage.group]
    (leaf,) = (each.index for each in group.members() if leaf_number(each.credential.chain[0]) == bob)
    pending = group.commit(stage.now(), remove=[leaf])
    return await stage.commit(
        mallory, bundle_of(pending), "a valid commit that removes Bob, by a member who is no admin"
    )


ATTACK = Attack(
    "self-service",
    "Remove others as a member",
    "Mallory is an ordinary member of a group with admins, and commits the removal of Bob.",
    service.service("not-allowed"),
    run,
    story=(
        "Mallory is a member of a group in which only admins change who is in it. MLS itself knows no admins: her "
        "commit is valid, and she wants Bob out. The list of admins stands in the group's own context. The "
        "delivery service judges each commit by it and refuses; each member's client would do the same."
    ),
    has="membership in a group with admins",
    sees="nothing: the request is refused",
    without=(
        service.ROLES,
        engine.ROLES,
    ),
)
