"""A message by a number that sends none."""

from dataclasses import replace

from identity.binding import Verdict
from identity.number_attributes import NumberAttributes
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.bribed import CUSTOMER
from lab.readings import verdict
from lab.seams import checks
from lab.stage import Stage

CLOSED = NumberAttributes(do_not_originate_messaging=True)


async def run(stage: Stage) -> Outcome:
    """Write to Bob from the number of a bank's switchboard, whose certificate says that it sends no messages."""
    bribed = await stage.bribed()
    device = bribed.carrier.device(CUSTOMER, stage.now(), attributes=CLOSED)
    found = await bribed.write(device, "This is your bank. Please confirm the transfer.")
    if found.by == check(7):
        return found
    return replace(found, by=None, won=verdict(found.message) is Verdict.VERIFIED)


ATTACK = Attack(
    "closed-number",
    "Write from a switchboard",
    "Mallory has got a code by the switchboard of a bank, and writes from its number.",
    check(7),
    run,
    story=(
        "The number of a bank's switchboard takes calls and sends no messages. Mallory was read out a code by the "
        "telephone exchange, and has a genuine certificate for the number. The bank has had its number marked: the "
        "certificate itself says that this number sends no messages. The recipient sees PROOF FAILED, and the message "
        "is held back."
    ),
    has="a certificate for a number that sends no messages",
    sees="PROOF FAILED; the message is held back",
    without=(checks.CONSTRAINTS,),
)
