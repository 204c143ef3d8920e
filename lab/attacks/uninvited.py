"""A guest of the attacker's who lets himself in."""

from dataclasses import replace

from delivery_service.wire import CommitBundle
from lab.attacks.attack import Attack
from lab.attacks.outcome import Guard, Keeper, Outcome
from lab.seams import engine, service
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Hand the GroupInfo to a guest with an honest certificate, who joins by external commit (RFC 9420 §12.4.3.2)."""
    await stage.mallory.listen(stage.group)
    group_info = stage.mallory.groups[stage.group].group_info()
    guest = await stage.accomplice()
    _, commit, next_group_info = guest.engine.external_join(group_info, stage.now())
    bundle = CommitBundle(commit, [], next_group_info)
    outcome = await stage.commit(guest, bundle, "an external commit by a certified device that nobody added")
    return replace(outcome, won=all(guest.number in members for members in await stage.members()))


ATTACK = Attack(
    "uninvited",
    "Open the back door",
    "Mallory hands the group's public state to an accomplice, who adds himself to the group.",
    Guard(Keeper.SERVICE, "not-allowed"),
    run,
    story=(
        "Mallory is a member and has an accomplice with a genuine number. She hands him the group's public state, "
        "with which he can add himself (an external commit). Nobody but members may add anybody: the delivery "
        "service refuses, and no recipient sees anything."
    ),
    has="membership, and an accomplice with a number",
    sees="nothing: the request is refused",
    without=(service.EXTERNAL_COMMITS, service.MEMBERSHIP, engine.OUTSIDERS),
    spoils=True,
)
