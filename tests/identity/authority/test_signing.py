"""POST /stir/v1/signing and /stir/v1/verification, as a SIP server meets them."""

import os
import re
import subprocess
import sys
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import ReasonFlags
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from identity.authority.cli import authority as command
from identity.authority.signing.app import TOKEN_LENGTH, client_digest, create_app
from identity.authority.signing.commands import ListFiles
from identity.authority.signing.signer import Signer
from identity.authority.signing.verifier import CallVerifier
from identity.authority.signing.wire import FAILURES, TN_FAILED, TN_NOT_VALIDATED, TN_PASSED
from identity.certificates import ChainVerifier
from identity.errors import FetchError
from identity.passport import message_digest, sign_token
from identity.sip import parse_identity
from identity.status.revocation import sign_crl
from identity.tn_auth_list import ServiceProviderCode, TelephoneNumberRange, TNAuthList
from tests.identity.conftest import ALICE, BOB, LEAF_FIELDS, NOW, Authority, any_certificate, private_key, tn_extension

X5U = "https://certificates.example/1234.pem"
KEY = private_key(1)
RANGE = TNAuthList((TelephoneNumberRange("12025550100", 100),))
CODE = TNAuthList((ServiceProviderCode("1234"),))
TOKEN = "t" * TOKEN_LENGTH
CALL: dict[str, Any] = {
    "attest": "A", "orig": {"tn": ALICE.digits}, "dest": {"tn": [BOB.digits]}, "iat": NOW,
    "origid": "2088448c-718e-4930-be5d-0ec9b25d2f00", "requestId": "12378", "profileId": "not used here",
}  # fmt: skip


class Switch:
    """A SIP server with a signing service beside it."""

    def __init__(
        self, authority: Authority, numbers: TNAuthList = RANGE, allow: tuple[str, ...] = (), **leaf: Any
    ) -> None:
        issuer = authority.issuer(numbers)
        fields = (*LEAF_FIELDS, tn_extension(numbers))
        leaf = any_certificate(authority.issuer_key, issuer.subject, KEY.public_key(), fields, **leaf)
        self.chain = tuple(each.public_bytes(Encoding.DER) for each in (leaf, issuer))
        self.pem = b"".join(each.public_bytes(Encoding.PEM) for each in (leaf, issuer))
        self.key_pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.signer = Signer.of(self.key_pem, self.pem, X5U, allow)
        self.fetched: list[str] = []
        self.verifier = CallVerifier(ChainVerifier(authority.anchors), self._fetch)
        self.clients: frozenset[bytes] = frozenset()
        self.now = NOW

    async def _fetch(self, url: str) -> tuple[bytes, ...]:
        self.fetched.append(url)
        if url != X5U:
            raise FetchError("not-fetched", "there is nothing")
        return self.chain

    async def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        app = create_app(self.signer, self.verifier, self.clients, lambda: float(self.now))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://signing.example") as client:
            return await client.post(path, json=body, headers=headers)

    async def sign(self, **changes: Any) -> httpx.Response:
        call = {name: value for name, value in (CALL | changes).items() if value is not None}
        return await self.post("/stir/v1/signing", {"signingRequest": call})

    async def signed(self, **changes: Any) -> str:
        response = await self.sign(**changes)
        assert response.status_code == 200, response.text
        field: str = response.json()["signingResponse"]["identityHeader"]
        return field

    async def verify(self, field: str, **changes: Any) -> dict[str, Any]:
        request = {
            "identityHeader": field, "from": {"tn": ALICE.digits}, "to": {"tn": BOB.digits}, "time": NOW,
        } | changes  # fmt: skip
        response = await self.post("/stir/v1/verification", {"verificationRequest": request})
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()["verificationResponse"]
        return answer


@pytest.fixture
def switch(authority: Authority) -> Switch:
    return Switch(authority)


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


def failure(response: httpx.Response) -> tuple[int, str, list[str]]:
    error = response.json()["requestError"]
    (kind, said), *others = error.items()
    assert not others
    assert kind == ("serviceException" if said["messageId"].startswith("SVC") else "policyException")
    assert (response.status_code, said["text"]) == FAILURES[said["messageId"]]
    assert said["text"].count("%") == len(said["variables"])
    return response.status_code, said["messageId"], said["variables"]


async def test_a_call_is_signed_and_passes(switch: Switch) -> None:
    response = await switch.sign()
    answer = response.json()["signingResponse"]
    assert answer["requestId"] == "12378"
    header = parse_identity(answer["identityHeader"])
    assert (header.info, dict(header.parameters)) == (X5U, {"alg": "ES256", "ppt": "shaken"})
    verified = await switch.verify(answer["identityHeader"], requestId="45690", displayName="Alice")
    assert (verified["verstatValue"], verified["requestId"], verified["displayName"]) == (TN_PASSED, "45690", "Alice")
    (result,) = [each["verifyResult"] for each in verified["verifyResults"]]
    assert (result["ppt"], result["status"], result["validClaims"]["attest"]) == ("shaken", "pass", "A")
    assert switch.fetched == [X5U]
    await switch.verify(answer["identityHeader"])
    assert switch.fetched == [X5U]


