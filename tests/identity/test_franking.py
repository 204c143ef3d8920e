"""What a service confirms of a message that it cannot read: this text, sender, room and time, and nothing else."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.errors import FrankingError
from identity.message import number_of_user_uri
from identity.number import TelephoneNumber
from identity.reports.franking import (
    FRANK_SIZE,
    SECRET_SIZE,
    TAG_SIZE,
    FrankedMessage,
    FrankingContext,
    FrankingKey,
    HubKey,
    decode_aad,
    encode_aad,
    franking_tag,
    verify_frank,
)

ALICE = "mimi://example.org/u/+12025550142"
ROOM = "mimi://example.org/g/cmluZ3RydWUgZ3JvdXAgMQ"
CONTEXT = FrankingContext(ALICE, ROOM, 1_800_000_000_123)
HUB = FrankingKey.generate()
KEYS = {HUB.public.key_id: HUB.public}
TYPE = b"\x18application/mimi-content\x00"


def framed(text: bytes, salt: bytes = bytes(range(16))) -> bytes:
    content = b"\x87\x50" + salt + b"\xf6\x40\xf6\xf6" + text
    length = bytes((len(content),)) if len(content) < 64 else (len(content) | 0x4000).to_bytes(2)
    return TYPE + length + content


SAID = framed(b"buy now")
TAG = franking_tag(SAID)


def franked(context: FrankingContext = CONTEXT, key: FrankingKey = HUB) -> FrankedMessage:
    return FrankedMessage(SAID, context, key.frank(TAG, context))


def refusal(message: FrankedMessage) -> str:
    with pytest.raises(FrankingError) as refused:
        verify_frank(message, KEYS)
    return refused.value.code


def test_a_frank_names_who_said_it_where_and_when():
    verified = verify_frank(franked(), KEYS)
    assert verified.number == TelephoneNumber.from_digits("12025550142")
    assert (verified.room_uri, verified.accepted_ms, verified.key_id) == (ROOM, 1_800_000_000_123, HUB.public.key_id)
    HUB.confirm(TAG, CONTEXT, franked().frank)


@pytest.mark.parametrize(
    "other",
    [
        replace(CONTEXT, sender_uri="mimi://example.org/u/+12025550143"),
        replace(CONTEXT, sender_uri="mimi://example.com/u/+12025550142"),
        replace(CONTEXT, room_uri=ROOM[:-1] + "A"),
        replace(CONTEXT, accepted_ms=CONTEXT.accepted_ms + 1),
        FrankingContext(ALICE + ROOM[0], ROOM[1:], CONTEXT.accepted_ms),
    ],
    ids=["sender", "host of the sender", "room", "time", "border between the fields"],
)
def test_another_sender_room_or_time_is_refused(other: FrankingContext):
    assert refusal(replace(franked(), context=other)) in ("frank", "context")
    with pytest.raises(FrankingError):
        HUB.confirm(TAG, other, franked().frank)


def test_another_text_is_refused():
    assert refusal(replace(franked(), framed=framed(b"buy mow"))) == "frank"
    assert refusal(replace(franked(), framed=framed(b"buy now", bytes(16)))) == "frank"
    assert refusal(replace(franked(), framed=SAID + b"\x00")) == "frank"


def test_the_frank_of_another_message_is_refused():
    other = framed(b"hello")
    assert refusal(FrankedMessage(SAID, CONTEXT, HUB.frank(franking_tag(other), CONTEXT))) == "frank"


def test_a_service_that_is_not_known_confirms_nothing():
    other = FrankingKey.generate()
    assert refusal(franked(key=other)) == "unknown-hub-key"
    renamed = HUB.public.key_id + franked(key=other).frank[8:]
    assert refusal(replace(franked(), frank=renamed)) == "frank"


@given(st.integers(0, 8 * FRANK_SIZE - 1))
def test_no_bit_of_a_frank_may_change(bit: int):
    octets = bytearray(franked().frank)
    octets[bit // 8] ^= 1 << bit % 8
    assert refusal(replace(franked(), frank=bytes(octets))) in ("frank", "unknown-hub-key")


def test_a_signature_without_the_mac_does_not_satisfy_the_service_itself():
    """Whoever takes only the signing key can convince others, and not the service, which also has its MAC key."""
    thief = FrankingKey.from_octets(bytes(32) + HUB.to_octets()[32:])
    forged = thief.frank(TAG, CONTEXT)
    verify_frank(FrankedMessage(SAID, CONTEXT, forged), KEYS)
    with pytest.raises(FrankingError):
        HUB.confirm(TAG, CONTEXT, forged)


def test_a_sender_who_is_not_a_number_is_refused():
    context = replace(CONTEXT, sender_uri="mimi://example.org/u/alice")
    assert refusal(franked(context)) == "context"


@pytest.mark.parametrize("uri", ["", "mimi://h/u/+1é", "x" * 513, "a\nb"])
def test_what_is_no_uri_is_never_franked(uri: str):
    for context in (replace(CONTEXT, sender_uri=uri), replace(CONTEXT, room_uri=uri)):
        with pytest.raises(FrankingError):
            HUB.frank(TAG, context)


@given(st.binary(max_size=80))
def test_authenticated_data_is_a_tag_or_nothing(octets: bytes):
    try:
        tag = decode_aad(octets)
    except FrankingError:
        return
    assert (octets == b"") if tag is None else encode_aad(tag) == octets


@given(st.binary(min_size=TAG_SIZE, max_size=TAG_SIZE), st.integers(0, 35), st.integers(1, 255))
def test_a_tag_comes_back_and_only_from_its_one_form(tag: bytes, place: int, flip: int):
    octets = bytearray(encode_aad(tag))
    assert decode_aad(bytes(octets)) == tag
    octets[place] ^= flip
    if place < 4:
        with pytest.raises(FrankingError):
            decode_aad(bytes(octets))
    else:
        assert decode_aad(bytes(octets)) != tag
    with pytest.raises(FrankingError):
        decode_aad(encode_aad(tag) + b"\x00")


@given(st.binary(max_size=120) | st.binary(max_size=40).map(lambda rest: TYPE + rest))
def test_any_octets_have_a_tag_or_are_no_message(octets: bytes):
    with contextlib.suppress(FrankingError):
        assert len(franking_tag(octets)) == TAG_SIZE


@pytest.mark.parametrize("length", [0, 30, 41, 200, 16_000])
def test_the_salt_is_found_whatever_the_length_of_the_content(length: int):
    assert franking_tag(framed(bytes(length))) != franking_tag(framed(bytes(length), bytes(16)))


@given(st.binary(max_size=120))
def test_any_octets_are_a_hub_key_or_refused(octets: bytes):
    with pytest.raises(FrankingError):
        HubKey.from_point(octets)
    if len(octets) != SECRET_SIZE:
        with pytest.raises(FrankingError):
            FrankingKey.from_octets(octets)


def test_a_key_comes_back_from_its_octets_and_shows_none_of_them():
    again = FrankingKey.from_octets(HUB.to_octets())
    assert again.public == HUB.public
    again.confirm(TAG, CONTEXT, franked().frank)
    assert HUB.to_octets().hex() not in repr(HUB)
    assert "hub_key" not in repr(HUB)
    with pytest.raises(FrankingError):
        FrankingKey.from_octets(bytes(SECRET_SIZE))


@pytest.mark.parametrize(
    ("uri", "digits"),
    [
        (ALICE, "12025550142"),
        ("mimi://example.org/u/12025550142", None),
        ("mimi:///u/+12025550142", None),
        ("mimi://example.org/u/+1202555014x", None),
        ("mimi://example.org/u/+1/u/+12025550142", None),
        ("https://example.org/u/+12025550142", None),
        ("", None),
    ],
)
def test_a_number_is_read_only_from_a_persons_uri(uri: str, digits: str | None):
    assert number_of_user_uri(uri) == (None if digits is None else TelephoneNumber.from_digits(digits))
