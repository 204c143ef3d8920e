"""What honest clients make of one entry of a group's log."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import Enum
from typing import TypeAlias

from client.defence.admission import Place
from client.defence.lies import Lie
from client.errors import ServiceError
from client.events import Event, Gap, MembersChanged, MessageReceived, WelcomeRefused
from client.formats.content import decode
from client.records.message import Message
from client.words.wording import VERDICT_WORDS
from identity.binding import Verdict
from identity.message import is_user_uri
from identity.number import TelephoneNumber
from identity.verdict import RULES
from lab.attacks.outcome import Guard, Keeper, Outcome, check

_ENGINE_REASONS = {"already_read": "This ciphertext was decrypted before; its key is deleted."}

_APART = {Place.REQUEST: "~ REQUEST", Place.QUARANTINE: "⊘ HELD BACK"}
NOTICED = "⚠ NOTICED"

# What a client notices about the log; octets that were read before are the engine's to refuse.
_NOTICED = frozenset(Lie) - {Lie.REPLAYED}


class Passed(Enum):
    """What became of an entry of which a client says nothing."""

    OVER = "over"  # it was dealt with, and is not shown


Reading: TypeAlias = Message | Gap | Passed | None  # kept as this row, refused or noticed, passed over, or never read


def reading(events: Iterable[Event], group_id: bytes, seq: int | None) -> Reading:
    """Find what a session told about one entry; what it noticed about the log as a whole comes second."""
    noticed = None
    for event in events:
        match event:
            case MessageReceived(message) if (message.group_id, message.seq) == (group_id, seq):
                return message
            case Gap() if (event.group_id, event.seq) == (group_id, seq):
                return event
            case Gap() if event.group_id == group_id:
                noticed = noticed or event
    return noticed


def committers(events: Iterable[Event], group_id: bytes) -> list[TelephoneNumber | None]:
    """Whose commits a session has applied."""
    return [event.committer for event in events if isinstance(event, MembersChanged) and event.group_id == group_id]


def verdict(found: Reading) -> Verdict | None:
    """The verdict that a reader saw; None where nothing was shown."""
    return found.verification.verdict if isinstance(found, Message) and found.verification is not None else None


def outcome(found: Reading) -> Outcome:
    """Say what stopped an entry at one reader, if anything did; a proven message in the inbox has come through."""
    match found:
        case None:
            return Outcome(None, "A client did not say what became of it.")
        case Passed.OVER:
            return Outcome(Guard(Keeper.DISPLAY, "shown-once"), "The client holds this message already.")
        case Gap():
            if found.code in _NOTICED:
                return Outcome(Guard(Keeper.WITNESS, found.code), found.reason, NOTICED)
            return Outcome(Guard(Keeper.ENGINE, found.code), _ENGINE_REASONS.get(found.code, found.reason))
    verification = found.verification
    assert verification is not None, "a received message was verified"
    failed = verification.failed_check
    seen = Outcome(
        None,
        verification.reason,
        VERDICT_WORDS[verification.verdict],
        verification.code,
        checks=verification.checks,
        message=found,
        won=verification.verdict is Verdict.VERIFIED and found.place is Place.INBOX,
    )
    if failed is not None:
        return replace(seen, by=check(failed.number), compared=failed.compared)
    if verification.verdict is Verdict.UNSIGNED:
        return replace(seen, by=Guard(Keeper.DISPLAY, Verdict.UNSIGNED))
    if found.place in _APART:
        return replace(seen, by=Guard(Keeper.ADMISSION, found.rule), reason=found.why, badge=_APART[found.place])
    return seen


def undecided(found: Outcome, by: Guard) -> Outcome:
    """Where a check could not be made, it has stopped the message; it has won where its number is verified."""
    seen = None if found.message is None else found.message.verification
    if seen is not None and seen.verdict is Verdict.UNDECIDED:
        return replace(found, by=by, reason=seen.reason, badge=VERDICT_WORDS[seen.verdict])
    return replace(found, by=None, won=verdict(found.message) is Verdict.VERIFIED)


def in_the_name_of(number: TelephoneNumber, found: Outcome) -> Outcome:
    """It has won only if what is shown also says that it comes from this number."""
    said = None if found.message is None else decode(found.message.framed).sender_uri
    return replace(found, won=found.won and said is not None and is_user_uri(said, number.digits))


def service_refusal(refusal: ServiceError, sent: str) -> Outcome:
    """Say which rule of the delivery service refused a request."""
    return Outcome(Guard(Keeper.SERVICE, refusal.code), f"{refusal.problem.title}.", sent=sent)


def welcome_refusal(event: WelcomeRefused, sent: str) -> Outcome:
    """Say which rule made a client refuse an invitation: the chain of a leaf in the group, or one of the engine."""
    if event.code == "credential_refused" and event.cause.startswith("no path to a trusted root"):
        return Outcome(check(5), RULES[5].reason, code=RULES[5].code, compared=event.cause, sent=sent)
    return Outcome(Guard(Keeper.ENGINE, event.code), event.cause or event.reason, sent=sent)


def agreed(outcomes: Sequence[Outcome]) -> Outcome:
    """The one outcome at all readers; where it got through at one, or where they disagree, nothing has stopped it.

    It has won only where it has won at all of them.
    """
    through = next((one for one in outcomes if not one.stopped), None)
    if through is not None:
        return replace(through, won=all(one.won for one in outcomes))
    guards = {str(one.by) for one in outcomes}
    if len(guards) != 1:
        return Outcome(None, f"The readers disagree on what stops it: {', '.join(sorted(guards))}.")
    return outcomes[0]
