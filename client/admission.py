"""Admission: where a chat and a message are shown, by who sent them and by what was proved.

Of a chat that this device was added to:

| who added it              | consent  |
|---------------------------|----------|
| this account, a contact   | inbox    |
| a blocked number          | declined |
| anybody else              | request  |

Of a message, the first rule that applies:

| rule                                          | place      |
|-----------------------------------------------|------------|
| 1 the sender's number is blocked              | quarantine |
| 2 a check on its proof failed                 | quarantine |
| 3 the chat is a request that was not accepted | request    |
| 4 it only changes another message             | aside      |
| 5 anything else                               | inbox      |
"""

from enum import StrEnum
from typing import NamedTuple

from identity.binding import Verdict, Verification


class Relation(StrEnum):
    """What a number is to this account."""

    SELF = "self"
    CONTACT = "contact"
    STRANGER = "stranger"
    BLOCKED = "blocked"


class Consent(StrEnum):
    """Whether the person wants to be in a chat."""

    INBOX = "inbox"
    REQUEST = "request"
    DECLINED = "declined"


class Place(StrEnum):
    """Where a row is shown; what is `aside` shows only in the row that it changes."""

    INBOX = "inbox"
    REQUEST = "request"
    QUARANTINE = "quarantine"
    ASIDE = "aside"


class Admitted(NamedTuple):
    """A place, and the rule that chose it; empty for the inbox."""

    place: Place
    why: str


STRANGER = "You have not accepted a request from this number."
_BLOCKED = "You blocked this number."


def admit_chat(inviter: Relation) -> Consent:
    """The first table above."""
    match inviter:
        case Relation.SELF | Relation.CONTACT:
            return Consent.INBOX
        case Relation.BLOCKED:
            return Consent.DECLINED
        case Relation.STRANGER:
            return Consent.REQUEST


def admit_message(consent: Consent, sender: Relation, verification: Verification, *, aside: bool) -> Admitted:
    """The second table above."""
    if sender is Relation.BLOCKED:
        return Admitted(Place.QUARANTINE, _BLOCKED)
    if verification.verdict is Verdict.FAILED:
        failed = verification.failed_check
        check = "" if failed is None else f" (check {failed.number}, {failed.name})"
        return Admitted(Place.QUARANTINE, f"Its proof failed: {verification.reason}{check}")
    if consent is not Consent.INBOX:
        return Admitted(Place.REQUEST, STRANGER)
    return Admitted(Place.ASIDE if aside else Place.INBOX, "")
