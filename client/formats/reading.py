"""What a received content means to a person; all text in the result is safe to draw."""

from dataclasses import dataclass
from typing import TypeAlias

from client.errors import ContentError
from client.formats.content import CHAT_TYPE, MARKDOWN_TYPE, REACTION_LIMIT, TEXT_TYPE, Content, timer_of, title_of
from client.formats.parts import Disposition, ExternalPart, MultiPart, NullPart, Part, Semantics, SinglePart
from client.formats.text import Safe, safe_name, safe_text

NOTHING = Safe("")
_TEXT_TYPES = (TEXT_TYPE, MARKDOWN_TYPE)  # Markdown may be shown as plain text (draft-ietf-mimi-content §6.1)


@dataclass(frozen=True, slots=True)
class Said:
    """Text. `alternatives`: other parts that a program may have shown instead; `omitted`: parts not understood."""

    text: Safe
    alternatives: int = 0
    omitted: int = 0


@dataclass(frozen=True, slots=True)
class Edited:
    """New text for the message `replaces`; only its own sender may do this."""

    replaces: bytes
    text: Safe
    alternatives: int = 0
    omitted: int = 0


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The message or reaction `replaces` is taken back; only its own sender may do this."""

    replaces: bytes


@dataclass(frozen=True, slots=True)
class Reacted:
    """An emoji for the message `in_reply_to`."""

    in_reply_to: bytes
    emoji: Safe


@dataclass(frozen=True, slots=True)
class Titled:
    """The chat's name."""

    title: Safe


@dataclass(frozen=True, slots=True)
class Timed:
    """Messages of the chat disappear so many seconds after they were read; 0: they stay."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Attached:
    """Encrypted content that lies elsewhere; `part` has its address and key, the names and words are safe to draw."""

    part: ExternalPart
    filename: Safe
    caption: Safe = NOTHING


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Sound content of a kind that this client does not show."""

    content_type: Safe


Reading: TypeAlias = Said | Edited | Withdrawn | Reacted | Titled | Timed | Attached | Unreadable


@dataclass(frozen=True, slots=True)
class _Found:
    """The texts found in a part and below it."""

    texts: tuple[str, ...] = ()
    alternatives: int = 0
    omitted: int = 0


def read(content: Content) -> Reading:
    """Say what a content means. Raises ContentError if its part is not what it declares to be."""
    part = content.part
    match part:
        case NullPart():
            return Unreadable(Safe("nothing")) if content.replaces is None else Withdrawn(content.replaces)
        case ExternalPart():
            return Attached(part, safe_name(part.filename))
        case SinglePart(content_type=content_type) if content_type == CHAT_TYPE:
            seconds = timer_of(part)
            return Titled(safe_name(title_of(part))) if seconds is None else Timed(seconds)
        case MultiPart(
            semantics=Semantics.PROCESS_ALL,
            parts=(SinglePart(content_type=content_type, content=caption), ExternalPart() as file),
        ) if content_type in _TEXT_TYPES and content.replaces is None:
            return Attached(file, safe_name(file.filename), safe_text(_decoded(caption)))
    found = _find(part)
    if not found.texts:
        return Unreadable(Safe(ascii(part.content_type)[1:-1] if isinstance(part, SinglePart) else "several parts"))
    text = safe_text("\n".join(found.texts))
    if part.disposition == Disposition.REACTION and content.in_reply_to is not None:
        return _reaction(content.in_reply_to, text)
    if content.replaces is not None:
        return Edited(content.replaces, text, found.alternatives, found.omitted)
    return Said(text, found.alternatives, found.omitted)


def _reaction(in_reply_to: bytes, text: Safe) -> Reacted:
    if not 0 < len(text.text.encode()) <= REACTION_LIMIT or "\n" in text.text:
        raise ContentError("a reaction is one short line")
    return Reacted(in_reply_to, text)


def _find(part: Part) -> _Found:
    match part:
        case SinglePart(content_type=content_type, content=octets) if content_type in _TEXT_TYPES:
            return _Found((_decoded(octets),))
        case MultiPart(semantics=Semantics.CHOOSE_ONE, parts=parts):
            return _choose([_find(inner) for inner in parts])
        case MultiPart(semantics=semantics, parts=parts):
            found = _together([_find(inner) for inner in parts])
            # §3.3: whoever does not understand one part of a single unit processes none of them.
            return _Found(omitted=1) if semantics is Semantics.SINGLE_UNIT and found.omitted else found
        case NullPart():
            return _Found()
    return _Found(omitted=1)


def _choose(found: list[_Found]) -> _Found:
    for choice in found:
        if choice.texts:
            return _Found(choice.texts, choice.alternatives + len(found) - 1, choice.omitted)
    return _Found(omitted=1)


def _together(found: list[_Found]) -> _Found:
    return _Found(
        texts=tuple(text for each in found for text in each.texts),
        alternatives=sum(each.alternatives for each in found),
        omitted=sum(each.omitted for each in found),
    )


def _decoded(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        raise ContentError("a text part is not UTF-8") from error
