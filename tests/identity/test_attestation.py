"""`attest` and `verify`: the two calls for a system that is neither MLS nor SIP."""

import dataclasses
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from identity import (
    CertificateError,
    ChainVerifier,
    ClaimConstraintsError,
    Expected,
    IdentityError,
    TelephoneNumber,
    TNAuthList,
    TrustAnchors,
    Verdict,
    attest,
    claimed_display,
    verify,
)
from identity.certificate_fields import CLAIM_CONSTRAINTS_OID, ENHANCED_CLAIM_CONSTRAINTS_OID
from identity.claim_constraints import ClaimConstraints
from identity.errors import BindingError
from identity.number_attributes import TN_ATTRIBUTES_OID, NumberAttributes
from identity.passport import canonical_json, message_digest, sign_token
from identity.tn_auth_list import ServiceProviderCode
from tests.identity.conftest import (
    ALICE,
    BOB,
    LEAF_FIELDS,
    NOW,
    YEAR,
    Authority,
    any_certificate,
    der,
    one,
    private_key,
    tn_extension,
)

TEXT = b"Watson, come here."
X5U = "https://certificates.example/alice.pem"
KEY = private_key(1)
WHO = Expected(NOW + 2, ALICE, {BOB})
MALLORY = TelephoneNumber.from_digits("12025550166")
SHAKEN = {"attest": "A", "origid": "123e4567-e89b-12d3-a456-426655440000"}


class Town:
    """Alice's chain, and who believes in it."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.chain = authority.device_chain(KEY, ALICE)
        self.chains = ChainVerifier(authority.anchors)

    def become_carrier(self) -> None:
        """Let Alice's key be that of a carrier, which may sign for calls too."""
        numbers = TNAuthList((ServiceProviderCode("1234"),))
        issuer = self.authority.issuer(numbers)
        fields, key = (*LEAF_FIELDS, tn_extension(numbers)), self.authority.issuer_key
        self.chain = (der(any_certificate(key, issuer.subject, KEY.public_key(), fields)), der(issuer))

    def sign(self, claims: dict[str, Any], header: dict[str, Any] | None = None, key: Any = KEY) -> str:
        """Sign what `attest` would not."""
        x5c = [b64encode(each).decode() for each in self.chain]
        base = {"dest": {"tn": [BOB.digits]}, "iat": NOW, "msgi": message_digest(TEXT), "orig": {"tn": ALICE.digits}}
        first = {"alg": "ES256", "ppt": "msg", "typ": "passport", "x5c": x5c}
        return sign_token(key, merged(first, header or {}), merged(base, claims))

    def attest(self, **changes: Any) -> str:
        honest: dict[str, Any] = {"orig": ALICE, "dest": {BOB}, "content": TEXT, "now": NOW}
        chain = changes.pop("chain", self.chain)
        return attest(KEY, chain, **(honest | changes))


def merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (values | changes).items() if value is not None}


@pytest.fixture
def town(authority: Authority) -> Town:
    return Town(authority)


def test_what_is_attested_is_verified_and_every_check_passes(town: Town) -> None:
    result = verify(town.attest(), TEXT, WHO, town.chains, seen=lambda _: False)
    assert (result.verdict, result.number, result.code) == (Verdict.VERIFIED, ALICE, None)
    assert [(check.number, check.outcome) for check in result.checks] == [(n, "passed") for n in range(15)]


def test_a_token_may_name_where_its_certificates_are_instead_of_carrying_them(town: Town) -> None:
    token = town.attest(x5u=X5U)
    at_hand = dataclasses.replace(WHO, chain=town.chain)
    assert verify(token, TEXT, at_hand, town.chains, None).verdict is Verdict.VERIFIED
    missing = verify(token, TEXT, WHO, town.chains, None)
    assert (missing.verdict, missing.code, missing.checks[4].outcome) == (Verdict.UNDECIDED, 436, "undecided")
    assert X5U in missing.checks[4].compared


