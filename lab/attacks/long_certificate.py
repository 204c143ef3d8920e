"""A certificate that lives too long to be taken back."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.bribed import CUSTOMER
from lab.readings import undecided
from lab.seams import checks
from lab.stage import Stage

A_YEAR = 365 * 86_400  # seconds


async def run(stage: Stage) -> Outcome:
    """Write to Bob with a certificate for a year, of which nobody can say whether it was withdrawn."""
    bribed = await stage.bribed()
    device = bribed.carrier.device(CUSTOMER, stage.now(), A_YEAR)
    return undecided(await bribed.write(device, "Same number, same certificate, since last spring."), check(13))


ATTACK = Attack(
    "long-certificate",
    "Outlive a withdrawal",
    "Mallory writes with a certificate for a whole year, which may have been withdrawn long ago.",
    check(13),
    run,
    story=(
        "Mallory has a certificate that a carrier has issued for a year. The number has gone back since, and she "
        "counts on nobody hearing of that. No client asks about single certificates, for that would tell who reads "
        "whom: what lives for more than thirty days is shown as CANNOT CHECK, never as verified."
    ),
    has="a certificate for a year, perhaps withdrawn",
    sees="CANNOT CHECK, never a mark",
    without=(checks.STATUS,),
)
