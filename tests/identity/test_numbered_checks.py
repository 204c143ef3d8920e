"""Each numbered check stops a message that is right in every other respect, and is the only one to fail."""

from collections.abc import Callable

import pytest
from cryptography import x509

from identity.binding import Verdict, group_uri, user_uri
from identity.certificate_fields import CLAIM_CONSTRAINTS_OID, ENHANCED_CLAIM_CONSTRAINTS_OID
from identity.certificates import ChainVerifier, TrustAnchors
from identity.checks import SHORT_LIFETIME
from identity.claim_constraints import ClaimConstraints
from identity.issuing import root_certificate
from identity.number import TelephoneNumber
from identity.tn_auth_list import TelephoneNumberRange, TNAuthList
from tests.identity.conftest import (
    ALICE,
    BOB,
    GROUP_ID,
    HOST,
    LEAF_FIELDS,
    NOW,
    YEAR,
    Authority,
    Scene,
    der,
    one,
    private_key,
    tn_extension,
)  # fmt: skip


def test_an_honest_message_passes_every_check(scene: Scene) -> None:
    verification = scene.verify()
    assert verification.verdict is Verdict.VERIFIED
    assert [check.number for check in verification.checks] == list(range(15))
    assert {check.outcome for check in verification.checks} == {"passed"}
    assert (verification.number, verification.code, verification.failed_check) == (ALICE, None, None)


def unknown_group(scene: Scene) -> None:
    scene.change_context(group_id=b"another group")


def no_sender_chain(scene: Scene) -> None:
    scene.change_context(sender_chain=())


def no_time_of_arrival(scene: Scene) -> None:
    scene.change_context(arrived=-1)


def token_with_padding(scene: Scene) -> None:
    assert scene.message.passport is not None
    scene.change_message(passport=scene.message.passport + b"==")


def token_without_type_msg(scene: Scene) -> None:
    scene.sign_header(ppt="shaken")


def header_with_a_critical_extension(scene: Scene) -> None:
    scene.sign_header(crit=["b64"])


def iat_as_a_string(scene: Scene) -> None:
    scene.sign_claims(iat=str(NOW))


def certificate_of_another_leaf(scene: Scene) -> None:
    scene.sign_header(x5u=f"http://127.0.0.1:8441/certificates/{'0' * 64}.pem")


def leaf_with_another_key(scene: Scene) -> None:
    scene.change_context(sender_key=b"\x04" + bytes(64))


def untrusted_root(scene: Scene) -> None:
    scene.chains = ChainVerifier(Authority(root_key=private_key(6_666)).anchors)


def iat_before_the_certificate(scene: Scene) -> None:
    scene.attest_message(now=NOW - YEAR)


def orig_of_somebody_else(scene: Scene) -> None:
    scene.attest_message(number=BOB, peer=None)
    scene.change_message(sender_uri=user_uri(HOST, BOB))


def leaf_for_other_numbers(scene: Scene) -> None:
    others = TNAuthList((TelephoneNumberRange("12025550100", 10),))
    scene.use_chain(scene.authority.chain((*LEAF_FIELDS, tn_extension(others))))


def certificate_that_demands_another_claim(scene: Scene) -> None:
    scene.use_chain(scene.authority.chain((*LEAF_FIELDS, tn_extension(one(ALICE)), constraints("rcd"))))


def certificate_with_both_constraints(scene: Scene) -> None:
    plain = x509.UnrecognizedExtension(CLAIM_CONSTRAINTS_OID, bytes.fromhex("300aa008300616046d736769"))
    extensions = (*LEAF_FIELDS, tn_extension(one(ALICE)), constraints("msgi"), (plain, False))
    scene.use_chain(scene.authority.chain(extensions))


def constraints(must_include: str) -> tuple[x509.ExtensionType, bool]:
    value = ClaimConstraints((must_include,)).encode_9118()
    return x509.UnrecognizedExtension(ENHANCED_CLAIM_CONSTRAINTS_OID, value), False


def signature_by_another_key(scene: Scene) -> None:
    scene.key = private_key(2)
    scene.attest_message()


def one_octet_of_the_content_changed(scene: Scene) -> None:
    scene.change_message(framed=scene.message.framed[:-1] + b"!")


def token_that_covers_nothing(scene: Scene) -> None:
    scene.sign_claims(msgi="")


def token_for_another_group(scene: Scene) -> None:
    scene.attest_message(group_uri=group_uri(HOST, b"another group"))


def numbers_of_another_group(scene: Scene) -> None:
    scene.sign_claims(dest={"tn": ["12025550199"], "uri": [group_uri(HOST, GROUP_ID)]})


