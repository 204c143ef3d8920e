"""A replay under the other valid ECDSA signature of the same token."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.forgery import with_other_signature
from lab.seams import checks, display
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Send an honest message, then its token with (r, n - s): it verifies too, and no octet comparison knows it."""
    proof, framed = await stage.send_honestly(stage.group, "Who brings the rope?")
    return await stage.send_proven(with_other_signature(proof), framed)


ATTACK = Attack(
    "second-signature",
    "Say it twice, in disguise",
    "Mallory repeats a message under the second signature that ECDSA allows, so that the token looks new.",
    check(12),
    run,
    story=(
        "Of one ECDSA signature anybody can make a second one that verifies as well. Mallory wants a repeated "
        "message to escape a comparison of tokens. What is remembered is what was signed: the recipient sees PROOF "
        "FAILED, and the repetition is held back."
    ),
    has="an honest proof, and ECDSA's second signature for it",
    sees="PROOF FAILED; the message is held back",
    without=(checks.REPLAY, display.SHOWN_ONCE),
)