def test_what_cannot_be_compared_is_named_and_the_content_is_not_left_out_silently(town: Town) -> None:
    result = verify(town.attest(), None, Expected(NOW + 2, None, ()), town.chains, None)
    outcomes = {check.name: check.outcome for check in result.checks if check.outcome != "passed"}
    assert outcomes == {"content": "undecided", "audience": "skipped", "replay": "skipped"}
    assert (result.verdict, result.reason) == (Verdict.UNDECIDED, "There is no content to compare with the proof.")
    assert all(check.compared for check in result.checks)
    assert verify(town.attest(), TEXT, Expected(NOW + 2, None, ()), town.chains, None).verdict is Verdict.VERIFIED


def test_who_is_expected_is_never_left_out_by_forgetting_it() -> None:
    required = {each.name for each in dataclasses.fields(Expected) if each.default is dataclasses.MISSING}
    assert required == {"arrived", "orig", "dest"}


def test_a_root_at_the_end_of_x5c_is_left_out(town: Town) -> None:
    with_root = [*town.chain, der(town.authority.root)]
    assert verify(town.attest(chain=with_root), TEXT, WHO, town.chains, None).verdict is Verdict.VERIFIED
    another = [*town.chain, der(Authority(root_key=private_key(77)).root)]
    assert verify(town.attest(chain=another), TEXT, WHO, town.chains, None).failed_check


def test_without_anchors_nothing_is_decided(town: Town) -> None:
    result = verify(town.attest(), TEXT, WHO, ChainVerifier(TrustAnchors(())), None)
    assert (result.verdict, result.checks[5].outcome) == (Verdict.UNDECIDED, "undecided")


def test_a_carrier_vouches_and_does_not_prove(town: Town) -> None:
    town.become_carrier()
    result = verify(town.attest(), TEXT, WHO, town.chains, None)
    assert (result.verdict, result.number) == (Verdict.CARRIER, None)


Break = Callable[[Town], tuple[str, Expected]]
BREAKS: dict[str, tuple[int, int | None, Break]] = {
    "the verifier's clock is nowhere": (0, None, lambda t: (t.attest(), dataclasses.replace(WHO, arrived=-1))),
    "a space in the token": (1, 438, lambda t: (t.attest() + " ", WHO)),
    "two tokens in one": (1, 438, lambda t: (t.attest() + "." + t.attest(), WHO)),
    "a header as large as a book": (1, 438, lambda t: (t.sign({}, {"x5c": ["A" * 40_000]}), WHO)),
    "another algorithm": (2, 438, lambda t: (t.sign({}, {"alg": "ES384"}), WHO)),
    "a key in the header": (2, 438, lambda t: (t.sign({}, {"jwk": {}}), WHO)),
    "neither x5u nor x5c": (2, 438, lambda t: (t.sign({}, {"x5c": None}), WHO)),
    "x5c is no list": (2, 438, lambda t: (t.sign({}, {"x5c": "MIIB"}), WHO)),
    "x5c is no base64": (2, 438, lambda t: (t.sign({}, {"x5c": ["!"]}), WHO)),
    "x5u with a query": (2, 438, lambda t: (t.sign({}, {"x5u": X5U + "?who=bob"}), WHO)),
    "a call": (2, 428, lambda t: (t.sign(SHAKEN | {"msgi": None}, {"ppt": "shaken"}), WHO)),
    "no type": (2, 428, lambda t: (t.sign({"msgi": None}, {"ppt": None}), WHO)),
    "no digest": (3, 438, lambda t: (t.sign({"msgi": None}), WHO)),
    "a claim of another type": (3, 438, lambda t: (t.sign(SHAKEN), WHO)),
    "a time in words": (3, 438, lambda t: (t.sign({"iat": str(NOW)}), WHO)),
    "a URI where numbers are wanted": (3, 438, lambda t: (t.sign({"orig": {"uri": "sip:a@example.org"}}), WHO)),
    "a presentation without a name": (3, 438, lambda t: (t.sign({"rcd": {}}), WHO)),
    "x5c of another certificate than at hand": (
        4, 438, lambda t: (t.attest(), dataclasses.replace(WHO, chain=t.authority.device_chain(KEY, BOB))),
    ),
    "a root that is not trusted": (
        5, 437, lambda t: (t.attest(chain=Authority(root_key=private_key(66)).device_chain(KEY, ALICE)), WHO),
    ),
    "signed before the certificate": (5, 437, lambda t: (t.sign({"iat": NOW - YEAR}), WHO)),
    "another number": (6, 438, lambda t: (t.sign({"orig": {"tn": MALLORY.digits}}), Expected(NOW + 2, MALLORY, {BOB}))),
    "a claim that the leaf forbids": (7, 438, lambda t: (_with_forbidden(t), WHO)),
    "another key": (8, 438, lambda t: (t.sign({}, key=private_key(2)), WHO)),
    "another text": (9, 438, lambda t: (t.attest(content=b"Watson, go away."), WHO)),
    "somebody else's": (10, 438, lambda t: (t.attest(dest={MALLORY}), WHO)),
    "the future": (11, 403, lambda t: (t.attest(), dataclasses.replace(WHO, arrived=NOW - 61))),
    "before the sender was there": (
        11, 403, lambda t: (t.attest(), dataclasses.replace(WHO, sender_since=NOW + 61, arrived=NOW + 61)),
    ),
    "another sender signalled": (12, 438, lambda t: (t.attest(), dataclasses.replace(WHO, orig=MALLORY))),
}  # fmt: skip


