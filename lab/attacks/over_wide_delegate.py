"""A delegate certificate for a range of numbers, Alice's among them."""

from dataclasses import replace

from identity.tn_auth_list import TelephoneNumberRange, TNAuthList
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.bribed import CUSTOMER
from lab.seams import checks, engine
from lab.stage import Stage

EVERYBODY = TNAuthList((TelephoneNumberRange("12025550100", 200),))


async def run(stage: Stage) -> Outcome:
    """Invite Bob as Alice, with a leaf whose list is wider than that of the carrier who delegated it (RFC 9060 §4)."""
    bribed, now = await stage.bribed(), stage.now()
    customer = bribed.carrier.device(CUSTOMER, now)
    device = bribed.carrier.altered(replace(customer, number=stage.alice.number), numbers=EVERYBODY)
    return await bribed.invite(device, "a Welcome by a leaf for 200 numbers under a carrier's certificate for 100")


ATTACK = Attack(
    "over-wide-delegate",
    "Delegate more than there is",
    "Mallory has a delegate certificate whose range is wider than its carrier's, and calls herself Alice.",
    check(5),
    run,
    story=(
        "Mallory is an enterprise to which a carrier has delegated numbers, with a list that is wider than the "
        "carrier's own. She wants to be anybody within it, and calls herself by Alice's number. Lists are compared "
        "with the one above; and a device has one number. Bob's client does not join, and notes that an invitation "
        "could not be accepted."
    ),
    has="a delegate certificate wider than its issuer's",
    sees="a line: an invitation could not be accepted",
    without=(
        checks.CHAIN,
        engine.ONE_NUMBER,
    ),
)
