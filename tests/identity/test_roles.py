"""The list of admins has one form, and what is in no form of it is refused."""

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from identity import RolesError, TelephoneNumber
from identity.roles import ADMINS_LIMIT, ROLES_EXTENSION, admins_of, decode_admins, encode_admins, with_admins

NUMBERS = st.from_regex(r"[1-9][0-9]{0,14}", fullmatch=True).map(TelephoneNumber.from_digits)
ADMINS = st.frozensets(NUMBERS, min_size=1, max_size=ADMINS_LIMIT)
ALICE, BOB = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3))


@given(ADMINS)
@example(frozenset(TelephoneNumber.from_digits(str(n)) for n in range(100, 143)))  # as many as "+" is worth
def test_what_is_encoded_is_deterministic_cbor_and_decoded_again(admins: frozenset[TelephoneNumber]) -> None:
    octets = encode_admins(admins)
    assert octets == cbor2.dumps({"admins": sorted(number.e164 for number in admins)})
    assert decode_admins(octets) == admins


@given(st.binary(max_size=60) | st.binary(max_size=20).map(lambda tail: b"\xa1\x66admins\x81" + tail))
def test_any_other_octets_are_refused(octets: bytes) -> None:
    try:
        admins = decode_admins(octets)
    except RolesError:
        return
    assert encode_admins(admins) == octets


@given(ADMINS, st.data())
def test_no_changed_octet_is_read_as_the_same_list(admins: frozenset[TelephoneNumber], data: st.DataObject) -> None:
    octets = bytearray(encode_admins(admins))
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        changed = decode_admins(bytes(octets))
    except RolesError:
        return
    assert changed != admins


@pytest.mark.parametrize(
    "value",
    [
        {"admins": []},
        {"admins": [BOB.e164, ALICE.e164]},
        {"admins": [ALICE.e164, ALICE.e164]},
        {"admins": [ALICE.digits]},
        {"admins": ["+1202 5550142"]},
        {"admins": [ALICE.e164], "members": []},
        {"owners": [ALICE.e164]},
        {"admins": ALICE.e164},
        [ALICE.e164],
    ],
)
def test_another_value_is_refused(value: object) -> None:
    with pytest.raises(RolesError):
        decode_admins(cbor2.dumps(value))


def test_longer_forms_of_the_same_value_are_refused() -> None:
    octets = encode_admins([ALICE])
    for longer in (
        octets + b"\0",
        b"\xb8\x01" + octets[1:],
        octets.replace(b"\x81", b"\x98\x01"),
        b"\xbf" + octets[1:],
    ):
        with pytest.raises(RolesError):
            decode_admins(longer)


def test_there_are_admins_and_not_too_many() -> None:
    many = [TelephoneNumber.from_digits(str(12025550000 + n)) for n in range(ADMINS_LIMIT + 1)]
    assert len(decode_admins(encode_admins(many[1:]))) == ADMINS_LIMIT
    for admins in (many, []):
        with pytest.raises(RolesError):
            encode_admins(admins)


def test_other_extensions_of_a_context_stay() -> None:
    before = [(0xF001, b"topic"), (ROLES_EXTENSION, encode_admins([ALICE]))]
    after = with_admins(before, [BOB])
    assert admins_of(before) == {ALICE}
    assert admins_of(after) == {BOB}
    assert (0xF001, b"topic") in after
    assert admins_of([(0xF001, b"topic")]) is None
    with pytest.raises(RolesError, match="two lists"):
        admins_of([*before, *after])
