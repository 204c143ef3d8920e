"""From a content to a row of the history: what both directions have in common."""

import re
from dataclasses import replace

from client.formats.content import Content
from client.formats.reading import Attached, Edited, Reacted, Reading, Said, Timed, Titled, Withdrawn
from client.records.message import Kind, NewMessage
from client.words.wording import describe
from identity.number import TelephoneNumber

MENTION = re.compile(r"(?<![\w@])@(\+[1-9][0-9]{6,14})(?!\d)")  # in a text: @ and a number in E.164


def kind_of(reading: Reading, *, own: bool) -> Kind:
    """What row a reading becomes."""
    match reading:
        case Edited():
            return Kind.EDIT
        case Withdrawn():
            return Kind.DELETION
        case Reacted():
            return Kind.REACTION
        case Titled():
            return Kind.TITLED
        case Timed():
            return Kind.TIMED
    return Kind.SENT if own else Kind.RECEIVED


def row_of(content: Content, reading: Reading, plain: NewMessage, own_number: TelephoneNumber) -> NewMessage:
    """`plain` with everything that follows from what the content means; its text is made safe and in words."""
    new = replace(
        plain,
        text=_text(reading),
        in_reply_to=_name(content.in_reply_to),
        replaces=_name(content.replaces),
        hidden=_hidden(reading),
        attached=isinstance(reading, Attached),
    )
    if isinstance(reading, Said | Attached):
        new = replace(new, mention=own_number.e164 in MENTION.findall(new.text))
        if content.expires is not None and content.expires.relative:
            new = replace(new, lives_for=content.expires.seconds)
        elif content.expires is not None and content.expires.seconds:
            new = replace(new, ends_at=content.expires.seconds)
    return new


def _text(reading: Reading) -> str:
    return reading.emoji.text if isinstance(reading, Reacted) else describe(reading)


def _name(message_id: bytes | None) -> str:
    return "" if message_id is None else message_id.hex()


def _hidden(reading: Reading) -> int:
    match reading:
        case Said(text=text) | Edited(text=text):
            return text.hidden
        case Attached(caption=caption):
            return caption.hidden  # a file's name is changed for other reasons as well
    return 0
