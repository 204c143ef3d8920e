"""A proof in another person's name, made with one's own key and certificate."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.readings import in_the_name_of
from lab.seams import checks
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Claim Alice's number in `orig` and in the content."""
    framed = stage.mallory.framed(stage.group, "I lost my phone. Can you lend me 500?", sender=stage.alice.number)
    claims = stage.mallory.claims(stage.group, framed) | {"orig": {"tn": stage.alice.number.digits}}
    return in_the_name_of(stage.alice.number, await stage.send_proven(stage.mallory.sign(claims), framed))


ATTACK = Attack(
    "forged-number",
    "Speak as another number",
    "Mallory asks for money in Alice's name: her proof says that Alice's number is the origin.",
    check(6),
    run,
    story=(
        "Mallory has a number of her own, a certificate for it and a place in the group. She wants money in "
        "Alice's name: content and proof both say that Alice's number is the origin, and the signature is "
        "Mallory's. The number in a proof must be the one in the certificate: the recipient sees PROOF FAILED, and "
        "the message is held back."
    ),
    has="a number and a place in the group",
    sees="PROOF FAILED; the message is held back",
    without=(checks.NUMBER,),
)
