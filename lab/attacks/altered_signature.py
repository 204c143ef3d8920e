"""A proof whose signature does not fit."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.forgery import with_broken_signature
from lab.seams import checks
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Change one bit of an otherwise honest signature."""
    framed = stage.mallory.framed(stage.group, "One bit off.")
    return await stage.send_proven(with_broken_signature(stage.mallory.prove(stage.group, framed)), framed)


ATTACK = Attack(
    "altered-signature",
    "Guess a signature",
    "Mallory sends a perfect proof in which one bit of the signature is wrong.",
    check(8),
    run,
    story=(
        "Mallory has a number, a certificate and a place in the group. She wants to find a client that looks at "
        "what a proof says and not at its signature. The recipient sees PROOF FAILED, and the message is held "
        "back."
    ),
    has="a number and a place in the group",
    sees="PROOF FAILED; the message is held back",
    without=(checks.SIGNATURE,),
)
