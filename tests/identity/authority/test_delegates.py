"""An authority below another: its request, the certificate, and devices that it certifies."""

import stat
import time
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from client.credentials.enrolment import EnrolmentClient
from identity.authority.app import open_authority
from identity.authority.cli import authority
from identity.authority.delegated import WAITING_KEY, grant, import_delegation, request_delegation
from identity.authority.errors import DataFolderError
from identity.authority.folder import open_folder
from identity.authority.keys import KEY_FOLDER, ROOT_KEY, is_delegated
from identity.authority.log.folder import FOLDER, open_log
from identity.authority.log.service import open_transparency
from identity.certificates import verify_chain
from identity.enrolment.delegation import DEPTH_LIMIT, depth_below
from identity.errors import CertificateError
from identity.issuing import device_csr
from identity.number import TelephoneNumber
from identity.prefixes import authority_list
from identity.reports.status_list import verify_status_list
from identity.tn_auth_list import ServiceProviderCode, TNAuthList
from identity.transparency.entries import embedded_entry
from identity.transparency.timestamps import embedded_timestamps
from tests.identity.authority.conftest import CodeOutbox
from tests.identity.authority.ordering import AcmeAccount, one, private_key

ALICE, BOB = TelephoneNumber.parse("+12025550142"), TelephoneNumber.parse("+12025550199")
ENTERPRISE = authority_list(["+1202555014"])
BASE_URL = "https://enterprise.test"
DAY = 86_400
NOW = 1_780_000_000


def key() -> ec.EllipticCurvePublicKey:
    return ec.generate_private_key(ec.SECP256R1()).public_key()


@pytest.fixture
def carrier(tmp_path: Path) -> Path:
    """The folder of an authority for +1202555."""
    folder = tmp_path / "carrier"
    open_folder(folder, NOW, ["+1202555"])[0].close()
    return folder


@pytest.fixture
def enterprise(tmp_path: Path) -> Path:
    return tmp_path / "enterprise"


def delegated(carrier: Path, enterprise: Path, now: int = NOW, lifetime: int = 90 * DAY, depth: int = 0) -> None:
    """Let the carrier certify the enterprise."""
    request = request_delegation(enterprise, "Enterprise", ENTERPRISE, depth)
    import_delegation(enterprise, grant(carrier, request, lifetime, now).pem, now)


def test_an_authority_below_another_certifies_devices_below_the_same_root(carrier: Path, enterprise: Path) -> None:
    delegated(carrier, enterprise)
    store, issuer = open_folder(enterprise, NOW, None)
    above_store, above = open_folder(carrier, NOW, None)
    path = issuer.issue(key(), ALICE, NOW)
    verified = verify_chain(path.chain, above.anchors, NOW)
    assert (verified.number, len(verified.certificates), verified.bounds[0]) == (ALICE, 3, ENTERPRISE)
    assert type(path).from_pem(path.pem) == path
    assert issuer.anchors == above.anchors
    assert (issuer.name, issuer.prefixes) == ("Enterprise", ("+1202555014",))
    with pytest.raises(CertificateError):
        issuer.issue(key(), BOB, NOW)
    assert above.issue(key(), BOB, NOW).chain
    store.close()
    above_store.close()


def test_its_list_of_numbers_verifies_by_its_path(carrier: Path, enterprise: Path) -> None:
    delegated(carrier, enterprise)
    store, issuer = open_folder(enterprise, NOW, None)
    signed = issuer.sign_list(BASE_URL, b"", 7, NOW, 3_600)
    assert verify_status_list(signed, authority=BASE_URL, anchors=issuer.anchors, now=NOW).serial == 7
    store.close()


def test_a_further_authority_stands_below_it_if_it_was_given_room(
    carrier: Path, enterprise: Path, tmp_path: Path
) -> None:
    delegated(carrier, enterprise, depth=1)
    branch = tmp_path / "branch"
    request = request_delegation(branch, "Branch", authority_list([ALICE.e164]), 0)
    keys = import_delegation(branch, grant(enterprise, request, 30 * DAY, NOW).pem, NOW)
    assert len(keys.above) == 2
    store, issuer = open_folder(branch, NOW, None)
    verified = verify_chain(issuer.issue(key(), ALICE, NOW).chain, issuer.anchors, NOW)
    assert len(verified.certificates) == DEPTH_LIMIT + 1
    with pytest.raises(CertificateError) as refused:
        issuer.delegate(request_delegation(tmp_path / "deeper", "Deeper", authority_list([ALICE.e164]), 0), None, NOW)
    assert refused.value.code == "path-length"
    store.close()


