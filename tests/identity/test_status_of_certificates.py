"""Check 13: what is known of a certificate's status decides about what it signs, and is kept with the verdict."""

import json

import pytest

from identity.binding import Verdict, Verification
from identity.checks import SHORT_LIFETIME
from identity.status.ocsp import StatusQuery, decode_query, encode_query, sign_response
from identity.status.revocation import (
    CertificateStatus,
    Reason,
    Revocations,
    StatusState,
    sign_crl,
    verify_crl,
)
from tests.identity.conftest import ALICE, BOB, NOW, Scene, der

DAY = 86_400
LEAF = 3
KEY_LOST = (Reason.key_compromise, Reason.ca_compromise, Reason.aa_compromise)
OTHERS = [reason for reason in Reason if reason not in (*KEY_LOST, Reason.remove_from_crl)]


def listing(scene: Scene, revoked_at: int | None, reason: Reason = Reason.cessation_of_operation, **changes) -> None:
    """Give the recipient a list that names Alice's certificate, or does not."""
    authority = scene.authority
    entries = {} if revoked_at is None else {LEAF: (revoked_at, reason)}
    options = {"number": 1, "now": NOW + 1_000, "lifetime": DAY} | changes
    octets = sign_crl(authority.issuer_key, authority.issuer(), entries, **options)
    scene.revocations = Revocations([verify_crl(octets, der(authority.issuer()), options["now"])])


def long_lived(scene: Scene) -> None:
    scene.use_chain(scene.authority.device_chain(scene.key, ALICE, lifetime=SHORT_LIFETIME + 1))


def staple(scene: Scene, status: StatusState = StatusState.GOOD, number=ALICE, at: int = NOW, **fields) -> None:
    authority, (leaf, issuer) = scene.authority, scene.context.sender_chain
    asked = StatusQuery(decode_query(encode_query(leaf, issuer, ALICE)).certificate, number)
    known = CertificateStatus(status, **fields)
    octets = sign_response(authority.issuer_key, authority.issuer(), asked, known, now=at, lifetime=DAY)
    scene.change_context(staple=octets)


def refused_by_13(verification: Verification) -> None:
    assert verification.verdict is Verdict.FAILED
    failed = verification.failed_check
    assert failed is not None
    assert (failed.number, failed.code, verification.code) == (13, 437, 437)
    assert verification.reason.startswith("The certificate was withdrawn")
    assert verification.evidence is None


@pytest.mark.parametrize("reason", KEY_LOST)
@pytest.mark.parametrize("revoked_at", [NOW - 10, NOW + 10])
def test_what_a_lost_key_has_signed_shows_nothing_whenever_it_was(
    scene: Scene, reason: Reason, revoked_at: int
) -> None:
    listing(scene, revoked_at, reason)
    refused_by_13(scene.verify())


@pytest.mark.parametrize("reason", OTHERS)
def test_a_message_from_before_the_revocation_keeps_its_verdict_and_says_so(scene: Scene, reason: Reason) -> None:
    listing(scene, NOW + 1, reason)
    verification = scene.verify()
    assert verification.verdict is Verdict.VERIFIED
    assert f"revoked at {NOW + 1}" in verification.checks[13].compared
    assert reason.value in verification.checks[13].compared


@pytest.mark.parametrize("reason", OTHERS)
def test_a_message_from_the_revocation_on_fails(scene: Scene, reason: Reason) -> None:
    listing(scene, NOW, reason)
    refused_by_13(scene.verify())


def test_a_revocation_counts_although_the_list_is_over(scene: Scene) -> None:
    listing(scene, NOW - 10, now=NOW - 5)
    scene.attest_message(now=NOW + 2 * DAY)
    scene.change_context(arrived=NOW + 2 * DAY)
    refused_by_13(scene.verify())


def test_a_short_lived_certificate_on_no_list_is_verified_with_and_without_one(scene: Scene) -> None:
    assert scene.verify().verdict is Verdict.VERIFIED
    listing(scene, None)
    verification = scene.verify()
    assert verification.verdict is Verdict.VERIFIED
    assert "on no list at hand" in verification.checks[13].compared


def test_a_long_lived_certificate_needs_a_list_that_is_not_over(scene: Scene) -> None:
    long_lived(scene)
    assert scene.verify().verdict is Verdict.UNDECIDED
    listing(scene, None, now=NOW - 2 * DAY)
    assert scene.verify().verdict is Verdict.UNDECIDED
    listing(scene, None)
    assert scene.verify().verdict is Verdict.VERIFIED


def test_a_stapled_response_for_the_number_serves_as_well(scene: Scene) -> None:
    long_lived(scene)
    staple(scene)
    verification = scene.verify()
    assert verification.verdict is Verdict.VERIFIED
    assert verification.checks[13].compared.endswith(f"good, as of {NOW}")


def test_a_stapled_revocation_counts(scene: Scene) -> None:
    long_lived(scene)
    staple(scene, StatusState.REVOKED, revoked_at=NOW - 9, reason=Reason.privilege_withdrawn)
    refused_by_13(scene.verify())


def test_a_stapled_revocation_counts_beside_a_list_that_does_not_know_of_it(scene: Scene) -> None:
    listing(scene, None)
    staple(scene, StatusState.REVOKED, revoked_at=NOW - 9, reason=Reason.privilege_withdrawn)
    refused_by_13(scene.verify())


def test_a_list_says_good_where_the_response_is_of_no_use(scene: Scene) -> None:
    long_lived(scene)
    listing(scene, None)
    staple(scene, number=BOB)
    assert scene.verify().verdict is Verdict.VERIFIED


def test_a_response_without_the_number_or_for_another_one_confirms_nothing(scene: Scene) -> None:
    long_lived(scene)
    for number in (None, BOB):
        staple(scene, number=number)
        verification = scene.verify()
        assert verification.verdict is Verdict.UNDECIDED
        assert "still covered" in verification.checks[13].compared


def test_a_response_that_was_over_when_the_message_was_signed_confirms_nothing(scene: Scene) -> None:
    long_lived(scene)
    staple(scene, at=NOW - DAY)
    assert scene.verify().verdict is Verdict.UNDECIDED


def test_any_octets_in_the_leaf_confirm_nothing(scene: Scene) -> None:
    long_lived(scene)
    scene.change_context(staple=b"\x30\x03\x0a\x01\x00")
    assert scene.verify().verdict is Verdict.UNDECIDED


def test_when_it_was_judged_and_what_was_known_then_is_kept(scene: Scene) -> None:
    listing(scene, NOW + 1)
    verification = scene.verify(now=NOW + 777)
    assert verification.evidence is not None
    assert verification.evidence.judged_at == NOW + 777
    known = CertificateStatus(StatusState.REVOKED, NOW + 1, Reason.cessation_of_operation, NOW + 1_000)
    assert verification.evidence.status == known
    assert Verification.from_json(verification.to_json()) == verification
    arrived = scene.verify().evidence
    assert arrived is not None
    assert arrived.judged_at == scene.context.arrived


def test_a_verdict_that_an_earlier_version_has_stored_is_still_read(scene: Scene) -> None:
    verification = scene.verify()
    stored = json.loads(verification.to_json())
    del stored["evidence"]["judged_at"], stored["evidence"]["status"]
    read = Verification.from_json(json.dumps(stored))
    assert read.evidence is not None
    assert verification.evidence is not None
    assert read.evidence == verification.evidence._replace(judged_at=None, status=None)
    assert read.checks == verification.checks
