"""A certificate for a service provider code, which stands for all numbers of a carrier."""

from dataclasses import replace

from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.bribed import CODE, CUSTOMER
from lab.seams import engine
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Invite Bob as Alice, with a carrier's leaf that names no number but its code (RFC 8226 §9)."""
    bribed = await stage.bribed()
    customer = bribed.provider.device(CUSTOMER, stage.now())
    device = bribed.provider.altered(replace(customer, number=stage.alice.number), numbers=CODE)
    return await bribed.invite(device, "a Welcome by a leaf for the service provider code 709J")


ATTACK = Attack(
    "whole-code",
    "Be a whole carrier",
    "Mallory has a carrier's certificate, which vouches for any number, and joins with it as Alice.",
    check(6),
    run,
    story=(
        "Mallory has the key of a carrier whose certificate names its service provider code and no number. Such a "
        "certificate signs calls of any customer, and she wants to be Alice with it. A device's certificate holds "
        "exactly one number: Bob's client does not join, and notes that an invitation could not be accepted."
    ),
    has="a carrier's certificate for its code",
    sees="a line: an invitation could not be accepted",
    without=(engine.ONE_NUMBER,),
)
