"""What a recipient's client shows, or refuses to show."""

from client.desk.lines import PresentedLine
from client.formats import reading
from client.formats.text import Safe
from client.records.history import History
from client.steps.arriving import Arrivals
from client.terminal import token_rendering
from client.words import wording
from identity import sequence
from identity.certificates import ChainVerifier
from identity.verdict import Rule, Trail, Verdict, Verification
from lab.attacks.outcome import Guard, Keeper
from lab.seams.seam import exchanging, instead


def display(rule: str) -> Guard:
    """The guard that is what a recipient's client shows."""
    return Guard(Keeper.DISPLAY, rule)


def _as_if_proven(
    trail: list[tuple[object, ...]], setting: sequence.Setting, chains: ChainVerifier, _: tuple[Rule, ...]
) -> Verification:
    number = sequence._credential_number(setting, chains)
    return Verification(Verdict.VERIFIED, number, None, "The sender is a member.", None, Trail(trail))


def _as_if_known(claimed: PresentedLine, *, proven: bool) -> str:
    return f"From: {claimed.name}"


UNSIGNED = exchanging(display("unsigned"), instead(sequence, "_unsigned", _as_if_proven))
SHOWN_ONCE = exchanging(display("shown-once"), instead(History, "holds", lambda *_: False))
HARMLESS_TEXT = exchanging(display("harmless-text"), instead(reading, "safe_text", Safe))
ALTERNATIVES = exchanging(display("alternatives"), instead(wording, "_left_out", lambda _: ""))
PROVEN_CHANGES = exchanging(display("proven-changes"), instead(Arrivals, "_may_change", lambda *_: True))
CLAIMED = exchanging(display("claimed"), instead(token_rendering, "_claimed_words", _as_if_known))
