"""Revocation at the authority: the list, the responder, the commands, and what a revoked certificate loses."""

import hashlib
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from click.testing import CliRunner
from cryptography.x509 import ocsp

from identity.authority import rates
from identity.authority.cli import authority as command
from identity.authority.errors import RefusedError
from identity.authority.folder import open_store
from identity.authority.status.revocations import LIST_LIMIT, REASONS, of_issuer, revocations, revoke, revoke_number
from identity.authority.store import AuthorityStore
from identity.authority.wire import CRL_TYPE, OCSP_REQUEST_TYPE, OCSP_RESPONSE_TYPE
from identity.base64url import encode_base64url
from identity.certificate_fields import load_certificate
from identity.errors import RevocationError
from identity.issuing import create_issuer, create_root
from identity.number import TelephoneNumber
from identity.prefixes import authority_list
from identity.status.ocsp import encode_query, verify_response
from identity.status.revocation import (
    CRL_SIZE_LIMIT,
    CertificateStatus,
    Reason,
    RevocationList,
    StatusState,
    sign_crl,
    verify_crl,
)

ALICE, BOB = (TelephoneNumber.from_digits(digits) for digits in ("12025550142", "12025550143"))
CESSATION = Reason.cessation_of_operation
NOW = 1_795_000_000
LIST = {"number": 1, "now": NOW, "lifetime": 86_400}


async def enrolled(authority, device, number: TelephoneNumber = ALICE) -> tuple[bytes, ...]:
    """The chain of a device that has just enrolled, leaf and issuer."""
    fresh = device(number)
    account = await authority.account()
    issued = await authority.issued(account, await authority.ready(account, fresh), fresh.csr())
    return tuple(issued.chain[:2])


def name(chain: tuple[bytes, ...]) -> bytes:
    return hashlib.sha256(chain[0]).digest()


def revoke_in(folder: Path, chain: tuple[bytes, ...], reason: Reason, now: int) -> None:
    store = open_store(folder)
    with store.transaction():
        revoke(store, name(chain), reason, now)
    store.close()


async def listed(authority, chain: tuple[bytes, ...]) -> RevocationList:
    answer = await authority.http.get("/v1/crl")
    assert (answer.status_code, answer.headers["content-type"]) == (200, CRL_TYPE)
    return verify_crl(answer.content, chain[1], authority.clock.now)


async def asked(authority, chain: tuple[bytes, ...], number: TelephoneNumber = ALICE) -> httpx.Response:
    headers = {"content-type": OCSP_REQUEST_TYPE}
    return await authority.http.post("/ocsp", content=encode_query(*chain, number), headers=headers)


def in_address(request: bytes) -> str:
    """A request as RFC 6960 appendix A.1 puts it into an address."""
    return quote(b64encode(request), safe="")


async def told(authority, chain: tuple[bytes, ...], number: TelephoneNumber = ALICE) -> CertificateStatus:
    answer = await asked(authority, chain, number)
    assert (answer.status_code, answer.headers["content-type"]) == (200, OCSP_RESPONSE_TYPE)
    now = authority.clock.now
    return verify_response(answer.content, *chain, number, moment=now, now=now)


async def test_the_list_names_what_is_revoked_and_grows_in_number(authority, make_device, folder) -> None:
    chain = await enrolled(authority, make_device)
    serial = load_certificate(chain[0]).serial_number
    first = await listed(authority, chain)
    assert first.of(serial, authority.clock.now).state is StatusState.GOOD
    authority.clock.now += 9
    revoke_in(folder, chain, CESSATION, authority.clock.now)
    second = await listed(authority, chain)
    at = authority.clock.now
    assert second.of(serial, at) == CertificateStatus(StatusState.REVOKED, at, CESSATION, at)
    assert second.number > first.number


async def test_the_list_stays_the_same_until_something_changes_or_half_of_its_life_is_over(
    authority, make_device, folder
) -> None:
    chain = await enrolled(authority, make_device)
    answer = await authority.http.get("/v1/crl")
    again = {"if-none-match": answer.headers["etag"]}
    authority.clock.now += 3_600
    assert (await authority.http.get("/v1/crl")).content == answer.content
    unchanged = await authority.http.get("/v1/crl", headers=again)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    revoke_in(folder, chain, CESSATION, authority.clock.now)
    changed = await authority.http.get("/v1/crl", headers=again)
    assert changed.status_code == 200
    authority.clock.now += 43_200
    renewed = await authority.http.get("/v1/crl", headers={"if-none-match": changed.headers["etag"]})
    assert renewed.status_code == 200
    assert verify_crl(renewed.content, chain[1], authority.clock.now).next_update > authority.clock.now + 43_200


