"""The same certificate with a delivery service on the attacker's side."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.foreign import Foreign, one
from lab.seams import checks
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Invite Bob, at a service that believes any certificate, into a group that seems to be Alice's."""
    numbers = one(stage.alice.number)
    device = Foreign.over(numbers, stage.now()).device(stage.alice.number, stage.now())
    return await (await stage.bribed()).invite(device, "a Welcome to a group whose other leaf has a chain for Alice")


ATTACK = Attack(
    "bribed-service",
    "Bribe the delivery service",
    "A second delivery service believes any certificate; there Mallory invites Bob as Alice.",
    check(5),
    run,
    story=(
        "Mallory has a certificate of her own making for Alice's number, and a delivery service that believes it. "
        "She wants Bob to find himself in a group with Alice. Bob's client looks at the chain of every leaf "
        "itself, does not join, and notes that an invitation could not be accepted."
    ),
    has="a root that nobody trusts, and a delivery service",
    sees="a line: an invitation could not be accepted",
    without=(checks.CHAIN,),
)