def recipient_that_is_no_member(scene: Scene) -> None:
    scene.change_context(own_number=TelephoneNumber.from_digits("12025550199"))


def iat_in_the_future(scene: Scene) -> None:
    scene.attest_message(now=scene.context.arrived + 61)


def iat_before_the_sender_was_a_member(scene: Scene) -> None:
    scene.change_context(sender_since=NOW + 61)


def token_seen_before(scene: Scene) -> None:
    evidence = scene.verify().evidence
    assert evidence is not None
    scene.seen.add(evidence.replay_key)


def content_that_names_another_sender(scene: Scene) -> None:
    scene.change_message(sender_uri=user_uri(HOST, BOB))


def content_that_names_no_sender(scene: Scene) -> None:
    scene.change_message(sender_uri=None)


def content_that_names_another_room(scene: Scene) -> None:
    scene.change_message(room_uri=group_uri(HOST, b"another group"))


BREAKS: tuple[tuple[Callable[[Scene], None], int, int | None], ...] = (
    (unknown_group, 0, None),
    (no_sender_chain, 0, None),
    (no_time_of_arrival, 0, None),
    (token_with_padding, 1, 438),
    (token_without_type_msg, 2, 428),
    (header_with_a_critical_extension, 2, 438),
    (iat_as_a_string, 3, 438),
    (certificate_of_another_leaf, 4, 438),
    (leaf_with_another_key, 4, 438),
    (untrusted_root, 5, 437),
    (iat_before_the_certificate, 5, 437),
    (orig_of_somebody_else, 6, 438),
    (leaf_for_other_numbers, 6, 437),
    (certificate_that_demands_another_claim, 7, 438),
    (certificate_with_both_constraints, 7, 438),
    (signature_by_another_key, 8, 438),
    (one_octet_of_the_content_changed, 9, 438),
    (token_that_covers_nothing, 9, 438),
    (token_for_another_group, 10, 438),
    (numbers_of_another_group, 10, 438),
    (recipient_that_is_no_member, 10, 438),
    (iat_in_the_future, 11, 403),
    (iat_before_the_sender_was_a_member, 11, 403),
    (token_seen_before, 12, 438),
    (content_that_names_another_sender, 12, 438),
    (content_that_names_no_sender, 12, 438),
    (content_that_names_another_room, 12, 438),
)


@pytest.mark.parametrize(("break_it", "number", "code"), BREAKS)
def test_a_check_stops_what_it_is_for(
    scene: Scene, break_it: Callable[[Scene], None], number: int, code: int | None
) -> None:
    assert scene.verify().verdict is Verdict.VERIFIED
    break_it(scene)
    verification = scene.verify()
    assert verification.verdict is Verdict.FAILED
    outcomes = [check.outcome for check in verification.checks]
    assert outcomes == ["passed"] * number + ["failed"] + ["skipped"] * (14 - number)
    failed = verification.failed_check
    assert failed is not None
    assert (failed.number, failed.code, verification.code) == (number, code, code)
    assert failed.compared
    assert verification.reason.endswith(".")
    assert verification.evidence is None


def test_check_13_cannot_decide_about_a_long_lived_certificate_without_status(scene: Scene) -> None:
    scene.use_chain(scene.authority.device_chain(scene.key, ALICE, lifetime=SHORT_LIFETIME + 1))
    verification = scene.verify()
    assert verification.verdict is Verdict.UNDECIDED
    assert [check.number for check in verification.checks if check.outcome != "passed"] == [13]
    assert verification.checks[13].outcome == "undecided"
    assert verification.evidence is not None


def test_check_5_cannot_decide_without_a_trust_list(scene: Scene) -> None:
    replay_key = scene.verify().evidence
    scene.chains = ChainVerifier(TrustAnchors(()))
    verification = scene.verify()
    assert verification.verdict is Verdict.UNDECIDED
    assert [check.outcome for check in verification.checks] == ["passed"] * 5 + ["undecided"] + ["skipped"] * 9
    assert verification.number == ALICE
    assert verification.evidence is not None
    assert replay_key is not None
    assert verification.evidence.replay_key == replay_key.replay_key


def test_a_failed_message_shows_the_number_of_the_credential_and_not_that_of_the_token(scene: Scene) -> None:
    orig_of_somebody_else(scene)
    assert scene.verify().number == ALICE


def test_a_root_in_the_chain_is_refused(scene: Scene) -> None:
    root = root_certificate(scene.authority.root_key, "Test root", NOW - YEAR, 10 * YEAR, serial=1)
    scene.use_chain((*scene.context.sender_chain, der(root)))
    failed = scene.verify().failed_check
    assert failed is not None
    assert failed.number == 5
