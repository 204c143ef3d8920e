"""A commit in which a member's certificate turns into one for another number."""

from dataclasses import replace

from lab.attacks.attack import Attack
from lab.attacks.outcome import Guard, Keeper, Outcome
from lab.foreign import Foreign, one
from lab.mallory import bundle_of, raw_engine
from lab.seams import engine, service
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Rotate Mallory's own leaf to a certificate for Alice's number."""
    mallory, alice = stage.mallory, stage.alice.number
    await mallory.listen(stage.group)
    device = Foreign.over(one(alice), stage.now()).device(alice, stage.now())
    pending = mallory.groups[stage.group].commit(stage.now(), identity=raw_engine(device))
    outcome = await stage.commit(
        mallory, bundle_of(pending), "a commit with a path whose leaf has a chain for Alice's number"
    )
    return replace(outcome, won=all(members.count(alice) == 2 for members in await stage.members()))


ATTACK = Attack(
    "forged-successor",
    "Become Alice inside the group",
    "Mallory commits an update that replaces her own certificate by the one that she made for Alice's number.",
    Guard(Keeper.SERVICE, "credential-refused"),
    run,
    story=(
        "Mallory has a leaf in the group. A leaf may replace its own certificate, and she wants hers to become one "
        "for Alice's number, issued by herself. The delivery service refuses the commit; no recipient sees "
        "anything."
    ),
    has="a leaf in the group",
    sees="nothing: the request is refused",
    without=(service.CREDENTIALS, engine.CREDENTIALS),
    spoils=True,
)