def _with_forbidden(town: Town) -> str:
    constraints = ClaimConstraints((), (), ("crn",)).encode_9118()
    extension = x509.UnrecognizedExtension(ENHANCED_CLAIM_CONSTRAINTS_OID, constraints)
    chain = town.authority.chain((*LEAF_FIELDS, tn_extension(one(ALICE)), (extension, False)))
    return town.sign({"crn": "Lunch"}, {"x5c": [b64encode(each).decode() for each in chain]})


@pytest.mark.parametrize(("check", "code", "broken"), BREAKS.values(), ids=BREAKS.keys())
def test_each_check_stops_what_is_wrong_in_one_way(town: Town, check: int, code: int | None, broken: Break) -> None:
    token, expected = broken(town)
    result = verify(token, TEXT, expected, town.chains, seen=lambda _: False)
    assert result.verdict is Verdict.FAILED
    assert result.failed_check is not None
    assert (result.failed_check.number, result.code) == (check, code)
    assert [each.outcome for each in result.checks] == ["passed"] * check + ["failed"] + ["skipped"] * (14 - check)
    assert result.evidence is None


def test_a_token_is_taken_once(town: Town) -> None:
    seen: set[bytes] = set()
    first = verify(town.attest(), TEXT, WHO, town.chains, seen.__contains__)
    assert first.evidence is not None
    seen.add(first.evidence.replay_key)
    again = verify(town.attest(), TEXT, WHO, town.chains, seen.__contains__)
    assert again.failed_check is not None
    assert again.failed_check.number == 12


def test_an_old_message_is_told_from_an_old_call(town: Town) -> None:
    late = dataclasses.replace(WHO, arrived=NOW + 3_600)
    assert verify(town.attest(), TEXT, late, town.chains, None).verdict is Verdict.DELAYED
    town.become_carrier()
    plain = town.sign({"msgi": None}, {"ppt": None})
    call = verify(plain, None, dataclasses.replace(late, kinds={""}), town.chains, None)
    assert call.failed_check is not None
    assert (call.failed_check.number, call.code) == (11, 403)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"orig": MALLORY}, BindingError),
        ({"now": NOW + YEAR}, BindingError),
        ({"dest": set()}, BindingError),
        ({"orig": "sip:alice@example.org"}, BindingError),
        ({"chain": (b"nonsense",)}, CertificateError),
    ],
    ids=["number", "time", "nobody", "uri", "no certificate"],
)
def test_nothing_is_attested_that_the_certificate_does_not_hold(
    town: Town, changes: dict[str, Any], error: type[IdentityError]
) -> None:
    with pytest.raises(error):
        town.attest(**changes)


