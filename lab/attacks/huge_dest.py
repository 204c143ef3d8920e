"""A token for very many destinations."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.seams import checks, engine
from lab.stage import Stage

GROUPS = 400


async def run(stage: Stage) -> Outcome:
    """List this group among hundreds of others in `dest`, so that one signature serves in all of them."""
    mallory = stage.mallory
    framed = mallory.framed(stage.group, "To whom it may concern.")
    uris = [mallory.group_uri(bytes([number // 256, number % 256])) for number in range(GROUPS)]
    dest = {"uri": sorted({*uris, mallory.group_uri(stage.group)})}
    return await stage.send_proven(mallory.sign(mallory.claims(stage.group, framed) | {"dest": dest}), framed)


ATTACK = Attack(
    "huge-dest",
    "Sign for everybody at once",
    "Mallory lists four hundred groups in one proof, which is to serve in each and to keep clients busy.",
    engine.engine("too-large"),
    run,
    story=(
        "Mallory wants to sign once and send everywhere, and does not mind if each client spends its time on a "
        "list of hundreds of destinations. A token has a size limit, and its destination is one group: each "
        "client notes an entry that could not be read, and shows no message."
    ),
    has="a number and a place in the group",
    sees="a line: an entry could not be read",
    without=(engine.FRAME, checks.BOUNDS, checks.AUDIENCE),
)