async def test_a_message_is_signed_and_passes_with_its_body(switch: Switch) -> None:
    text = b"Watson, come here."
    field = await switch.signed(ppt="msg", attest=None, origid=None, msgi=message_digest(text))
    body = {"content": b64encode(text).decode()}
    assert (await switch.verify(field, **body))["verstatValue"] == TN_PASSED
    assert (await switch.verify(field))["verstatValue"] == TN_NOT_VALIDATED
    other = await switch.verify(field, content=b64encode(b"Watson, go away.").decode())
    assert other["verstatValue"] == TN_FAILED


REFUSED: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "no orig": ({"orig": None}, 400, "SVC4001", "orig"),
    "no dest": ({"dest": None}, 400, "SVC4001", "dest"),
    "an empty dest": ({"dest": {}}, 400, "SVC4001", "dest"),
    "no iat": ({"iat": None}, 400, "SVC4001", "iat"),
    "no attest": ({"attest": None}, 400, "SVC4001", "attest"),
    "no origid": ({"origid": None}, 400, "SVC4001", "origid"),
    "a message without digest": ({"ppt": "msg", "attest": None, "origid": None}, 400, "SVC4001", "msgi"),
    "iat in words": ({"iat": "now"}, 400, "SVC4005", "signingRequest.iat"),
    "an old iat": ({"iat": NOW - 61}, 400, "SVC4005", "iat"),
    "a future iat": ({"iat": NOW + 61}, 400, "SVC4005", "iat"),
    "attest D": ({"attest": "D"}, 400, "SVC4005", "attest"),
    "origid no UUID": ({"origid": "1"}, 400, "SVC4005", "origid"),
    "another type": ({"ppt": "div"}, 400, "SVC4005", "ppt"),
    "a digest of a call": ({"msgi": message_digest(b"")}, 400, "SVC4005", "msgi"),
    "no digest": ({"ppt": "msg", "attest": None, "origid": None, "msgi": "x"}, 400, "SVC4005", "msgi"),
    "a number with a plus": ({"orig": {"tn": "+12025550142"}}, 400, "SVC4005", "signingRequest.orig.tn"),
    "two senders": ({"orig": {"tn": "1", "uri": "sip:a@b.example"}}, 400, "SVC4005", "orig"),
    "a URI that names nobody": ({"dest": {"uri": ["nobody"]}}, 400, "SVC4005", "dest"),
    "a number of others": ({"orig": {"tn": "12025550242"}}, 403, "POL4030", "12025550242"),
    "a URI of others": ({"orig": {"uri": "sip:alice@example.org"}}, 403, "POL4030", "sip:alice@example.org"),
}