def test_nothing_is_attested_with_another_key_or_against_the_constraints(town: Town) -> None:
    with pytest.raises(BindingError, match="another key"):
        attest(private_key(2), town.chain, orig=ALICE, dest={BOB}, content=TEXT, now=NOW)
    constraints = ClaimConstraints((), (), ("msgi",)).encode_9118()
    extension = x509.UnrecognizedExtension(ENHANCED_CLAIM_CONSTRAINTS_OID, constraints)
    chain = town.authority.chain((*LEAF_FIELDS, tn_extension(one(ALICE)), (extension, False)))
    with pytest.raises(ClaimConstraintsError):
        town.attest(chain=chain)


def test_nothing_is_attested_that_the_numbers_holder_or_both_forms_of_constraints_refuse(town: Town) -> None:
    silent = x509.UnrecognizedExtension(TN_ATTRIBUTES_OID, NumberAttributes(do_not_originate_messaging=True).encode())
    both = (
        (x509.UnrecognizedExtension(CLAIM_CONSTRAINTS_OID, bytes.fromhex("300aa008300616046d736769")), False),
        (x509.UnrecognizedExtension(ENHANCED_CLAIM_CONSTRAINTS_OID, ClaimConstraints(("msgi",)).encode_9118()), False),
    )
    for extensions, code in ((((silent, False),), "no-messages"), (both, "constraints")):
        with pytest.raises(BindingError) as refused:
            town.attest(chain=town.authority.chain((*LEAF_FIELDS, tn_extension(one(ALICE)), *extensions)))
        assert (refused.value.check, refused.value.code) == (7, code)


@given(st.binary(max_size=300) | st.text(max_size=200), st.none() | st.binary(max_size=20))
def test_any_token_has_a_verdict(token: bytes | str, content: bytes | None) -> None:
    result = verify(token, content, WHO, ChainVerifier(TrustAnchors(())), None)
    assert result.verdict is Verdict.FAILED


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["tn", "uri", "nam", "jcd"]), inner),
    max_leaves=8,
)
names = st.sampled_from(["dest", "iat", "msgi", "orig", "rcd", "rcdi", "crn", "attest", "origid", "div", "x5c", "x5u"])


@given(
    st.dictionaries(names, json, max_size=4),
    st.dictionaries(names, json, max_size=3),
    st.sampled_from(["msg", "shaken", "rcd", "div", None]),
)
def test_any_claims_have_a_verdict(claims: dict[str, Any], header: dict[str, Any], ppt: str | None) -> None:
    town = Town(Authority())
    expected = dataclasses.replace(WHO, kinds={"msg", "shaken", "rcd", "div", ""})
    token = town.sign(claims, header | {"ppt": ppt})
    assert verify(token, TEXT, expected, town.chains, None).checks[14].name == "result"


RCD = {"nam": "Q Branch", "apn": "12025550100", "icn": "https://example.com/q.png"}


