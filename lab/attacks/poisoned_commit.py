"""A commit that the service must carry and no member can follow."""

from delivery_service.wire import CommitBundle
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.poison import poisoned
from lab.seams import engine
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Commit with a wrong confirmation tag, which only members can compare (RFC 9420 §8.1), in a group of its own.

    Stopped means that the group goes on: its members take the commit back and read each other again.
    """
    stage = await stage.elsewhere()
    mallory, group = stage.mallory, stage.group
    pending = mallory.groups[group].commit(stage.now(), path=True)
    bundle = CommitBundle(poisoned(mallory, group, pending.commit), [], pending.group_info)
    outcome = await stage.commit(
        mallory, bundle, "a commit that is signed and tagged, with one bit of its confirmation wrong"
    )
    if outcome.stopped:
        for person in stage.people:
            await person.session.receive()
        said = await stage.say(stage.alice, "Is anybody still here?")
        if not said.verified:
            return Outcome(None, "Nobody can read the group any more.", sent=outcome.sent, won=True)
    return outcome


ATTACK = Attack(
    "poisoned-commit",
    "Poison a commit",
    "Mallory commits with a wrong confirmation tag: right for the delivery service, wrong for every member.",
    engine.engine("invalid_confirmation"),
    run,
    story=(
        "Mallory is a member and can make a commit that the delivery service cannot tell from a good one: it has "
        "no group secret, and the confirmation tag is made with one. She wants members to go on in an epoch of "
        "which they do not all have the same secrets, or the group to end. Each client's engine compares the tag, "
        "keeps the epoch that it has, and reports the commit, signed with its key. When more than half of the "
        "devices have, the service sets the group back to the epoch before, takes no commits of Mallory's for an "
        "hour, and the chat goes on."
    ),
    has="a number and a place in the group",
    sees="a line: the change was taken back; what is written goes on in the epoch before it",
    without=(engine.CONFIRMATION,),
)
