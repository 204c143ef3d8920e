"""What each client's MLS engine, and what stands right before it, refuses.

The engine has no switch. What it refuses for want of a key it gets: a client that goes on from a copy of its state.
"""

from client import certificate_facts, framing, receiving
from client.groups import Groups, Step
from identity.device import DeviceVerifier
from lab.attacks.outcome import Guard, Keeper, check
from lab.credulous import Credulous, stated_number
from lab.seams.seam import Seam, exchanging, instead


def engine(rule: str) -> Guard:
    """The guard that is each recipient's engine, by the code of its error."""
    return Guard(Keeper.ENGINE, rule)


def _keep_nothing(self: Groups, step: Step) -> None:
    """Go on from the state that was stored last: used keys and past epochs are still there."""


def restored(rule: str) -> Seam:
    """Every client reads each entry with the group as it was when this was switched on."""
    return exchanging(engine(rule), instead(Groups, "_save", _keep_nothing))


def _pass(*_: object) -> None:
    """Raise nothing."""


CREDENTIALS = exchanging(
    engine("credential_refused"),
    instead(DeviceVerifier, "verify", Credulous.verify),
    instead(DeviceVerifier, "check_successor", Credulous.check_successor),
)
ONE_NUMBER = exchanging(
    check(6),
    instead(DeviceVerifier, "verify", Credulous.verify),
    instead(certificate_facts, "leaf_number", lambda der: stated_number((der,))),
)
OUTSIDERS = exchanging(engine("not-from-a-member"), instead(receiving, "_check_admissible", _pass))
FRAME = exchanging(engine("too-large"), instead(framing, "PASSPORT_SIZE_LIMIT", framing.FRAMED_LIMIT))
