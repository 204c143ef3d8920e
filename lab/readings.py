"""What honest clients make of one entry of a group's log."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from client.errors import ServiceError
from client.events import Event, Gap, MessageReceived, WelcomeRefused
from client.wording import VERDICT_WORDS
from identity.binding import Verdict, Verification
from identity.verdict import RULES
from lab.attacks.outcome import Guard, Keeper, Outcome, check

_ENGINE_REASONS = {"already_read": "This ciphertext was decrypted before; its key is deleted."}

Reading: TypeAlias = Verification | Gap | None  # shown with this verdict, refused by the engine, or never told


def reading(events: Iterable[Event], group_id: bytes, seq: int | None) -> Reading:
    """Find what a session told about one entry."""
    for event in events:
        match event:
            case MessageReceived(message) if (message.group_id, message.seq) == (group_id, seq):
                return message.verification
            case Gap() if (event.group_id, event.seq) == (group_id, seq):
                return event
    return None


def outcome(found: Reading) -> Outcome:
    """Say what stopped an entry at one reader, if anything did."""
    match found:
        case None:
            return Outcome(None, "A client did not say what became of it.")
        case Gap():
            return Outcome(Guard(Keeper.ENGINE, found.code), _ENGINE_REASONS.get(found.code, found.reason))
    badge = VERDICT_WORDS[found.verdict]
    failed = found.failed_check
    if failed is not None:
        return Outcome(check(failed.number), found.reason, badge, found.code, failed.compared)
    by = Guard(Keeper.DISPLAY, Verdict.UNSIGNED) if found.verdict is Verdict.UNSIGNED else None
    return Outcome(by, found.reason, badge, found.code)


def service_refusal(refusal: ServiceError, sent: str) -> Outcome:
    """Say which rule of the delivery service refused a request."""
    return Outcome(Guard(Keeper.SERVICE, refusal.code), f"{refusal.problem.title}.", sent=sent)


def welcome_refusal(event: WelcomeRefused, sent: str) -> Outcome:
    """Say which rule made a client refuse an invitation: the chain of a leaf in the group, or one of the engine."""
    if event.code == "credential_refused" and event.cause.startswith("no path to a trusted root"):
        return Outcome(check(5), RULES[5].reason, code=RULES[5].code, compared=event.cause, sent=sent)
    return Outcome(Guard(Keeper.ENGINE, event.code), event.cause or event.reason, sent=sent)


def agreed(outcomes: Sequence[Outcome]) -> Outcome:
    """The one outcome at all readers; where it got through at one, or where they disagree, nothing has stopped it."""
    through = next((one for one in outcomes if not one.stopped), None)
    if through is not None:
        return through
    guards = {str(one.by) for one in outcomes}
    if len(guards) != 1:
        return Outcome(None, f"The readers disagree on what stops it: {', '.join(sorted(guards))}.")
    return outcomes[0]