def test_a_request_beyond_the_issuers_numbers_or_room_is_refused(carrier: Path, tmp_path: Path) -> None:
    for place, (numbers, depth, code) in enumerate(
        [
            (authority_list(["+44"]), 0, "encompassing"),
            (TNAuthList((ServiceProviderCode("1234"),)), 0, "encompassing"),
            (ENTERPRISE, DEPTH_LIMIT - 1, "path-length"),
        ]
    ):
        request = request_delegation(tmp_path / str(place), "Enterprise", numbers, depth)
        with pytest.raises(CertificateError) as refused:
            grant(carrier, request, DAY, NOW)
        assert refused.value.code == code


def test_an_ordered_list_is_the_requests(carrier: Path, enterprise: Path) -> None:
    store, issuer = open_folder(carrier, NOW, None)
    request = request_delegation(enterprise, "Enterprise", ENTERPRISE, 0)
    assert issuer.delegate(request, ENTERPRISE, NOW).leaf
    with pytest.raises(CertificateError) as refused:
        issuer.delegate(request, authority_list([ALICE.e164]), NOW)
    assert refused.value.code == "tn-auth-list"
    store.close()


def test_what_is_granted_is_published(carrier: Path, enterprise: Path) -> None:
    path = grant(carrier, request_delegation(enterprise, "Enterprise", ENTERPRISE, 0), DAY, NOW)
    store, _ = open_folder(carrier, NOW, None)
    with store.transaction():
        published = store.published(path.fingerprint)
    assert published is not None
    assert published.pem.encode() == path.pem
    store.close()


def test_only_the_answer_to_the_request_that_waits_is_taken(carrier: Path, enterprise: Path, tmp_path: Path) -> None:
    other = grant(carrier, request_delegation(tmp_path / "other", "Other", ENTERPRISE, 0), DAY, NOW)
    with pytest.raises(DataFolderError, match="waits for no certificate"):
        import_delegation(enterprise, other.pem, NOW)
    own = grant(carrier, request_delegation(enterprise, "Enterprise", ENTERPRISE, 0), DAY, NOW)
    one_by_one = [each.public_bytes(Encoding.PEM) for each in (own.leaf, own.issuer, own.root)]
    for pem, now, code in (
        (other.pem, NOW, "key"),
        (b"", NOW, "malformed"),
        (one_by_one[0], NOW, "length"),
        (one_by_one[0] + one_by_one[2], NOW, "untrusted"),
        (one_by_one[1] + one_by_one[0] + one_by_one[2], NOW, "untrusted"),
        (own.pem, NOW + 2 * DAY, "expired"),
        (bytes(1_048_577), NOW, "too-large"),
    ):
        with pytest.raises(CertificateError) as refused:
            import_delegation(enterprise, pem, now)
        assert refused.value.code == code
    import_delegation(enterprise, own.pem, NOW)
    assert not (enterprise / WAITING_KEY).exists()


def test_the_waiting_key_is_private_and_the_same_for_each_request(enterprise: Path) -> None:
    first, second = (x509.load_der_x509_csr(request_delegation(enterprise, "A", ENTERPRISE, 0)) for _ in range(2))
    assert first.public_key() == second.public_key()
    assert stat.S_IMODE((enterprise / WAITING_KEY).stat().st_mode) == 0o600


def test_its_next_certificate_is_for_the_same_key(carrier: Path, enterprise: Path) -> None:
    delegated(carrier, enterprise, lifetime=30 * DAY)
    store, before = open_folder(enterprise, NOW, None)
    chain = before.issue(key(), ALICE, NOW).chain
    store.close()
    later = NOW + 20 * DAY
    delegated(carrier, enterprise, now=later)
    store, after = open_folder(enterprise, later, None)
    renewed = after.issue(key(), ALICE, later)
    assert renewed.issuer.public_key() == x509.load_der_x509_certificate(chain[1]).public_key()
    assert verify_chain(renewed.chain, after.anchors, later + 6 * DAY).number == ALICE
    store.close()


