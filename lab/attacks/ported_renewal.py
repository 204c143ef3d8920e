"""A certificate for a number that has gone to somebody else, renewed by its old holder."""

import asyncio

from client.credentials.enrolment import EnrolmentClient
from client.errors import ServiceError
from lab.attacks.attack import Attack
from lab.attacks.outcome import Guard, Keeper, Outcome
from lab.porting import port_out
from lab.seams import certification
from lab.stage import Stage

SENT = "the proof of a renewal, by the key of the old holder"


async def run(stage: Stage) -> Outcome:
    """Let the number go, and ask the token authority for a token by the key that had it."""
    holder = (await stage.accomplice()).device
    await asyncio.to_thread(port_out, stage.world, holder.number)
    async with EnrolmentClient(stage.world.authority_url, clock=stage.world.clock) as authority:
        try:
            renewed = await authority.renew(holder.key, holder.chain, await authority.anchors())
        except ServiceError as refusal:
            return Outcome(Guard(Keeper.AUTHORITY, refusal.code), f"{refusal}.", sent=SENT)
    won = renewed.chain[0] != holder.chain[0]
    return Outcome(None, "The old holder has a new certificate, which is on no list.", sent=SENT, won=won)


ATTACK = Attack(
    "ported-renewal",
    "Renew a number that has moved",
    "Who had a number before asks for a new certificate of it, by the key that was certified then.",
    certification.RENEWING_CHAIN.guard,
    run,
    story=(
        "A device renews its certificate by its own key, without a code; who had a number before tries the same after "
        "it has moved, for a certificate that no list names. The token authority gives no right to a chain that was "
        "revoked. And with the number it has forgotten what its keys had proved: without a new code, which goes to "
        "the new holder, there is nothing to renew on."
    ),
    has="a number until yesterday, and a certificate that has not ended",
    sees="nothing: no certificate is issued",
    without=(certification.RENEWING_CHAIN, certification.NUMBER_PROOF),
)
