"""A telephone call's token in the place of a message's."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.forgery import msg_header
from lab.seams import checks
from lab.stage import Stage

SHAKEN = {"attest": "A", "origid": "123e4567-e89b-12d3-a456-426655440000"}  # RFC 8588 §4, §5


async def run(stage: Stage) -> Outcome:
    """Offer a `shaken` PASSporT, as carriers sign them for calls."""
    framed = stage.mallory.framed(stage.group, "My carrier says that I am fully attested.")
    header = msg_header(stage.mallory.x5u) | {"ppt": "shaken"}
    proof = stage.mallory.sign(stage.mallory.claims(stage.group, framed) | SHAKEN, header)
    return await stage.send_proven(proof, framed)


ATTACK = Attack(
    "call-token",
    "Use the proof of a call",
    "Mallory offers a token of the kind that carriers sign for calls (shaken) as the proof of a message.",
    check(2),
    run,
    story=(
        "Carriers sign tokens for calls, in the same form and under the same kind of certificate. Mallory has a "
        "key that could sign such a token, and wants it to count for words that nobody said in a call. The "
        "recipient sees PROOF FAILED, and the message is held back."
    ),
    has="a key that may sign calls' tokens",
    sees="PROOF FAILED; the message is held back",
    without=(checks.HEADER, checks.CLAIMS, checks.CONSTRAINTS),
)
