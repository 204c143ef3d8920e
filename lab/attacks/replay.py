"""A signed message once more, encrypted afresh."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.seams import checks, display
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Send an honest message, see it verified, then send the same proof and octets in a new ciphertext."""
    proof, framed = await stage.send_honestly(stage.group, "I can drive on Saturday.")
    return await stage.send_proven(proof, framed)


ATTACK = Attack(
    "replay",
    "Say it twice",
    "Mallory encrypts one of her own signed messages a second time and sends it as new.",
    check(12),
    run,
    story=(
        "Mallory has said something once, with an honest proof. She wants it said twice: the same proof and "
        "octets, encrypted afresh, so that MLS sees a new message. The first one stands; of the second the "
        "recipient sees PROOF FAILED, and it is held back."
    ),
    has="an honest proof of her own",
    sees="PROOF FAILED; the message is held back",
    without=(checks.REPLAY, display.SHOWN_ONCE),
)
