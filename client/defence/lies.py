"""What a delivery service can be caught at: one code and one sentence for each, and the checks that need no keys.

The words name what was seen, not who did it where that cannot be known. Limits stand beside the checks that use them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from client.words.spelling import counted
from client.words.wording import duration
from delivery_service.wire import Entry, EntryBatch

HELD_BACK_LIMIT = 300  # seconds before this device last saw the log's end that an entry new to it may claim to be from
CLOCK_LIMIT = 300  # seconds by which the service's times may run back, or lie before a message was signed
LOST_LIMIT = 3  # times that is posted again what the service accepts and does not show


class Lie(StrEnum):
    """The code of a `Gap` event and of a row in `log_trouble`."""

    WITHHELD = "withheld"  # numbers are missing in the log
    WITHHELD_COMMIT = "withheld-commit"  # and what follows is of a later epoch
    CLOSED_UP = "closed-up"  # a member had read further than the place that their own message has here
    LATE = "delivered-late"  # what was missing has come
    FORKED = "forked"  # a member was shown another history
    REPLAYED = "already_read"  # the engine's code for octets that were read before
    LOST = "lost"  # accepted, and not in the log
    HELD_BACK = "held-back"  # older than the end of the log as this device saw it
    CLOCK_BACK = "clock-back"  # times run back, or contradict the sender's
    REORDERED = "reordered"  # an answer's entries were not in order
    DUPLICATED = "duplicated"  # an answer had one place twice
    CONTRADICTED = "contradicted"  # an answer had two different entries for one place
    SERVED_AGAIN = "served-again"  # an answer had what lies before the cursor
    BEYOND_HEAD = "beyond-head"  # an answer had more than it says there is
    HEAD_BACK = "head-back"  # the log ends before what was read of it
    MISLABELLED = "mislabelled"  # an entry is of another epoch or kind than the service says
    RESTORED = "restored"  # the service says so: what it took since its backup is lost
    UNPROVEN_ROLLBACK = "unproven-rollback"  # a change is said to be taken back, without members' word
    UNPROVEN_END = "unproven-end"  # the chat is said to have ended, without the word of somebody who may end it
    READ_AGAIN = "read-again"  # never a line: a second reading showed what the first had not


MARKS = {
    Lie.FORKED: "a member says that the service shows different histories",
    Lie.CLOSED_UP: "a member says that the service shows different histories",
    Lie.HEAD_BACK: "the service has lost or hides a part of this chat",
    Lie.CONTRADICTED: "the service shows different histories of this chat",
    Lie.WITHHELD_COMMIT: "the service withholds a change of this chat",
}
"""What the heading and the list say of a chat, the gravest first."""

SEEN_WORDS = {
    Lie.WITHHELD: "entries were left out",
    Lie.WITHHELD_COMMIT: "a change of the chat was withheld",
    Lie.CLOSED_UP: "a member had read further than there was to read here",
    Lie.LATE: "entries that had been left out were shown later",
    Lie.FORKED: "a member was shown another history",
    Lie.REPLAYED: "an entry came a second time in a different place",
    Lie.LOST: "an entry that was accepted was not shown, and was sent again",
    Lie.HELD_BACK: "an entry was shown long after its time",
    Lie.CLOCK_BACK: "the times of entries contradicted each other",
    Lie.REORDERED: "entries were out of order",
    Lie.DUPLICATED: "one answer had the same entry twice",
    Lie.CONTRADICTED: "one answer had two entries for the same place",
    Lie.SERVED_AGAIN: "entries were handed out again",
    Lie.BEYOND_HEAD: "there were entries after the last one",
    Lie.HEAD_BACK: "the chat ended before what had been read of it",
    Lie.MISLABELLED: "an entry was not of the kind that the service said",
    Lie.RESTORED: "the service was restored from a backup, and lost what it took after that",
    Lie.UNPROVEN_ROLLBACK: "a change was said to be taken back, without proof",
    Lie.UNPROVEN_END: "the chat was said to have ended, without proof",
    Lie.READ_AGAIN: "what was wrong was right when it was asked for again",
}
"""What was seen, as `ringtrue doctor` counts it."""

FORKS = (Lie.FORKED, Lie.CLOSED_UP, Lie.HEAD_BACK, Lie.CONTRADICTED)  # what a new chat can cure, and waiting cannot

WHAT_TO_DO = (
    "Compare the check number with the others by voice, or begin a new chat with the same people: "
    "ringtrue begin-again CHAT"
)

FORKED_HINT = f"{WHAT_TO_DO}. To send all the same, send it again."
FOLLOWS_WORDS = "This chat takes the place of {name}, of which the service showed members different histories."
FOLLOWS_CLOSED = "This chat takes the place of {name}, in which this device could not go on."

_ANSWERS = {
    Lie.REORDERED: "handed out entries in another order than that of their numbers; they were put in order",
    Lie.DUPLICATED: "handed out an entry twice in one answer; it was read once",
    Lie.CONTRADICTED: "handed out two different entries for one place; the first was read",
    Lie.SERVED_AGAIN: "handed out entries again that were read before; they were passed over",
    Lie.BEYOND_HEAD: "handed out entries after what it says is the last one",
    Lie.HEAD_BACK: "says that this chat ends before what this device has read of it: it was set back to an old copy, "
    "or hides entries",
}


@dataclass(frozen=True, slots=True)
class Looked:
    """The usable entries of an answer, in order, and what was wrong with it."""

    entries: Sequence[Entry]
    lies: Sequence[Lie]


def look(batch: EntryBatch, after: int) -> Looked:
    """Put an answer in order: each place once, after the cursor."""
    numbers = [entry.seq for entry in batch.entries]
    ordered = sorted((entry for entry in batch.entries if entry.seq > after), key=lambda entry: entry.seq)
    once = {entry.seq: entry for entry in reversed(ordered)}
    wrong = {
        Lie.HEAD_BACK: batch.head < after,
        Lie.SERVED_AGAIN: any(number <= after for number in numbers),
        Lie.REORDERED: any(later < earlier for earlier, later in pairwise(numbers)),
        Lie.DUPLICATED: len(once) < len(ordered),
        Lie.CONTRADICTED: any(entry.body != once[entry.seq].body for entry in ordered),
        Lie.BEYOND_HEAD: bool(numbers) and max(numbers) > max(batch.head, after),
    }
    return Looked([once[number] for number in sorted(once)], [lie for lie, found in wrong.items() if found])


def answer_words(lie: Lie) -> str:
    """The sentence for what was wrong with an answer, also when it was asked for again."""
    return f"The service {_ANSWERS[lie]}."


def withheld_words(count: int) -> str:
    """Numbers are missing in the log."""
    return f"the service left out {counted(count, 'entry', 'entries')}"


def withheld_commit_words(count: int) -> str:
    """What is missing has a change of the group in it."""
    left_out = withheld_words(count)
    return f"{left_out}, and a change of the group among them: nothing after it can be read until it is shown"


def restored_words() -> str:
    """The service goes on from an older copy of itself."""
    return (
        "the service was restored from a backup and has lost what it took after that: messages of others may be "
        "missing here, and yours may be missing at others"
    )


def closed_up_words(who: str, count: int) -> str:
    """A member had read further than the place that their own message has here."""
    what = "one entry" if count == 1 else f"{count} entries"
    return (
        f"{who} has read {what} that the service does not show to this device, also when it was asked again: "
        f"it shows members different histories, or {who}'s device reports wrongly. {WHAT_TO_DO}"
    )


def late_words(count: int) -> str:
    """What was missing has come."""
    what = "An entry" if count == 1 else f"{count} entries"
    return f"{what} that the service had left out before came now: delivered late."


def fork_words(who: str, seq: int) -> str:
    """A member was shown another history."""
    return (
        f"{who} was shown another history of this chat than this device, up to entry {seq}: the service shows members "
        f"different histories, or {who}'s device reports wrongly. {WHAT_TO_DO}"
    )


def lost_words(*, again: bool) -> str:
    """An own message was accepted and is not in the log."""
    what = "it is sent again" if again else "it is not sent again by itself"
    return f"the service accepted something of yours and does not show it in the chat; {what}"


def held_back_words(seconds: int) -> str:
    """An entry is older than the end of the log as this device saw it."""
    return (
        f"the service held this back for {duration(_rounded(seconds))}: it had said before that there was nothing new"
    )


def clock_back_words(seconds: int) -> str:
    """The service's times run back."""
    return f"the service's clock ran back by {duration(_rounded(seconds))} between two entries"


def before_signed_words(seconds: int, who: str) -> str:
    """An entry is said to be older than its signature."""
    return (
        f"the service says that it had this {duration(_rounded(seconds))} before {who} signed it: "
        f"the service's clock is wrong, or that of {who}'s device"
    )


def replayed_words(own: bool) -> str:
    """Octets that were read before came again."""
    whose = "a message of yours" if own else "a message"
    return f"{whose} that was read before came again in a new place (replay); it was not read a second time"


def mislabelled_words(stated: str, found: str) -> str:
    """An entry is something else than the service says."""
    return f"the service calls an entry {stated}, and it is {found}"


def _rounded(seconds: int) -> int:
    for unit in (86_400, 3_600, 60):
        if seconds >= unit:
            return seconds // unit * unit
    return seconds
