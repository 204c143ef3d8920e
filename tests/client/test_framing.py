"""ApplicationFraming and the attested wrapper: one reading for each octet string, or a ContentError."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.errors import ContentError
from client.formats.framing import (
    ATTESTED_TYPE,
    FRAMED_LIMIT,
    MIMI_TYPE,
    Carried,
    Framing,
    MediaType,
    decode_framing,
    encode_framing,
    encode_opaque,
    unwrap,
    wrap,
)
from identity.passport import PASSPORT_SIZE_LIMIT

MIMI = b"\x18application/mimi-content"
ATTESTED = b"\x21application/vnd.ringtrue.attested"
NAMES = st.from_regex(r"[a-z0-9][a-z0-9.+-]{0,20}", fullmatch=True)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40)
MEDIA_TYPES = st.builds(
    MediaType,
    st.builds("{}/{}".format, NAMES, NAMES),
    st.lists(st.tuples(NAMES, VALUES), max_size=4, unique_by=lambda pair: pair[0]).map(tuple),
)


@given(MEDIA_TYPES, st.binary(max_size=300))
def test_what_was_framed_comes_out_again(media_type: MediaType, content: bytes) -> None:
    framing = Framing(media_type, content)
    assert decode_framing(encode_framing(framing)) == framing


@given(st.binary(min_size=1, max_size=20_000), st.binary(min_size=1, max_size=20_000))
def test_the_framed_octets_come_out_exactly(passport: bytes, framed: bytes) -> None:
    assert unwrap(wrap(passport[:PASSPORT_SIZE_LIMIT], framed)) == Carried(passport[:PASSPORT_SIZE_LIMIT], framed)


@given(st.binary(max_size=200))
def test_garbage_is_a_content_error_or_reads_in_one_way(octets: bytes) -> None:
    try:
        framing = decode_framing(octets)
    except ContentError:
        return
    assert encode_framing(framing) == octets


@given(st.binary(max_size=100), st.sampled_from([MIMI + b"\x00", ATTESTED + b"\x00", ATTESTED, MIMI]))
def test_garbage_after_a_known_type_is_a_content_error_or_carried_whole(rest: bytes, start: bytes) -> None:
    try:
        carried = unwrap(start + rest)
    except ContentError:
        return
    if carried.passport is None:
        assert carried.framed == start + rest
    else:
        assert wrap(carried.passport, carried.framed) == start + rest


def test_bare_mimi_content_has_no_passport() -> None:
    octets = MIMI + b"\x00\x05hello"
    assert unwrap(octets) == Carried(None, octets)


def test_the_layout_is_that_of_the_specification() -> None:
    assert wrap(b"p", MIMI + b"\x00\x01c") == ATTESTED + b"\x00" + b"\x1f" + b"\x01p" + b"\x1c" + MIMI + b"\x00\x01c"


@pytest.mark.parametrize(
    ("length", "start"), [(0, "00"), (63, "3f"), (64, "4040"), (16_383, "7fff"), (16_384, "80004000")]
)
def test_lengths_take_their_shortest_form(length: int, start: str) -> None:
    assert encode_opaque(bytes(length)) == bytes.fromhex(start) + bytes(length)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x18application/mimi-conten",
        MIMI,
        MIMI + b"\x00",
        MIMI + b"\x00\x01",
        MIMI + b"\x00\x00\x00",
        b"\x40\x18application/mimi-content\x00\x00",
        b"\x80\x00\x00\x18application/mimi-content\x00\x00",
        b"\xc0\x00\x00\x00\x00\x00\x00\x18application/mimi-content\x00\x00",
        b"\xbf\xff\xff\xff",
        b"\x00\x00\x00",
        b"\x18Application/Mimi-Content\x00\x00",
        b"\x03a/\xff\x00\x00",
        b"\x07a/b\r\nc:\x00\x00",
    ],
    ids=[
        "nothing",
        "type-cut-short",
        "no-parameters",
        "no-content",
        "content-cut-short",
        "octets-after-the-end",
        "two-octet-length-for-24",
        "four-octet-length-for-24",
        "eight-octet-length",
        "a-length-of-a-gigabyte",
        "empty-type",
        "upper-case-type",
        "type-not-ascii",
        "type-with-newline",
    ],
)
def test_malformed_framing_is_refused(octets: bytes) -> None:
    with pytest.raises(ContentError):
        unwrap(octets)


@pytest.mark.parametrize(
    "parameters",
    [
        (("charset", "utf-8"), ("charset", "utf-16")),
        (("Charset", "utf-8"),),
        (("", "utf-8"),),
        (("charset", "utf\n8"),),
        (("charset", "é"),),
        (("charset", "x" * 256),),
        tuple((f"p{number}", "") for number in range(9)),
    ],
    ids=["twice", "upper-case", "nameless", "control", "not-ascii", "too-long", "too-many"],
)
def test_parameters_that_cannot_be_read_are_not_written(parameters: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(ContentError):
        encode_framing(Framing(MediaType("text/plain", parameters), b""))


@pytest.mark.parametrize(
    "media_type",
    [
        MediaType("text/plain"),
        MediaType(MIMI_TYPE, (("version", "1"),)),
        MediaType(ATTESTED_TYPE, (("version", "2"),)),
        MediaType("application/vnd.ringtrue.attested2"),
    ],
)
def test_other_types_are_not_messages(media_type: MediaType) -> None:
    content = encode_opaque(b"passport") + encode_opaque(MIMI + b"\x00\x00")
    with pytest.raises(ContentError) as caught:
        unwrap(encode_framing(Framing(media_type, content)))
    assert caught.value.code == "media-type"


@pytest.mark.parametrize("content", [b"\x00\x01c", b"\x01p\x00", b"\x01p", b"\x01p\x01c\x00"])
def test_an_attested_message_has_exactly_two_parts(content: bytes) -> None:
    with pytest.raises(ContentError):
        unwrap(encode_framing(Framing(MediaType(ATTESTED_TYPE), content)))


@pytest.mark.parametrize(
    ("passport", "framed"),
    [(b"", b"f"), (b"p", b""), (bytes(PASSPORT_SIZE_LIMIT + 1), b"f"), (b"p", bytes(FRAMED_LIMIT + 1))],
)
def test_parts_out_of_bounds_are_not_wrapped(passport: bytes, framed: bytes) -> None:
    with pytest.raises(ContentError):
        wrap(passport, framed)


def test_parts_out_of_bounds_are_not_unwrapped() -> None:
    too_long = encode_opaque(bytes(PASSPORT_SIZE_LIMIT + 1)) + encode_opaque(b"f")
    with pytest.raises(ContentError) as caught:
        unwrap(encode_framing(Framing(MediaType(ATTESTED_TYPE), too_long)))
    assert caught.value.code == "too-large"
