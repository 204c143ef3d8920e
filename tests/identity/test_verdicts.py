"""What a verdict is besides verified and failed, and how it is kept."""

import json

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from identity.binding import Verdict, Verification
from identity.certificate_fields import ENHANCED_CLAIM_CONSTRAINTS_OID
from identity.checks import DELAY_LIMIT, FRESH_LIMIT
from identity.claim_constraints import ClaimConstraints
from identity.errors import BindingError
from identity.tn_auth_list import ServiceProviderCode, TNAuthList
from identity.verdict import RULES
from tests.identity.conftest import ALICE, BOB, LEAF_FIELDS, NOW, Scene, any_certificate, der, one, tn_extension


@pytest.mark.parametrize(
    ("age", "verdict", "code"),
    [
        (-60, Verdict.VERIFIED, None),
        (0, Verdict.VERIFIED, None),
        (FRESH_LIMIT, Verdict.VERIFIED, None),
        (FRESH_LIMIT + 1, Verdict.DELAYED, None),
        (DELAY_LIMIT, Verdict.DELAYED, None),
        (DELAY_LIMIT + 1, Verdict.STALE, 403),
    ],
)
def test_age_decides_between_fresh_delayed_and_stale(
    scene: Scene, age: int, verdict: Verdict, code: int | None
) -> None:
    scene.change_context(arrived=NOW + age)
    verification = scene.verify()
    assert (verification.verdict, verification.code) == (verdict, code)
    assert verification.evidence is not None
    assert {check.outcome for check in verification.checks} == {"passed"}


@pytest.mark.parametrize(("age", "said"), [(61, "1 min"), (3 * 3_600, "3 h"), (2 * 86_400, "2 d")])
def test_a_late_message_says_how_late(scene: Scene, age: int, said: str) -> None:
    scene.change_context(arrived=NOW + age)
    assert scene.verify().reason == f"Signed {said} before it arrived."


def test_a_message_to_a_recipient_who_was_offline_is_delayed_and_not_refused(scene: Scene) -> None:
    """The sender joined and wrote while the recipient was away: what the recipient knew last bounds iat."""
    scene.change_context(arrived=NOW + 86_400, sender_since=NOW - 3_600)
    assert scene.verify().verdict is Verdict.DELAYED


def test_a_carriers_label_outweighs_lateness(scene: Scene) -> None:
    code = TNAuthList((ServiceProviderCode("1234"),))
    issuer = scene.authority.issuer(code)
    key = scene.key.public_key()
    leaf = any_certificate(scene.authority.issuer_key, issuer.subject, key, (*LEAF_FIELDS, tn_extension(code)))
    scene.use_chain((der(leaf), der(issuer)))
    scene.change_context(arrived=NOW + 3_600)
    assert scene.verify().verdict is Verdict.CARRIER


def test_no_check_repeats_text_of_others_as_it_is(scene: Scene) -> None:
    """What a check compared is drawn on terminals, where an escape sequence or a change of direction would act."""
    hostile = "\x1b]0;x\x07\u202e"
    permitted = ClaimConstraints(("msgi",), (("rcd", (hostile,)),)).encode_9118()
    extension = x509.UnrecognizedExtension(ENHANCED_CLAIM_CONSTRAINTS_OID, permitted)
    scene.use_chain(scene.authority.chain((*LEAF_FIELDS, tn_extension(one(ALICE)), (extension, False))))
    scene.change_message(sender_uri=f"mimi://{hostile}/u/{ALICE.e164}")
    verification = scene.verify()
    assert verification.verdict is Verdict.VERIFIED
    assert all(check.compared.isprintable() for check in verification.checks)


def test_a_message_without_listed_numbers_is_accepted(scene: Scene) -> None:
    scene.attest_message(peer=None)
    assert scene.verify().verdict is Verdict.VERIFIED


def test_a_message_of_the_own_other_device_is_accepted(scene: Scene) -> None:
    scene.change_context(own_number=ALICE)
    assert scene.verify().verdict is Verdict.VERIFIED


def test_listed_numbers_must_include_the_recipient(scene: Scene) -> None:
    scene.change_context(member_numbers=frozenset({ALICE}))
    scene.sign_claims(dest={"tn": [BOB.digits], "uri": [scene.context.group_uri]})
    failed = scene.verify().failed_check
    assert failed is not None
    assert failed.name == "audience"


def test_the_evidence_is_what_anyone_needs_to_check_again(scene: Scene) -> None:
    evidence = scene.verify().evidence
    assert evidence is not None
    assert evidence.chain == scene.context.sender_chain
    assert evidence.passport == scene.message.passport
    assert evidence.arrived == scene.context.arrived
    assert evidence.anchors == scene.authority.anchors.fingerprint
    again = scene.verify().evidence
    assert again == evidence


def test_a_verification_survives_storage(scene: Scene) -> None:
    changes: tuple[dict[str, bytes | None], ...] = ({}, {"framed": b""}, {"passport": None})
    for change in changes:
        scene.change_message(**change)
        verification = scene.verify()
        stored = verification.to_json()
        assert Verification.from_json(stored) == verification
        assert hash(Verification.from_json(stored.encode())) == hash(verification)
        assert json.loads(stored)["verdict"] == verification.verdict


@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200),
        st.recursive(st.none() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)).map(
            json.dumps
        ),
        st.dictionaries(
            st.sampled_from(["verdict", "number", "code", "reason", "checks", "evidence"]),
            st.none() | st.text() | st.integers() | st.lists(st.text()),
        ).map(json.dumps),
    )
)
def test_anything_else_is_not_a_stored_verification(stored: bytes | str) -> None:
    with pytest.raises(BindingError):
        Verification.from_json(stored)


@pytest.mark.parametrize(
    ("place", "value"),
    [("number", "abc"), ("number", 5), ("evidence", []), ("checks", [[1]]), ("verdict", "good")],
)
def test_a_stored_verdict_that_was_damaged_is_none(scene: Scene, place: str, value: object) -> None:
    stored = json.loads(scene.verify().to_json()) | {place: value}
    with pytest.raises(BindingError):
        Verification.from_json(json.dumps(stored))


@pytest.mark.parametrize(
    ("place", "value"),
    [("passport", 5), ("chain", ["!"]), ("status", ["good"]), ("status", [5, None, None, None]), ("anchors", "zz")],
)
def test_stored_evidence_that_was_damaged_is_none(scene: Scene, place: str, value: object) -> None:
    stored = json.loads(scene.verify().to_json())
    stored["evidence"][place] = value
    with pytest.raises(BindingError):
        Verification.from_json(json.dumps(stored))


def test_every_check_has_a_name_of_its_own() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES) == 15
