"""Rules of the recipient's client on where a chat or a message is shown, each taken out of the list by its name."""

from collections.abc import Callable
from typing import TypeAlias

from client.defence import admission, admitting
from client.defence.admission import NO_RULE, Admitted, Facts, Place, Rules
from client.defence.continuity import Continuity
from lab.attacks.outcome import Guard, Keeper
from lab.seams import seam
from lab.seams.seam import Seam, exchanging, instead

Decide: TypeAlias = Callable[[Rules, Facts], Admitted]


def rule(name: str) -> Guard:
    """The guard that is one rule, by its name."""
    return Guard(Keeper.ADMISSION, name)


def _leaving_out(name: str) -> Callable[[Decide], Decide]:
    def change(decide: Decide) -> Decide:
        def decided(rules: Rules, facts: Facts) -> Admitted:
            found = decide(Rules(each for each in rules if each.name != name), facts)
            return Admitted(Place.INBOX, "", "") if found.rule == NO_RULE else found

        return decided

    return change


def left_out(name: str) -> Seam:
    """The rule is not in the list."""
    places = (seam.Place(module, "decide", _leaving_out(name)) for module in (admission, admitting))
    return exchanging(rule(name), *places)


NEW_KEY = exchanging(rule("new key"), instead(Continuity, "is_new", lambda *_: False))
