"""A claim of another type than its rule says."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.seams import checks
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Write the time as text, which lenient parsers compare in surprising ways."""
    framed = stage.mallory.framed(stage.group, "Time is a string.")
    claims = stage.mallory.claims(stage.group, framed)
    return await stage.send_proven(stage.mallory.sign(claims | {"iat": str(stage.now())}), framed)


ATTACK = Attack(
    "text-iat",
    "Confuse the reader",
    "Mallory writes the signing time as text instead of a number, and signs that properly.",
    check(3),
    run,
    story=(
        "Mallory has a signature of her own over claims of which one has another type: the time is text. She wants "
        "readers to differ on when it was signed. The recipient sees PROOF FAILED, and the message is held back."
    ),
    has="a signature over claims of the wrong type",
    sees="PROOF FAILED; the message is held back",
    without=(checks.CLAIMS,),
)
