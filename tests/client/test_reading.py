"""What a content means to a person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.errors import ContentError
from client.formats import content, reading
from client.formats.content import CHAT_TYPE, MARKDOWN_TYPE, TEXT_TYPE, Content
from client.formats.parts import Disposition, ExternalPart, MultiPart, NullPart, Part, Semantics, SinglePart
from client.formats.reading import Attached, Edited, Reacted, Said, Timed, Titled, Unreadable, Withdrawn
from client.formats.text import Safe

SENDER = "mimi://example.org/u/+12025550142"
ROOM = "mimi://example.org/g/cmluZ3RydWUgZ3JvdXAgMQ"
ID = b"\x01" + bytes(31)
PICTURE = SinglePart("image/png", b"\x89PNG")
FILE = ExternalPart("image/png", "https://example.org/1", 1, bytes(16), bytes(12), bytes(32), filename="a\x1b[31m.png")


def _text(words: str) -> SinglePart:
    return SinglePart(TEXT_TYPE, words.encode())


def _read(part: Part, **fields: bytes) -> reading.Reading:
    return reading.read(content.decode(content.encode(Content(SENDER, ROOM, part, **fields))))  # type: ignore[arg-type]


def test_text_is_said_and_safe() -> None:
    assert _read(_text("hello \x1b[2J")) == Said(Safe("hello \u241b[2J"))


def test_markdown_is_shown_as_it_was_written() -> None:
    assert _read(SinglePart(MARKDOWN_TYPE, b"**hi**")) == Said(Safe("**hi**"))


def test_an_edit_names_what_it_replaces() -> None:
    assert _read(_text("hello"), replaces=ID) == Edited(ID, Safe("hello"))


def test_a_deletion_withdraws() -> None:
    assert reading.read(content.deletion(SENDER, ROOM, ID)) == Withdrawn(ID)


def test_a_reaction_goes_to_a_message() -> None:
    assert reading.read(content.reaction(SENDER, ROOM, "\u2764\ufe0f", ID)) == Reacted(ID, Safe("\u2764\ufe0f"))


def test_a_reaction_to_nothing_is_text() -> None:
    assert _read(SinglePart(TEXT_TYPE, b"!", Disposition.REACTION)) == Said(Safe("!"))


def test_a_withdrawn_reaction_withdraws() -> None:
    assert _read(NullPart(Disposition.REACTION), replaces=ID, in_reply_to=ID) == Withdrawn(ID)


def test_a_title_is_a_name() -> None:
    assert reading.read(content.title(SENDER, ROOM, "\u2705 Lab\noratory")) == Titled(Safe("Lab oratory", 2))


def test_an_attachment_has_a_safe_name_and_keeps_its_keys() -> None:
    assert _read(FILE) == Attached(FILE, Safe("a31m.png", 2))


@pytest.mark.parametrize("part", [PICTURE, SinglePart("text/html\x1b", b"<b>"), NullPart()])
def test_what_is_not_shown_says_what_it_is(part: Part) -> None:
    read = _read(part)
    assert isinstance(read, Unreadable)
    assert read.content_type.text.isprintable()


def test_of_alternatives_one_is_shown_and_the_others_are_counted() -> None:
    part = MultiPart(Semantics.CHOOSE_ONE, (PICTURE, _text("you won"), _text("you lost")))
    assert _read(part) == Said(Safe("you won"), alternatives=2)


def test_alternatives_deep_inside_are_counted() -> None:
    inner = MultiPart(Semantics.CHOOSE_ONE, (_text("one"), _text("two")))
    assert _read(MultiPart(Semantics.PROCESS_ALL, (inner, _text("three")))) == Said(Safe("one\nthree"), alternatives=1)


def test_of_all_parts_those_not_understood_are_counted() -> None:
    part = MultiPart(Semantics.PROCESS_ALL, (_text("look"), PICTURE, FILE))
    assert _read(part) == Said(Safe("look"), omitted=2)


def test_a_unit_with_a_part_not_understood_is_not_shown() -> None:
    part = MultiPart(Semantics.SINGLE_UNIT, (_text("look"), PICTURE))
    assert _read(part) == Unreadable(Safe("several parts"))


def test_a_unit_that_is_understood_is_shown_whole() -> None:
    part = MultiPart(Semantics.SINGLE_UNIT, (_text("look"), _text("here")))
    assert _read(part) == Said(Safe("look\nhere"))


@pytest.mark.parametrize(
    "part",
    [
        SinglePart(TEXT_TYPE, b"\xff"),
        SinglePart(CHAT_TYPE, b"\xa0"),
        SinglePart(TEXT_TYPE, b"one\ntwo", Disposition.REACTION),
        SinglePart(TEXT_TYPE, b"", Disposition.REACTION),
        SinglePart(TEXT_TYPE, b"x" * 65, Disposition.REACTION),
    ],
)
def test_parts_that_are_not_what_they_declare_are_refused(part: Part) -> None:
    with pytest.raises(ContentError):
        _read(part, in_reply_to=ID)


@given(st.sampled_from([TEXT_TYPE, CHAT_TYPE]), st.binary(max_size=60), st.integers(0, 255))
def test_any_part_has_a_meaning_or_is_a_content_error(content_type: str, octets: bytes, disposition: int) -> None:
    try:
        _read(SinglePart(content_type, octets, disposition), in_reply_to=ID)
    except ContentError:
        return


def test_a_timer_and_a_captioned_file_are_read() -> None:
    assert reading.read(content.timer(SENDER, ROOM, 60)) == Timed(60)
    offered = content.attachment(SENDER, ROOM, FILE, "the route\x1b[2J")
    assert reading.read(offered) == Attached(FILE, Safe("a31m.png", 2), Safe("the route\u241b[2J"))
