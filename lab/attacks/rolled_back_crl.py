"""An old list of revocations, which does not have the newest ones."""

import asyncio
from dataclasses import replace

from client.credentials.enrolment import EnrolmentClient
from identity.errors import RevocationError
from lab.approach import befriend, write
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.porting import port_out
from lab.readings import NOTICED
from lab.seams import revocations
from lab.stage import Stage

SENT = "the list that the authority had signed before the number moved"


async def run(stage: Stage) -> Outcome:
    """Let a contact of Carol's lose a number, hand her the list from before that, and write to her."""
    carol, holder = stage.people[2], await stage.accomplice()
    group_id = await befriend(holder, carol)
    async with EnrolmentClient(stage.world.authority_url, clock=stage.world.clock) as authority:
        old = await authority.revocation_list()
    assert old is not None, "the authority always has a list"
    await asyncio.to_thread(port_out, stage.world, holder.number)
    await carol.session.refresh_revocations()
    try:
        await carol.session.worker.run(carol.session.steps.revocations.adopt, old, stage.now())
    except RevocationError as refusal:
        return Outcome(revocations.revocations(refusal.code), f"{refusal}.", NOTICED, sent=SENT)
    found = await write(holder, carol, group_id, "My number is as good as ever.")
    await carol.session.refresh_revocations()
    return replace(found, sent=SENT)


ATTACK = Attack(
    "rolled-back-crl",
    "Hide a revocation",
    "Somebody on the way to the authority hands Carol the list of revocations from before a number moved.",
    revocations.NUMBER.guard,
    run,
    story=(
        "A certificate is on the authority's list of revocations, and a friend of its holder carries Carol's questions "
        "to the authority. The list is signed; he hands her yesterday's, which was signed as well, is not over, and "
        "does not name the certificate. Lists are numbered: Carol's client keeps the one that it has, and says that "
        "what the authority says of certificates could not be refreshed. Whoever only withholds the new list gains "
        "the time that the certificate has left."
    ),
    has="the way to the authority, and an old signed list",
    sees="a line: the list is refused; the certificate stays revoked",
    without=(revocations.NUMBER,),
)