def test_it_certifies_nothing_after_its_own_end_and_says_so(carrier: Path, enterprise: Path) -> None:
    delegated(carrier, enterprise, lifetime=10 * DAY)
    store, issuer = open_folder(enterprise, NOW, None)
    assert verify_chain(issuer.issue(key(), ALICE, NOW + 9 * DAY).chain, issuer.anchors, NOW + 9 * DAY)
    with pytest.raises(CertificateError, match="has ended"):
        issuer.issue(key(), ALICE, NOW + 11 * DAY)
    store.close()


def test_it_narrows_its_numbers_but_does_not_widen_them(carrier: Path, enterprise: Path) -> None:
    delegated(carrier, enterprise)
    store, issuer = open_folder(enterprise, NOW, ["+12025550142"])
    assert issuer.prefixes == ("+12025550142",)
    store.close()
    with pytest.raises(CertificateError) as refused:
        open_folder(enterprise, NOW, ["+1"])
    assert refused.value.code == "encompassing"


def test_an_authority_with_a_root_of_its_own_is_not_put_below_another(carrier: Path, tmp_path: Path) -> None:
    with pytest.raises(DataFolderError, match="another folder"):
        request_delegation(carrier, "Carrier", ENTERPRISE, 0)
    answer = grant(carrier, request_delegation(tmp_path / "other", "Other", ENTERPRISE, 0), DAY, NOW)
    with pytest.raises(DataFolderError, match="another folder"):
        import_delegation(carrier, answer.pem, NOW)


def test_it_holds_no_root_key_and_one_that_lost_its_files_says_which(carrier: Path, enterprise: Path) -> None:
    delegated(carrier, enterprise)
    assert is_delegated(enterprise)
    assert not (enterprise / KEY_FOLDER / ROOT_KEY).exists()
    (enterprise / KEY_FOLDER / "issuer.key").unlink()
    with pytest.raises(DataFolderError, match=r"issuer\.key missing"):
        open_folder(enterprise, NOW, None)


def test_an_authority_of_an_earlier_version_has_no_room_and_gets_it_with_its_next_root(tmp_path: Path) -> None:
    store, issuer = open_folder(tmp_path / "carrier", NOW, ["+1202555"])
    assert depth_below(issuer.issue(key(), ALICE, NOW).issuer) == DEPTH_LIMIT - 1
    later = NOW + 9 * 365 * DAY
    renewed = issuer.issue(key(), ALICE, later)
    assert (depth_below(renewed.root), depth_below(renewed.issuer)) == (DEPTH_LIMIT, DEPTH_LIMIT - 1)
    store.close()


async def test_people_enrol_at_it(carrier: Path, enterprise: Path) -> None:
    delegated(carrier, enterprise)
    codes = CodeOutbox()
    app = open_authority(enterprise, BASE_URL, codes, lambda: NOW)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with EnrolmentClient(BASE_URL, clock=lambda: NOW, transport=transport) as client:
            anchors = await client.anchors()
            opened = await client.challenge(ALICE)
            device = ec.generate_private_key(ec.SECP256R1())
            enrolled = await client.certify(opened.challenge, codes.codes[ALICE], device, ALICE, anchors)
    store, above = open_folder(carrier, NOW, None)
    assert len(enrolled.chain) == 3
    assert verify_chain(enrolled.chain, above.anchors, NOW).number == ALICE
    store.close()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(authority, [str(argument) for argument in ("delegate", *arguments)])