async def test_the_list_of_a_restarted_authority_has_a_higher_number(open_at, make_device) -> None:
    first = await open_at()
    chain = await enrolled(first, make_device)
    before = (await listed(first, chain)).number
    first.close()
    assert (await listed(await open_at(), chain)).number > before


async def test_a_revocation_is_forgotten_long_after_the_certificate_has_ended(authority, make_device, folder) -> None:
    chain = await enrolled(authority, make_device)
    revoke_in(folder, chain, CESSATION, authority.clock.now)
    for days, count in ((90, 1), (98, 0)):
        store = open_store(folder)
        with store.transaction():
            assert len(revocations(store, authority.clock.now + days * 86_400)) == count
        store.close()


def test_a_list_stays_within_what_is_taken_and_leaves_out_what_ended_first(monkeypatch) -> None:
    key, issuer = create_issuer(*create_root("Root", NOW, 9_000), "Issuer", authority_list(["+"]), NOW, 8_000)
    sizes = [
        len(sign_crl(key, issuer, {(1 << 158) + place: (NOW, CESSATION) for place in range(count)}, **LIST))
        for count in (1_000, 2_000)
    ]
    assert sizes[0] + (sizes[1] - sizes[0]) * LIST_LIMIT // 1_000 < CRL_SIZE_LIMIT
    monkeypatch.setattr("identity.authority.status.revocations.LIST_LIMIT", 2)
    store = AuthorityStore.in_memory(bytes(32))
    with store.transaction():
        for serial, end in ((7, NOW + 9), (8, NOW - 9), (9, NOW + 8)):
            row = (bytes([serial]), b"name", bytes([serial]), b"key", NOW, CESSATION.value, end)
            store.execute("INSERT INTO revocations VALUES (?, ?, ?, ?, ?, ?, ?)", *row)
        assert set(of_issuer(store, b"name", NOW)) == {7, 9}
    store.close()


async def test_the_responder_confirms_a_certificate_for_its_own_number_alone(authority, make_device) -> None:
    chain = await enrolled(authority, make_device)
    assert (await told(authority, chain)).state is StatusState.GOOD
    with pytest.raises(RevocationError) as caught:
        await told(authority, chain, BOB)
    assert caught.value.code == "coverage"


async def test_the_responder_tells_what_is_revoked(authority, make_device, folder) -> None:
    chain = await enrolled(authority, make_device)
    revoke_in(folder, chain, Reason.superseded, authority.clock.now)
    at = authority.clock.now
    assert await told(authority, chain) == CertificateStatus(StatusState.REVOKED, at, Reason.superseded, at)


async def test_the_responder_says_nothing_of_what_it_has_not_issued_or_what_has_ended(authority, make_device) -> None:
    chain = await enrolled(authority, make_device)
    foreign = ocsp.load_der_ocsp_response((await asked(authority, (chain[1], chain[1]))).content)
    assert foreign.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED
    authority.clock.now += 30 * 86_400
    unauthorized = ocsp.load_der_ocsp_response((await asked(authority, chain)).content)
    assert unauthorized.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED


async def test_the_responder_answers_what_is_no_request_and_refuses_other_types(
    authority, word: Callable[[httpx.Response], str]
) -> None:
    headers = {"content-type": OCSP_REQUEST_TYPE}
    answer = await authority.http.post("/ocsp", content=b"\x30\x00", headers=headers)
    malformed = ocsp.load_der_ocsp_response(answer.content)
    assert malformed.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST
    assert word(await authority.http.post("/ocsp", json={})) == "unsupported-type"
    assert word(await authority.http.post("/ocsp", content=bytes(5_000), headers=headers)) == "too-large"


