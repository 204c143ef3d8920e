"""A CA certificate in the place of a device's."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.bribed import CUSTOMER
from lab.seams import checks
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Invite Bob with a leaf for a number of the carrier's range that is itself a CA (RFC 9060 §4)."""
    carrier = (await stage.bribed()).carrier
    device = carrier.altered(carrier.device(CUSTOMER, stage.now()), ca=True)
    return await (await stage.bribed()).invite(device, "a Welcome by a leaf with CA:TRUE for a customer's number")


ATTACK = Attack(
    "ca-as-signer",
    "Sign with a CA",
    "Mallory has a CA certificate for a customer's number, and uses its key to be that customer.",
    check(5),
    run,
    story=(
        "Mallory has broken into a carrier and has the key of a CA below it, whose list holds one customer's "
        "number. She wants to write as that customer. A CA certifies and does not sign messages: Bob's client does "
        "not join, and notes that an invitation could not be accepted."
    ),
    has="the key of a CA for a customer's number",
    sees="a line: an invitation could not be accepted",
    without=(checks.CHAIN,),
)