def bound_chain(town: Town, permitted: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[bytes, ...]:
    constraints = ClaimConstraints(("rcd",), permitted).encode_9118()
    extension = x509.UnrecognizedExtension(ENHANCED_CLAIM_CONSTRAINTS_OID, constraints)
    return town.authority.chain((*LEAF_FIELDS, tn_extension(one(ALICE)), (extension, False)))


def test_a_name_is_told_as_the_word_of_the_issuer_that_bound_it(town: Town) -> None:
    chain = bound_chain(town, (("rcd", (canonical_json(RCD).decode(),)),))
    x5c = {"x5c": [b64encode(each).decode() for each in chain]}
    result = verify(town.sign({"rcd": RCD}, x5c), TEXT, WHO, town.chains, None)
    display = claimed_display(result, town.chains)
    assert display is not None
    assert (display.data.name, display.issuer, display.bound) == ("Q Branch", "Test issuer", True)
    assert result.number == ALICE
    other = verify(town.sign({"rcd": RCD | {"nam": "Your bank"}}, x5c), TEXT, WHO, town.chains, None)
    assert other.failed_check is not None
    assert (other.failed_check.number, claimed_display(other, town.chains)) == (7, None)


NAME_DIGEST = message_digest(canonical_json("Q Branch"))


@pytest.mark.parametrize(
    ("claims", "permitted", "bound"),
    [
        ({"rcd": {"nam": "Q Branch"}, "rcdi": {"/nam": NAME_DIGEST}}, ("rcdi",), True),
        ({"rcd": RCD, "rcdi": {"/nam": NAME_DIGEST}}, ("rcdi",), False),
        ({"rcd": RCD, "rcdi": {"/icn": message_digest(b"a picture")}}, ("rcdi",), False),
        (
            {
                "rcd": {"icn": RCD["icn"], "nam": "Q Branch"},
                "rcdi": {"/icn": message_digest(b"a picture"), "/nam": NAME_DIGEST},
            },
            ("rcdi",),
            False,
        ),
        ({"rcd": {"nam": "Q Branch"}, "crn": "Your parcel"}, ("rcd",), False),
        ({"rcd": {"nam": "Q Branch"}, "crn": "Your parcel"}, ("rcd", "crn"), True),
        ({"rcd": {"nam": "Q Branch"}, "crn": "Your parcel"}, ("crn",), False),
    ],
    ids=[
        "the name's digest",
        "a number beside it",
        "the picture's digest",
        "a picture elsewhere",
        "a free reason",
        "all",
        "the reason alone",
    ],
)
def test_an_issuer_vouches_for_a_presentation_only_if_it_has_bound_all_of_it(
    town: Town, claims: dict[str, Any], permitted: tuple[str, ...], bound: bool
) -> None:
    values = {name: each if isinstance(each, str) else canonical_json(each).decode() for name, each in claims.items()}
    chain = bound_chain(town, tuple((name, (values[name],)) for name in permitted))
    token = town.sign(claims, {"x5c": [b64encode(each).decode() for each in chain]})
    display = claimed_display(verify(token, TEXT, WHO, town.chains, None), town.chains)
    assert display is not None
    assert display.bound is bound


def test_a_name_that_no_issuer_bound_is_told_as_the_signers_own_word(town: Town) -> None:
    display = claimed_display(verify(town.sign({"rcd": RCD}), TEXT, WHO, town.chains, None), town.chains)
    assert display is not None
    assert not display.bound


def test_a_token_without_a_name_and_one_that_could_not_be_checked_present_nothing(town: Town) -> None:
    assert claimed_display(verify(town.attest(), TEXT, WHO, town.chains, None), town.chains) is None
    assert claimed_display(verify(town.sign({"rcd": RCD}), None, WHO, town.chains, None), town.chains) is None


KINDS = {
    "shaken": SHAKEN,
    "div": {"div": {"tn": BOB.digits, "hi": "1.1"}},
    "div-o": {"div": {"tn": BOB.digits}, "opt": "e30"},
    "rcd": {"rcd": RCD},
    "rph": {"rph": {"auth": ["esnet.0"]}},
    "msec": {"mky": [{"alg": "sha-256", "dig": "00"}]},
    "rsp": {},
}


@pytest.mark.parametrize("ppt", KINDS)
def test_every_registered_type_is_known_by_name_and_is_no_message(town: Town, ppt: str) -> None:
    result = verify(town.sign(KINDS[ppt] | {"msgi": None}, {"ppt": ppt}), TEXT, WHO, town.chains, None)
    assert (result.verdict, result.code, result.checks[2].outcome) == (Verdict.FAILED, 428, "failed")
    assert f": a {ppt} PASSporT " in result.reason


@pytest.mark.parametrize("ppt", ["shaken", "div", "rcd"])
def test_a_type_that_is_asked_for_is_checked_as_what_it_is(town: Town, ppt: str) -> None:
    town.become_carrier()
    token = town.sign(KINDS[ppt] | {"msgi": None}, {"ppt": ppt})
    result = verify(token, None, dataclasses.replace(WHO, kinds={ppt}), town.chains, None)
    assert (result.verdict, result.checks[9].outcome) == (Verdict.CARRIER, "skipped")
    assert verify(town.attest(), TEXT, dataclasses.replace(WHO, kinds={ppt}), town.chains, None).code == 428
