"""A certificate of a carrier for a number that the carrier does not have."""

from dataclasses import replace

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.bribed import CUSTOMER
from lab.foreign import one
from lab.seams import checks
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Invite Bob as Alice, with a certificate for her number from a carrier whose range does not hold it."""
    bribed, now = await stage.bribed(), stage.now()
    customer = bribed.carrier.device(CUSTOMER, now)
    device = bribed.carrier.altered(replace(customer, number=stage.alice.number), numbers=one(stage.alice.number))
    return await bribed.invite(device, "a Welcome by a leaf for Alice's number under a carrier's certificate")


ATTACK = Attack(
    "wrong-range",
    "Certify beyond the range",
    "Mallory is a carrier with a range of numbers, and certifies a number outside of it: Alice's.",
    check(5),
    run,
    story=(
        "Mallory is a small carrier whom Bob trusts for the numbers of her range. She issues a certificate for "
        "Alice's number, which is another carrier's, and invites Bob with it. Each list of numbers must lie within "
        "the one above it: Bob's client does not join, and notes that an invitation could not be accepted."
    ),
    has="a carrier's issuer for another range",
    sees="a line: an invitation could not be accepted",
    without=(checks.CHAIN,),
)