def test_the_commands_lead_from_a_request_to_an_authority(tmp_path: Path) -> None:
    now = int(time.time())
    carrier, enterprise = tmp_path / "carrier", tmp_path / "enterprise"
    open_folder(carrier, now, ["+1202555"])[0].close()
    asked = run("request", "--name", "Enterprise", "--allow", "+1202555014", "--data-dir", enterprise)
    assert asked.exit_code == 0, asked.output
    (tmp_path / "request.pem").write_text(asked.stdout)
    refused = run("issue", tmp_path / "request.pem", "--data-dir", carrier)
    assert (refused.exit_code, "+1202555014" in refused.stderr) == (1, True), "nobody agreed"
    granted = run("issue", tmp_path / "request.pem", "--yes", "--days", 30, "--data-dir", carrier)
    assert granted.exit_code == 0, granted.output
    (tmp_path / "path.pem").write_text(granted.stdout)
    imported = run("import", tmp_path / "path.pem", "--data-dir", enterprise)
    assert "may certify +1202555014 until" in imported.stdout
    store, issuer = open_folder(enterprise, now, None)
    assert issuer.certifies(ALICE)
    store.close()


def test_the_commands_say_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "nonsense").write_text("nonsense")
    assert run("request", "--name", "X", "--data-dir", tmp_path / "a").exit_code == 2
    assert run("request", "--name", "X", "--allow", "x", "--data-dir", tmp_path / "a").exit_code == 2
    assert run("request", "--name", "X", "--code", "é", "--data-dir", tmp_path / "a").exit_code == 2
    assert "can be printed" in run("request", "--name", "", "--allow", "+1", "--data-dir", tmp_path / "a").stderr
    assert "no certificate request" in run("issue", tmp_path / "nonsense", "--data-dir", tmp_path / "a").stderr
    assert "PEM certificates" in run("import", tmp_path / "nonsense", "--data-dir", tmp_path / "a").stderr


def test_a_sub_issuer_is_logged_before_it_is_certified(carrier: Path, enterprise: Path) -> None:
    store, issuer = open_folder(carrier, NOW, None)
    open_transparency(carrier, BASE_URL, issuer).close()  # the authority runs a log beside it
    store.close()

    path = grant(carrier, request_delegation(enterprise, "Enterprise", ENTERPRISE, 0), DAY, NOW)

    log = open_log(carrier / FOLDER, "log", lambda: [path.root])
    (promise,) = embedded_timestamps(path.leaf)
    entry = embedded_entry(path.leaf, path.issuer)
    assert promise.is_by(log.log, entry)
    size = log.head(NOW).head.size
    assert log.proof(entry.leaf_hash(promise.timestamp), size)[0] == size - 1
    log.close()


async def test_an_authority_whose_own_certificate_has_ended_says_so_and_keeps_the_order(
    carrier: Path, enterprise: Path, acme_problem
) -> None:
    delegated(carrier, enterprise)
    codes, moments, device = CodeOutbox(), [NOW], private_key()
    app = open_authority(enterprise, BASE_URL, codes, lambda: moments[-1])
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL) as http,
    ):
        moments.append(NOW + 90 * DAY - 1)
        account = await AcmeAccount(http, base_url=BASE_URL).register()
        challenge = (await http.post("/v1/challenges", json={"number": ALICE.e164})).json()["challenge"]
        order = await account.order(one(ALICE))
        token = await account.token(challenge, account.by_code(codes.codes[ALICE], ALICE, device))
        assert (await account.answer(order, token)).json()["status"] == "valid"
        moments.append(NOW + 90 * DAY)

        word, problem = acme_problem(await account.finalize(order, device_csr(device, ALICE)))

        assert (word, problem.status) == ("serverInternal", 503)
        assert "certificate has ended" in problem.detail
        assert (await account.post(order.url)).json()["status"] == "ready"


async def test_an_authority_whose_own_certificate_has_ended_signs_no_list_and_says_why(
    carrier: Path, enterprise: Path, problem
) -> None:
    delegated(carrier, enterprise)
    moments = [NOW]
    app = open_authority(enterprise, BASE_URL, CodeOutbox(), lambda: moments[-1])
    served = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL)
    async with app.router.lifespan_context(app), served as http:
        moments.append(NOW + 5 * 365 * DAY)
        for address in ("/v1/crl", "/v1/status-list"):
            answer = problem(await http.get(address))
            assert (answer.status, "certificate has ended" in answer.detail) == (500, True)
