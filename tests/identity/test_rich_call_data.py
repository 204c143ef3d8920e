"""Rich call data (RFC 9795): read strictly, digests held against what is at hand, nothing fetched."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.claim_constraints import ClaimConstraints
from identity.errors import ClaimConstraintsError, PassportError
from identity.passport import canonical_json, message_digest
from identity.rich_call_data import check_display, check_integrity, parse_rich_call_data

PHOTO, LOGO = "https://example.com/photos/quartermaster-256x256.png", "https://example.com/logos/mi6-256x256.jpg"
SMALL = "https://example.com/logos/mi6-64x64.jpg"
CARD: Any = [
    "vcard",
    [
        ["version", {}, "text", "4.0"],
        ["fn", {}, "text", "Q Branch"],
        ["org", {}, "text", "MI6;Q Branch Spy Gadgets"],
        ["photo", {}, "uri", PHOTO],
        ["logo", {}, "uri", LOGO],
        ["logo", {}, "uri", SMALL],
    ],
]
CARD_DIGEST = "sha256-7kdCBZqH0nqMSPsmABvsKlHPhZEStgjojhdSJGRr3rk"  # RFC 9795 §6.1.3
INLINE: dict[str, Any] = {"rcd": {"jcd": CARD, "nam": "Q Branch Spy Gadgets"}, "rcdi": {"/jcd": CARD_DIGEST}}
LINKED: dict[str, Any] = {
    "rcd": {"jcl": "https://example.com/qbranch.json", "nam": "Q Branch Spy Gadgets"},
    "rcdi": {"/jcl": CARD_DIGEST, "/jcl/1/3/3": message_digest(b"a picture")},
}


def test_the_published_digest_of_a_card_holds() -> None:
    assert check_integrity(INLINE, {}) == ()
    data = parse_rich_call_data(INLINE)
    assert data is not None
    assert ("fn", "Q Branch") in data.card


def test_one_letter_of_the_card_changes_its_digest() -> None:
    changed = copy.deepcopy(INLINE)
    changed["rcd"]["jcd"][1][1][3] = "P Branch"
    with pytest.raises(PassportError, match="digest of '/jcd'"):
        check_integrity(changed, {})


def test_what_stands_elsewhere_counts_once_somebody_has_fetched_it() -> None:
    assert check_integrity(LINKED, {}) == ("/jcl", "/jcl/1/3/3")
    card = {"https://example.com/qbranch.json": canonical_json(CARD).replace(b",", b", ")}
    assert check_integrity(LINKED, card) == ("/jcl/1/3/3",)
    assert check_integrity(LINKED, card | {PHOTO: b"a picture"}) == ()
    with pytest.raises(PassportError, match="/jcl/1/3/3"):
        check_integrity(LINKED, card | {PHOTO: b"another picture"})
    with pytest.raises(PassportError, match="not JSON"):
        check_integrity(LINKED, {"https://example.com/qbranch.json": b"<html>"})


def test_an_icon_is_covered_by_its_body_and_a_name_by_its_json() -> None:
    claims = {
        "rcd": {"icn": PHOTO, "nam": "Q"},
        "rcdi": {"/icn": message_digest(b"png"), "/nam": message_digest(b'"Q"')},
    }
    assert check_integrity(claims, {}) == ("/icn",)
    assert check_integrity(claims, {PHOTO: b"png"}) == ()


BROKEN: dict[str, dict[str, Any]] = {
    "no name": {"rcd": {"apn": "12025550100"}},
    "a name that is no text": {"rcd": {"nam": 7}},
    "a name as long as a book": {"rcd": {"nam": "Q" * 256}},
    "no object": {"rcd": [{"nam": "Q"}]},
    "two cards": {"rcd": {"nam": "Q", "jcd": CARD, "jcl": "https://example.com/q.json"}},
    "a number with a plus": {"rcd": {"nam": "Q", "apn": "+12025550100"}},
    "a picture without TLS": {"rcd": {"nam": "Q", "icn": "http://example.com/q.png"}},
    "a picture in a script": {"rcd": {"nam": "Q", "icn": "javascript:alert(1)"}},
    "a card that is none": {"rcd": {"nam": "Q", "jcd": ["vcard"]}},
    "a card with half a property": {"rcd": {"nam": "Q", "jcd": ["vcard", [["fn", {}, "text"]]]}},
    "a card as large as a book": {"rcd": {"nam": "Q", "jcd": ["vcard", [["fn", {}, "text", "Q"]] * 65]}},
    "a reason that is no text": {"crn": None},
    "digests of nothing": {"rcdi": {"/nam": CARD_DIGEST}},
    "digests that are none": {"rcd": {"nam": "Q"}, "rcdi": {"/nam": 1}},
    "no digest": {"rcd": {"nam": "Q"}, "rcdi": {}},
    "a pointer that is none": {"rcd": {"nam": "Q"}, "rcdi": {"nam": CARD_DIGEST}},
    "a pointer to nothing": {"rcd": {"nam": "Q"}, "rcdi": {"/jcd/1": CARD_DIGEST}},
    "a pointer behind the end": {"rcd": {"nam": "Q", "jcd": CARD}, "rcdi": {"/jcd/9": CARD_DIGEST}},
    "an unknown algorithm": {"rcd": {"nam": "Q"}, "rcdi": {"/nam": "md5-AAAA"}},
}


@pytest.mark.parametrize("claims", BROKEN.values(), ids=BROKEN.keys())
def test_what_breaks_a_rule_of_rcd_is_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(PassportError) as refused:
        check_display(claims)
    assert refused.value.check == 3


def test_an_issuer_binds_objects_by_their_canonical_form() -> None:
    constraints = ClaimConstraints((), (("rcdi", (canonical_json(INLINE["rcdi"]).decode(),)),))
    constraints.check(INLINE)
    with pytest.raises(ClaimConstraintsError):
        constraints.check({**INLINE, "rcdi": {"/jcd": message_digest(b"x")}})


json = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=9) | st.sampled_from([PHOTO, "uri", CARD_DIGEST]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["nam", "apn", "icn", "jcd", "jcl", "/nam", "/jcl/1", "/jcd/0"]), inner)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["rcd", "rcdi", "crn"]), json), st.binary(max_size=20))
def test_any_claims_are_read_or_refused(claims: dict[str, Any], body: bytes) -> None:
    try:
        parse_rich_call_data(claims)
        check_integrity(claims, {PHOTO: body})
    except PassportError:
        return
    assert set(claims.get("rcdi", {})) <= {"/nam", "/jcl/1", "/jcd/0"}
