"""A number that has gone to somebody else."""

import asyncio
from dataclasses import replace

from lab.approach import befriend, write
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.porting import port_out
from lab.seams import checks
from lab.stage import Stage

SENT = "an honest proof, with a certificate that has not ended, of a number that was ported out"


async def run(stage: Stage) -> Outcome:
    """Become Carol's contact, let the number go, and go on writing from it."""
    carol, holder = stage.people[2], await stage.accomplice()
    group_id = await befriend(holder, carol)
    await asyncio.to_thread(port_out, stage.world, holder.number)
    await carol.session.refresh_revocations()
    return replace(await write(holder, carol, group_id, "It is still my number, is it not?"), sent=SENT)


ATTACK = Attack(
    "ported-number",
    "Keep a number that has moved",
    "A number has moved to another operator's customer; who had it before goes on writing from it.",
    check(13),
    run,
    story=(
        "Somebody has given up a number, and with it every right to it, but has a key and a certificate with days to "
        "live. He goes on as its holder, at people who know him by it. The operator has ported the number out: the "
        "authority revoked what it had certified, and every client fetches its list whole, each quarter of an hour. "
        "The recipient sees PROOF FAILED, and the message is held back."
    ),
    has="a number until yesterday, and a certificate that has not ended",
    sees="PROOF FAILED; the message is held back",
    without=(checks.STATUS,),
)
