"""Somebody else's proof, sent from one's own leaf."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.seams import checks
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Let Alice say something, then send her very proof and octets from Mallory's leaf."""
    heard = await stage.overhear(stage.alice, "Meet at nine, not at ten.")
    # A client remembers the proofs that it received, and Alice's made this one: check 12 is the others' alone.
    return await stage.send_proven(heard.proof, heard.framed, stage.people[1:])


ATTACK = Attack(
    "re-attribution",
    "Forward Alice's proof",
    "Mallory sends a message that Alice really signed, proof and all, from her own place in the group.",
    check(4),
    run,
    story=(
        "Mallory has read a message that Alice signed. She wants it to be said once more, now by herself, with "
        "Alice's proof. A proof must be by the certificate of the leaf that sent it: the recipient sees PROOF "
        "FAILED, and the message is held back."
    ),
    has="Alice's message with its proof",
    sees="PROOF FAILED; the message is held back",
    without=(checks.SIGNER, checks.NUMBER, checks.SIGNATURE, checks.REPLAY),
)