@pytest.mark.parametrize(("changes", "status", "message", "variable"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_may_not_be_signed_is_not_signed(
    switch: Switch, changes: dict[str, Any], status: int, message: str, variable: str
) -> None:
    said = failure(await switch.sign(**changes))
    assert (said[:2], said[2][0]) == ((status, message), variable)


async def test_nothing_is_signed_once_the_certificate_has_ended(switch: Switch) -> None:
    switch.now = NOW + 8 * 86_400
    assert failure(await switch.sign(iat=switch.now))[1] == "POL4030"


async def test_a_code_signs_for_the_numbers_that_the_operator_names(authority: Authority) -> None:
    with pytest.raises(ValueError, match="--allow"):
        Switch(authority, CODE)
    switch = Switch(authority, CODE, ("+1202555",))
    field = await switch.signed()
    assert (await switch.verify(field))["verstatValue"] == TN_PASSED
    assert failure(await switch.sign(orig={"tn": "13035550142"}))[1] == "POL4030"


WRONG: dict[str, tuple[dict[str, Any], str, int, str]] = {
    "another sender": ({"from": {"tn": "12025550143"}}, TN_FAILED, 438, "check 12"),
    "somebody else's call": ({"to": {"tn": "12025550199"}}, TN_FAILED, 438, "check 10"),
}


@pytest.mark.parametrize(("changes", "verstat", "code", "why"), WRONG.values(), ids=WRONG.keys())
async def test_a_call_that_says_something_else_than_its_token_fails(
    switch: Switch, changes: dict[str, Any], verstat: str, code: int, why: str
) -> None:
    answer = await switch.verify(await switch.signed(), **changes)
    (result,) = [each["verifyResult"] for each in answer["verifyResults"]]
    assert (answer["verstatValue"], result["status"], result["reasonCode"]) == (verstat, "fail", code)
    assert why in result["reasonDescription"].lower()
    assert result["passport"].count(".") == 2


async def test_late_garbled_and_unknown_tokens_get_the_codes_of_sip(switch: Switch) -> None:
    field = await switch.signed()
    switch.now = NOW + 61
    results = await switch.verify(field, identityHeaders=["garbage", field.replace(X5U, "https://b.example/1.pem")])
    codes = [each["verifyResult"]["reasonCode"] for each in results["verifyResults"]]
    assert (results["verstatValue"], codes) == (TN_FAILED, [403, 438, 438])
    texts = [each["verifyResult"]["reasonText"] for each in results["verifyResults"]]
    assert texts == ["Stale Date", "Invalid Identity Header", "Invalid Identity Header"]


async def test_without_the_certificates_nothing_is_validated(switch: Switch) -> None:
    field = await switch.signed()
    switch.verifier.fetch = None
    answer = await switch.verify(field)
    assert answer["verstatValue"] == TN_NOT_VALIDATED
    assert answer["verifyResults"][0]["verifyResult"]["reasonCode"] == 436


async def test_a_certificate_that_lives_long_needs_a_list_that_somebody_keeps_up_to_date(
    authority: Authority, tmp_path: Path
) -> None:
    switch = Switch(authority, period=(NOW - 3_600, NOW + 60 * 86_400))
    field, kept = await switch.signed(), tmp_path / "issuer.crl"
    switch.verifier.crls = ListFiles([kept]).read
    assert (await switch.verify(field))["verstatValue"] == TN_NOT_VALIDATED

    def publish(entries: dict[int, tuple[int, ReasonFlags]], number: int) -> None:
        issuer = authority.issuer(RANGE)
        kept.write_bytes(sign_crl(authority.issuer_key, issuer, entries, number=number, now=NOW, lifetime=86_400))
        os.utime(kept, ns=(number, number))

    publish({}, 1)
    assert (await switch.verify(field))["verstatValue"] == TN_PASSED
    publish({4_711: (NOW - 60, ReasonFlags.key_compromise)}, 2)
    answer = await switch.verify(field)
    assert (answer["verstatValue"], answer["verifyResults"][0]["verifyResult"]["reasonCode"]) == (TN_FAILED, 437)


async def test_a_diversion_is_judged_beside_the_call(authority: Authority, switch: Switch) -> None:
    carol = "12025550144"
    claims = {"dest": {"tn": [carol]}, "div": {"tn": BOB.digits}, "iat": NOW, "orig": {"tn": ALICE.digits}}
    header = {"alg": "ES256", "ppt": "div", "typ": "passport", "x5u": X5U}
    diverted = f"{sign_token(KEY, header, claims)};info=<{X5U}>;alg=ES256;ppt=div"
    answer = await switch.verify(await switch.signed(), identityHeaders=[diverted], dest={"tn": carol})
    assert answer["divResult"] == [{"div": {"tn": BOB.digits}, "verstatValue": TN_PASSED}]
    assert [each["verifyResult"]["status"] for each in answer["verifyResults"]] == ["pass", "pass"]
    first = await switch.verify(diverted, dest={"tn": carol})
    assert first["verifyResults"][0]["verifyResult"]["reasonCode"] == 428


async def test_no_page_in_a_browser_has_calls_signed_on_this_machine(switch: Switch) -> None:
    """A name that was made to lead to this machine is of the same origin to a browser."""
    body = {"signingRequest": CALL}
    refused = await switch.post("/stir/v1/signing", body, origin="http://signing.example")
    assert refused.status_code == 401
    switch.clients = frozenset({client_digest(TOKEN)})
    shown = {"origin": "http://signing.example", "authorization": f"Bearer {TOKEN}"}
    assert (await switch.post("/stir/v1/signing", body, **shown)).status_code == 200


async def test_a_client_shows_its_token(switch: Switch) -> None:
    switch.clients = frozenset({client_digest(TOKEN)})
    for path in ("/stir/v1/signing", "/stir/v1/verification"):
        for headers in ({}, {"authorization": f"Bearer {TOKEN}x"}, {"authorization": f"Basic {TOKEN}"}):
            refused = await switch.post(path, {"signingRequest": CALL}, **headers)
            assert failure(refused)[:2] == (401, "POL4010")
            assert refused.headers["www-authenticate"] == "Bearer"
    signed = await switch.post("/stir/v1/signing", {"signingRequest": CALL}, authorization=f"Bearer {TOKEN}")
    assert signed.status_code == 200


@pytest.mark.parametrize("token", ["short", "x" * 31, "a b" * 20, "ü" * 40, ""])
def test_a_token_that_could_be_guessed_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="at least 32"):
        client_digest(token)


async def test_bodies_and_addresses_that_are_wrong_get_the_standards_failures(switch: Switch) -> None:
    app = create_app(switch.signer, switch.verifier, (), lambda: float(NOW))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://signing.example") as client:
        json = {"content-type": "application/json"}
        path = "/stir/v1/signing"
        assert failure(await client.post(path, content=b"", headers=json))[1] == "SVC4000"
        assert failure(await client.post(path, content=b"{", headers=json))[1] == "SVC4006"
        assert failure(await client.post(path, content=b"[]", headers=json))[1] == "SVC4005"
        assert failure(await client.post(path, content=b"x" * 300_000, headers=json))[:2] == (413, "SVC4009")
        assert failure(await client.post(path, data={"a": "b"}))[:2] == (415, "SVC4004")
        assert failure(await client.get(path))[:2] == (405, "POL4050")
        assert failure(await client.post("/stir/v2/signing", json={}))[:2] == (404, "SVC4003")


async def test_without_a_key_there_is_only_verification(authority: Authority, switch: Switch) -> None:
    switch.signer = None  # type: ignore[assignment]
    assert failure(await switch.sign())[:2] == (404, "SVC4003")


fields = st.text(max_size=120) | st.from_regex(r"[a-z.]{0,9};info=<[!-~]*>(;ppt=[a-z]+)?", fullmatch=True)
ones = st.fixed_dictionaries({}, optional={"tn": st.sampled_from([ALICE.digits, "1", "x"]), "uri": st.text(max_size=9)})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(field=fields, more=st.lists(fields, max_size=3), who=ones, whom=ones, content=st.binary(max_size=9))
async def test_any_request_is_answered(
    switch: Switch, field: str, more: list[str], who: Any, whom: Any, content: bytes
) -> None:
    request = {
        "identityHeader": field, "identityHeaders": more, "from": who, "to": whom, "time": NOW,
        "content": b64encode(content).decode(),
    }  # fmt: skip
    response = await switch.post("/stir/v1/verification", {"verificationRequest": request})
    if response.status_code == 200:
        assert response.json()["verificationResponse"]["verstatValue"] == TN_FAILED
    else:
        assert failure(response)[1] in ("SVC4005", "SVC4006")


class Files:
    """What an operator has in a folder."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        switch = Switch(authority)
        self.folder = folder
        self.options = []
        for name, octets in (
            ("key", switch.key_pem),
            ("chain", switch.pem),
            ("anchors", authority.root.public_bytes(Encoding.PEM)),
            ("clients", f"{TOKEN}\n".encode()),
        ):
            (folder / name).write_bytes(octets)
            os.chmod(folder / name, 0o600)
        self.options = ["--key", self.path("key"), "--chain", self.path("chain"), "--anchors", self.path("anchors")]

    def path(self, name: str) -> str:
        return str(self.folder / name)


@pytest.fixture
def files(tmp_path: Path, authority: Authority) -> Files:
    return Files(tmp_path, authority)


def test_the_command_refuses_what_would_not_be_safe(files: Files) -> None:
    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(command, ["serve-signing", "--port", "0", *files.options, *words])
        assert "Traceback" not in result.output
        return result.exit_code, result.stderr

    assert run("--host", "0.0.0.0", "--x5u", X5U)[0] == 2
    assert "--clients is needed" in run("--host", "192.0.2.1", "--x5u", X5U)[1]
    assert "belong together" in run()[1]
    os.chmod(files.path("clients"), 0o644)
    assert "chmod 600" in run("--x5u", X5U, "--clients", files.path("clients"))[1]
    (files.folder / "key").write_bytes(b"nonsense")
    assert "not a private key" in run("--x5u", X5U)[1]


def test_a_served_signing_service_signs_and_ends(files: Files) -> None:
    log = files.folder / "log"
    program = [sys.executable, "-c", "from identity.authority.cli import authority; authority()", "serve-signing"]
    options = [*files.options, "--x5u", X5U, "--clients", files.path("clients"), "--port", "0"]
    with log.open("w") as stream:
        process = subprocess.Popen([*program, *options], stderr=stream, stdout=stream)
    try:
        deadline = time.monotonic() + 30
        while (found := re.search(r"Signing service at (\S+)\.\n", log.read_text())) is None:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        headers = {"authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=found[1], headers=headers) as client:
            call = CALL | {"iat": int(time.time())}
            answer = client.post("/stir/v1/signing", json={"signingRequest": call})
            assert failure(answer)[1] in ("POL4030",)  # the certificate of the tests is for another year
            assert client.post("/stir/v1/verification", json={}).status_code == 400
    finally:
        process.terminate()
        process.wait(10)
