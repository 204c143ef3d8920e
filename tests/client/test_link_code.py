"""The code that is carried to a second device, and what the two say under it: forgiving to people, strict otherwise."""

from collections.abc import Callable
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.credentials import link_messages
from client.credentials.link_channel import STEPS, LinkChannel
from client.credentials.link_code import LinkCode, new_link_code, parse_link_code
from client.credentials.link_messages import Done, Ended, Grant, Hello, Offer, Ready
from client.errors import LinkError
from client.invite import SYMBOLS
from identity.authority.links.wire import BOX_LIMIT, MAILBOX_DIGITS

AUTHORITY = "https://authority.test"
T = TypeVar("T")
CODES = st.lists(st.integers(0, 31), min_size=16, max_size=16).map(lambda symbols: LinkCode(tuple(symbols)))


def outcome(call: Callable[[], T]) -> T | LinkError:
    try:
        return call()
    except LinkError as error:
        return error


@given(CODES)
def test_a_code_is_read_however_a_person_writes_it(code: LinkCode) -> None:
    written = code.text
    assert [len(group) for group in written.split("-")] == [4, 4, 4, 4, 2]
    for typed in (
        written,
        written.lower(),
        written.replace("-", ""),
        f"  {written.replace('-', ' ')}\n",
        written.replace("0", "O").replace("1", "l"),
        written.replace("0", "o").replace("1", "I"),
    ):
        assert parse_link_code(typed).symbols == code.symbols


@given(CODES, st.data())
def test_one_wrong_character_and_two_swapped_are_noticed(code: LinkCode, data: st.DataObject) -> None:
    written = code.text.replace("-", "")
    place = data.draw(st.integers(0, len(written) - 1))
    other = data.draw(st.sampled_from(SYMBOLS).filter(lambda symbol: symbol != written[place]))
    with pytest.raises(LinkError, match="wrong"):
        parse_link_code(written[:place] + other + written[place + 1 :])
    swapped = written[:place] + written[place : place + 2][::-1] + written[place + 2 :]
    if swapped != written:
        with pytest.raises(LinkError, match="swapped"):
            parse_link_code(swapped)


@given(st.text(max_size=200))
def test_whatever_else_is_typed_is_refused_in_words(typed: str) -> None:
    read = outcome(lambda: parse_link_code(typed))
    if isinstance(read, LinkError):
        assert (read.code, bool(read.hint)) == ("link-code", True)
    else:
        assert len(read.symbols) == 16


@given(
    CODES,
    st.sampled_from(
        [AUTHORITY, "http://127.0.0.1:8441", "https://é.example", "https://a.test/Some/Path", "http://[::1]:8441"]
    ),
)
def test_what_is_scanned_says_where_to_meet(code: LinkCode, authority: str) -> None:
    scanned = LinkCode(code.symbols, authority).uri
    for written in (scanned, f" {scanned}\n", scanned.replace("RINGTRUE:LINK", "ringtrue:link")):
        read = parse_link_code(written)
        assert (read.symbols, read.authority) == (code.symbols, authority)


@pytest.mark.parametrize(
    "uri", ["ringtrue:link", "ringtrue:link/", "ringtrue:+12025550142", "ringtrue:link/0/x", "ringtrue:"]
)
def test_another_address_is_no_code(uri: str) -> None:
    with pytest.raises(LinkError):
        parse_link_code(uri)


def test_codes_are_drawn_anew_and_not_shown_by_accident() -> None:
    one, other = new_link_code(AUTHORITY), new_link_code(AUTHORITY)
    assert one.secret != other.secret
    assert len(one.secret) == 10
    assert one.text not in repr(one)


def test_both_ends_say_and_hear_the_same_and_compare_alike() -> None:
    secret = new_link_code(AUTHORITY).secret
    first, new = LinkChannel(secret), LinkChannel(secret)
    seen = set()
    for step in range(STEPS):
        speaks, hears = (first, new) if step % 2 == 0 else (new, first)
        assert (speaks.mailbox, speaks.slot) == (hears.mailbox, hears.slot)
        assert len(speaks.mailbox) == MAILBOX_DIGITS
        seen.add((speaks.mailbox, speaks.slot))
        assert hears.open(speaks.seal(b"words")) == b"words"
        assert first.comparison == new.comparison
    assert len(seen) == STEPS


def test_a_box_is_good_for_its_step_its_author_and_what_came_before() -> None:
    secret = new_link_code(AUTHORITY).secret
    first, new, stranger = LinkChannel(secret), LinkChannel(secret), LinkChannel(new_link_code(AUTHORITY).secret)
    offer = first.seal(b"offer")
    for box in (offer[:-1], offer[:12], b"", bytes([offer[0] ^ 1]) + offer[1:], stranger.seal(b"offer")):
        with pytest.raises(LinkError) as refused:
            new.open(box)
        assert refused.value.code == "link-box"
    assert new.open(offer) == b"offer", "a wrong box changes nothing"
    with pytest.raises(LinkError):
        new.open(offer)  # the same again passes for no other step
    another = LinkChannel(secret)
    another.open(LinkChannel(secret).seal(b"another offer"))
    with pytest.raises(LinkError):  # who has seen another offer
        first.open(another.seal(b"hello"))


def test_the_digits_differ_where_another_key_was_seen() -> None:
    secret = new_link_code(AUTHORITY).secret
    digits = set()
    for key in (b"one", b"two"):
        first, new = LinkChannel(secret), LinkChannel(secret)
        new.open(first.seal(b"offer"))
        first.open(new.seal(key))
        assert first.comparison == new.comparison
        digits.add(first.comparison)
    assert len(digits) == 2


@given(st.binary(max_size=300), st.sampled_from([Offer, Hello, Grant, Ready, Done]))
def test_any_octets_are_a_message_or_are_refused_in_words(octets: bytes, expected: type) -> None:
    read = outcome(lambda: link_messages.decode(octets, expected))
    if isinstance(read, LinkError):
        assert read.code in ("link-version", "link-ended")
    else:
        assert isinstance(read, expected)


@given(
    st.builds(Offer, st.binary(min_size=65, max_size=65))
    | st.just(Ready())
    | st.builds(Hello, st.text(max_size=200), st.binary(min_size=65, max_size=65), st.binary(min_size=32, max_size=32))
)
def test_a_message_is_read_as_it_was_written(message: Offer | Ready | Hello) -> None:
    assert link_messages.decode(link_messages.encode(message), type(message)) == message


def test_another_message_than_the_expected_one_is_refused() -> None:
    with pytest.raises(LinkError) as refused:
        link_messages.decode(link_messages.encode(Ready()), Offer)
    assert refused.value.code == "link-version"


def test_what_the_other_device_says_at_the_end_is_made_harmless() -> None:
    with pytest.raises(LinkError) as ended:
        link_messages.decode(link_messages.encode(Ended("no \x1b[2J\u202e thanks")), Ready)
    assert ended.value.code == "link-ended"
    assert str(ended.value).isprintable()


def test_a_message_that_fits_into_no_box_is_not_sent() -> None:
    with pytest.raises(LinkError) as refused:
        link_messages.encode(Grant("+12025550142", "a", "", "", False, "d", b"x" * BOX_LIMIT, "t", [], [], 0))
    assert refused.value.code == "link-size"


def test_unknown_members_are_refused() -> None:
    octets = msgspec.json.encode({"type": "ready", "more": 1})
    with pytest.raises(LinkError):
        link_messages.decode(octets, Ready)
