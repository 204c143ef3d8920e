"""The list of admins has one form, and what is in no form of it is refused."""

from dataclasses import dataclass

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from identity import RolesError, TelephoneNumber
from identity.groups.roles import (
    ADMINS_LIMIT,
    ROLES_EXTENSION,
    EpochRoles,
    admins_of,
    decode_admins,
    encode_admins,
    with_admins,
)

NUMBERS = st.from_regex(r"[1-9][0-9]{0,14}", fullmatch=True).map(TelephoneNumber.from_digits)
ADMINS = st.frozensets(NUMBERS, min_size=1, max_size=ADMINS_LIMIT)
ALICE, BOB, CAROL = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4))


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


@dataclass(frozen=True)
class Leaf:
    index: int
    identity: bytes

    @classmethod
    def of(cls, index: int, number: TelephoneNumber) -> "Leaf":
        return cls(index, f"{number.e164}/{index:032x}".encode())


@dataclass(frozen=True)
class Proposed:
    type: str
    sender: Leaf | None
    removed: Leaf | None = None
    external: int | None = None


@dataclass(frozen=True)
class Committed:
    committer: Leaf | None
    added: tuple[Leaf, ...]
    removed: tuple[Leaf, ...]
    proposals: tuple[Proposed, ...]
    context_extensions: tuple[tuple[int, bytes], ...]


def adding(committer: Leaf, *added: Leaf) -> Committed:
    proposals = tuple(Proposed("add", committer) for _ in added)
    return Committed(committer, added, (), proposals, ((ROLES_EXTENSION, encode_admins([ALICE])),))


def test_a_member_adds_devices_of_their_own_number_and_nobody_else() -> None:
    alice, bob = Leaf.of(0, ALICE), Leaf.of(1, BOB)
    epoch = EpochRoles(frozenset({ALICE}), {0: ALICE, 1: BOB})
    epoch.check_commit(adding(bob, Leaf.of(2, BOB), Leaf.of(3, BOB)))
    epoch.check_commit(adding(alice, Leaf.of(2, CAROL), Leaf.of(3, ALICE)))
    for added in ([Leaf.of(2, CAROL)], [Leaf.of(2, BOB), Leaf.of(3, CAROL)], [Leaf.of(2, ALICE)]):
        with pytest.raises(RolesError) as refused:
            epoch.check_commit(adding(bob, *added))
        assert refused.value.code == "not-an-admin"


def test_a_device_that_a_member_adds_makes_nobody_an_admin() -> None:
    epoch = EpochRoles(frozenset({ALICE}), {0: ALICE, 1: BOB})
    commit = adding(Leaf.of(1, BOB), Leaf.of(2, BOB))
    promoted = Committed(
        commit.committer,
        commit.added,
        (),
        (*commit.proposals, Proposed("group_context_extensions", commit.committer)),
        ((ROLES_EXTENSION, encode_admins([ALICE, BOB])),),
    )
    with pytest.raises(RolesError) as refused:
        epoch.check_commit(promoted)
    assert refused.value.code == "not-an-admin"
