"""A certificate whose time is over."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.bribed import CUSTOMER
from lab.seams import checks
from lab.stage import Stage

LONG_AGO = 10 * 86_400  # seconds; a device's certificate lives for seven days


async def run(stage: Stage) -> Outcome:
    """Invite Bob with a certificate that ended three days ago."""
    carrier = (await stage.bribed()).carrier
    device = carrier.device(CUSTOMER, stage.now() - LONG_AGO)
    return await (await stage.bribed()).invite(device, "a Welcome by a leaf whose certificate ended three days ago")


ATTACK = Attack(
    "expired-certificate",
    "Keep an old certificate",
    "Mallory invites Bob with a certificate for a number that she had until last week.",
    check(5),
    run,
    story=(
        "Mallory had a number until last week, and still has its key and a certificate that has ended. The number "
        "is another person's by now, and she wants to go on as its holder. Bob's client accepts "
        "members whose certificates have ended, but not one who invites: it does not join, and notes that an "
        "invitation could not be accepted."
    ),
    has="a certificate that has ended, and its key",
    sees="a line: an invitation could not be accepted",
    without=(checks.CHAIN,),
)