async def test_the_responder_answers_by_get_what_caches_may_keep_for_a_while(authority, make_device) -> None:
    chain = await enrolled(authority, make_device)
    for encoded in (in_address(encode_query(*chain, ALICE)), b64encode(encode_query(*chain, ALICE)).decode()):
        answer = await authority.http.get(f"/ocsp/{encoded}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, OCSP_RESPONSE_TYPE)
        now = authority.clock.now
        assert verify_response(answer.content, *chain, ALICE, moment=now, now=now).state is StatusState.GOOD
        response = ocsp.load_der_ocsp_response(answer.content)
        assert parsedate_to_datetime(answer.headers["last-modified"]) == response.this_update_utc
        assert parsedate_to_datetime(answer.headers["expires"]) == response.next_update_utc
        assert answer.headers["cache-control"] == "max-age=900, public, no-transform, must-revalidate"
        assert answer.headers["etag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'


async def test_by_get_what_is_not_signed_is_not_kept(authority, make_device, word) -> None:
    chain = await enrolled(authority, make_device)
    unissued, garbage = encode_query(chain[1], chain[1], ALICE), b"\x30\x00"
    for asked_, status in (
        (unissued, ocsp.OCSPResponseStatus.UNAUTHORIZED),
        (garbage, ocsp.OCSPResponseStatus.MALFORMED_REQUEST),
    ):
        answer = await authority.http.get(f"/ocsp/{in_address(asked_)}")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert ocsp.load_der_ocsp_response(answer.content).response_status is status
    for text in ("", "MA", "MA==MA==", "%00", "M A=", "MA_-", "a/../b"):
        assert word(await authority.http.get(f"/ocsp/{text}")) in {"malformed", "not-found"}
    assert word(await authority.http.get(f"/ocsp/{'A' * 1_372}")) == "too-large"
    assert word(await authority.http.get("/ocsp")) == "method-not-allowed"


async def test_a_question_by_get_counts_as_one_by_post(authority, make_device, word, monkeypatch) -> None:
    monkeypatch.setattr(rates, "OCSP_PER_ADDRESS", replace(rates.OCSP_PER_ADDRESS, count=2))
    chain = await enrolled(authority, make_device)
    address = f"/ocsp/{in_address(encode_query(*chain, ALICE))}"
    assert (await authority.http.get(address)).status_code == 200
    assert (await asked(authority, chain)).status_code == 200
    assert word(await authority.http.get(address)) == "rate-limited"


async def test_every_reason_that_may_be_given_reaches_the_list_and_no_other_is_taken(
    authority, make_device, folder
) -> None:
    for reason in Reason:
        chain = await enrolled(authority, make_device, ALICE if reason in REASONS else BOB)
        if reason in REASONS:
            revoke_in(folder, chain, reason, authority.clock.now)
            serial = load_certificate(chain[0]).serial_number
            assert (await listed(authority, chain)).of(serial, authority.clock.now).reason is reason
        else:
            with pytest.raises(RefusedError) as caught:
                revoke_in(folder, chain, reason, authority.clock.now)
            assert caught.value.word == "reason-refused"
        authority.clock.now += 86_400


async def test_a_certificate_is_revoked_once_but_that_its_key_was_lost_can_be_added(
    authority, make_device, folder
) -> None:
    chain = await enrolled(authority, make_device)
    at = authority.clock.now
    revoke_in(folder, chain, CESSATION, at)
    with pytest.raises(RefusedError) as caught:
        revoke_in(folder, chain, Reason.superseded, at + 5)
    assert caught.value.word == "already-revoked"
    revoke_in(folder, chain, Reason.key_compromise, at + 9)
    found = (await listed(authority, chain)).of(load_certificate(chain[0]).serial_number, at)
    assert (found.revoked_at, found.reason) == (at, Reason.key_compromise)


async def test_all_certificates_of_a_number_are_revoked_and_no_others(authority, make_device, folder) -> None:
    first, second = [await enrolled(authority, make_device) for _ in range(2)]
    other = await enrolled(authority, make_device, BOB)
    revoke_in(folder, first, CESSATION, authority.clock.now)
    store = open_store(folder)
    with store.transaction():
        done = revoke_number(store, ALICE.digits, Reason.privilege_withdrawn, authority.clock.now)
    store.close()
    assert [each.fingerprint for each in done] == [name(second)]
    found = await listed(authority, other)
    states = [found.of(load_certificate(chain[0]).serial_number, authority.clock.now).state for chain in
              (first, second, other)]  # fmt: skip
    assert states == [StatusState.REVOKED, StatusState.REVOKED, StatusState.GOOD]


async def test_a_lost_key_is_certified_no_more(authority, make_device, folder, acme_problem) -> None:
    device = make_device(ALICE)
    account = await authority.account()
    chain = tuple((await authority.issued(account, await authority.ready(account, device), device.csr())).chain[:2])
    revoke_in(folder, chain, Reason.key_compromise, authority.clock.now)
    refused = await account.finalize(await authority.ready(account, device), device.csr())
    kind, found = acme_problem(refused)
    assert (kind, "reported as lost" in found.detail) == ("badCSR", True)


async def certified(authority, device) -> tuple[tuple[bytes, ...], object]:
    """The chain of a device, and the account that ordered it."""
    account = await authority.account()
    issued = await authority.issued(account, await authority.ready(account, device), device.csr())
    return tuple(issued.chain[:2]), account


async def revoked_by(account, chain: tuple[bytes, ...], reason: int = 5) -> httpx.Response:
    certificate = encode_base64url(chain[0]).decode()
    url = str(account.http.base_url.join("/acme/revoke-certificate"))
    return await account.post(url, {"certificate": certificate, "reason": reason})


async def test_an_owner_revokes_by_the_account_that_ordered_it(authority, make_device) -> None:
    chain, account = await certified(authority, make_device(ALICE))
    assert (await revoked_by(account, chain)).status_code == 200
    assert (await told(authority, chain)).reason is CESSATION


async def test_another_device_of_the_number_revokes_one_that_was_lost(authority, make_device) -> None:
    lost, _ = await certified(authority, make_device(ALICE))
    kept, account = await certified(authority, make_device(ALICE))
    assert (await revoked_by(account, lost, 1)).status_code == 200
    assert (await told(authority, lost)).reason is Reason.key_compromise
    assert (await told(authority, kept)).state is StatusState.GOOD


async def test_nobody_else_revokes_it(authority, make_device, folder, acme_problem) -> None:
    chain, own = await certified(authority, make_device(ALICE))
    _, stranger = await certified(authority, make_device(BOB))
    assert acme_problem(await revoked_by(stranger, chain))[0] == "unauthorized"
    fresh = await authority.account()
    assert acme_problem(await revoked_by(fresh, chain))[0] == "unauthorized"
    moved, newcomer = await certified(authority, make_device(ALICE))
    revoke_in(folder, chain, Reason.privilege_withdrawn, authority.clock.now)
    assert acme_problem(await revoked_by(own, moved))[0] == "unauthorized"  # its own is withdrawn
    assert acme_problem(await revoked_by(newcomer, chain))[0] == "alreadyRevoked"
    assert (await told(authority, moved)).state is StatusState.GOOD


async def test_the_operator_revokes_lists_and_lets_a_number_go(open_at, make_device, folder, clock) -> None:
    clock.now = int(time.time())
    authority = await open_at()
    chain, other = await enrolled(authority, make_device), await enrolled(authority, make_device, BOB)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(command, [*arguments, "--data-dir", str(folder)])
        assert result.exit_code == 0, result.output
        return result.stdout

    assert run("revocations") == "No certificate is revoked.\n"
    fingerprint = name(chain).hex()
    assert fingerprint in run("revoke", fingerprint.upper(), "--reason", "keyCompromise")
    assert "keyCompromise" in run("revocations")
    moved = run("port-out", "+1 202 555 0143")
    assert name(other).hex() in moved
    assert "privilegeWithdrawn" in moved
    assert "forgotten what 1 key had proved" in moved
    assert len(run("revocations").splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("revoke", "00"), 2, "64 hexadecimal digits"),
        (("revoke", "00" * 32), 1, "no certificate of that name"),
        (("revoke", "00" * 32, "--reason", "removeFromCRL"), 2, "removeFromCRL"),
        (("port-out", "hello"), 2, "number"),
    ],
)
async def test_the_operator_is_told_what_is_wrong(
    authority, folder, arguments: tuple[str, ...], code: int, words: str
) -> None:
    result = CliRunner().invoke(command, [*arguments, "--data-dir", str(folder)])
    assert result.exit_code == code
    assert words in result.output
    assert "Traceback" not in result.output


def test_a_folder_without_an_authority_is_left_alone(tmp_path) -> None:
    for arguments in (("revocations",), ("revoke", "00" * 32), ("port-out", "+12025550142")):
        result = CliRunner().invoke(command, [*arguments, "--data-dir", str(tmp_path / "empty")])
        assert result.exit_code == 1
        assert "no authority yet" in result.output
    assert not (tmp_path / "empty").exists()
