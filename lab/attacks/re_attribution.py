"""Somebody else's proof, sent from one's own leaf."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Let Alice say something, then send her very proof and octets from Mallory's leaf."""
    heard = await stage.overhear(stage.alice, "Meet at nine, not at ten.")
    return await stage.send_proven(heard.proof, heard.framed)


ATTACK = Attack(
    "re-attribution",
    "Forward Alice's proof",
    "Mallory sends a message that Alice really signed, proof and all, from her own place in the group.",
    check(4),
    run,
)
