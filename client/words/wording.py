"""This program's words for contents, changes and verdicts; text of others comes in already made safe."""

from datetime import UTC, datetime
from typing import assert_never

from client.defence.admission import Frank
from client.formats.reading import Attached, Edited, Reacted, Reading, Said, Timed, Titled, Unreadable, Withdrawn
from identity.binding import Verdict
from identity.reports.number_status import NumberStatus
from identity.status.revocation import CertificateStatus, Reason, StatusState

_UNITS = (("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))

VERDICT_WORDS = {
    Verdict.VERIFIED: "✓ NUMBER VERIFIED",
    Verdict.DELAYED: "✓ VERIFIED, LATE",
    Verdict.STALE: "~ VERIFIED, OLD",
    Verdict.CARRIER: "~ CARRIER VOUCHES",
    Verdict.UNSIGNED: "? NO PROOF",
    Verdict.UNDECIDED: "? CANNOT CHECK",
    Verdict.FAILED: "✗ PROOF FAILED",
}
FRANK_WORDS = {
    Frank.GOOD: "✓ yes, without having read it",
    Frank.ABSENT: "- no",
    Frank.WRONG: "✗ wrong: what confirms it does not fit",
}
FRANK_QUESTION = "The service can confirm this message"
BLOCKING_WORDS = (
    "what they write in your chats is held back, and what they ask is dropped and counted. They are not told."
)
PROOF_WANTED_WORDS = "What comes into this chat without a proof is held back from now on."
PROOF_UNWANTED_WORDS = "What comes into this chat without a proof is shown, with its mark."
# Verdicts with which the sender proved the number themself: more than a claim.
PROVEN = (Verdict.VERIFIED, Verdict.DELAYED, Verdict.STALE)
STATUS_WORDS = {
    NumberStatus.CLEAR: "",
    NumberStatus.REPORTED: "⚑ REPORTED",
    NumberStatus.WITHDRAWN: "⊘ WITHDRAWN",
}
STATUS_SENTENCES = {
    NumberStatus.CLEAR: "No verified report counts against this number.",
    NumberStatus.REPORTED: "Verified reports count against this number. That ends by itself.",
    NumberStatus.WITHDRAWN: "So many verified reports count against this number that it gets no certificates now.",
}
REVOCATION_WORDS = {  # why a certificate was revoked (RFC 5280 §5.3.1)
    Reason.unspecified: "no reason was given",
    Reason.key_compromise: "its key is in other hands",
    Reason.ca_compromise: "its issuer's key is in other hands",
    Reason.aa_compromise: "its issuer's key is in other hands",
    Reason.affiliation_changed: "its holder changed",
    Reason.superseded: "another one took its place",
    Reason.cessation_of_operation: "the device is no longer used",
    Reason.certificate_hold: "it is held for now",
    Reason.privilege_withdrawn: "the number is no longer that holder's",
}
OWN_REVOKED = "The certificate of this device was revoked: what it sends counts for nobody."
REVOKED_SINCE = "The certificate was revoked since. That changes no verdict that was made before."
MODE_WORDS = {
    "open": "Anybody can write to you; what strangers write waits as a request.",
    "ask": "Others ask first: only a number comes, no words. Contacts can write at once.",
    "contacts": "Only your contacts can write to you. Nobody else can even ask.",
}
ASK_WORDS = {
    "granted": "You can write to them.",
    "waiting": "They were asked and have not agreed yet.",
    "lapsed": "They did not answer in time. You can ask again some weeks later.",
}
ASKS_TO_REACH = "asks to reach you. They have written nothing yet, and cannot before you agree."
CAUTION_ABOUT_REACHING = "A verified number does not say who a person is."


def status_words(status: CertificateStatus | None) -> str:
    """What was known of a certificate; None where it was not kept."""
    if status is None:
        return "not kept"
    if status.state is StatusState.REVOKED:
        why = REVOCATION_WORDS.get(status.reason or Reason.unspecified, "")
        return f"revoked {_minute(status.revoked_at or 0)}, {why}"
    if status.state is StatusState.GOOD:
        return f"not revoked, as of {_minute(status.this_update or 0)}"
    return "nothing"


def _minute(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def describe(reading: Reading) -> str:
    """One content as a line of history."""
    match reading:
        case Said():
            return describe_text(reading)
        case Edited():
            return f"(edited) {describe_text(reading)}"
        case Withdrawn():
            return "(took back an earlier message)"
        case Reacted(emoji=emoji):
            return f"(reacted) {emoji.text}"
        case Titled(title=title):
            return f"(named this chat “{title.text}”)"
        case Timed(seconds=seconds):
            return f"(messages disappear {duration(seconds)} after they were read)" if seconds else "(messages stay)"
        case Attached(filename=filename, caption=caption):
            return f"(file) {filename.text}" + (f"\n{caption.text}" if caption.text else "")
        case Unreadable(content_type=content_type):
            return f"(content of the type {content_type.text}, which this version does not show)"
        case _:
            assert_never(reading)


def describe_text(reading: Said | Edited) -> str:
    """A text, and what was left out of it."""
    return reading.text.text + _left_out(reading)


def duration(seconds: int) -> str:
    """A length of time in its largest whole unit."""
    for unit, length in _UNITS:
        if seconds >= length and seconds % length == 0:
            count = seconds // length
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds} seconds"


def _left_out(reading: Said | Edited) -> str:
    # Others may be shown another of the alternatives, and the digest covers them all (docs/binding.md §4.2, §8).
    parts = []
    if reading.alternatives:
        parts.append(f"{reading.alternatives} other versions of this text were sent with it")
    if reading.omitted:
        parts.append(f"{reading.omitted} parts are of kinds that this version does not show")
    return f"\n({'; '.join(parts)})" if parts else ""
