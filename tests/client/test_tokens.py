"""`ringtrue verify` on PASSporTs and SIP Identity header fields: every check told by its number, nothing fetched."""

import json
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ReasonFlags
from hypothesis import given
from hypothesis import strategies as st

from client.commands.verifying import verify_file
from client.tokens import TokenError, find_tokens, judge_token, read_chain
from identity import ChainVerifier, Expected, TelephoneNumber, TrustAnchors, Verdict, attest
from identity.issuing import create_issuer, create_root, issue_device_certificate
from identity.passport import message_digest, sign_token
from identity.status.revocation import sign_crl
from identity.tn_auth_list import TelephoneNumberRange, TNAuthList

NOW = 1_795_000_000
ALICE, BOB = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3))
TEXT = b"Watson, come here."
X5U = "https://certificates.example/alice.pem"


class Desk:
    """Alice's device, and somebody with a trust list and files who looks at what she signed."""

    def __init__(self, folder: Path, lifetime: int = 7 * 86_400) -> None:
        folder.mkdir(exist_ok=True)
        root_key, root = create_root("Root", NOW, 10**8)
        numbers = TNAuthList((TelephoneNumberRange("12025550100", 100),))
        issuer_key, issuer = create_issuer(root_key, root, "Example carrier", numbers, NOW, 10**7)
        self.key = ec.generate_private_key(ec.SECP256R1())
        leaf = issue_device_certificate(issuer_key, issuer, self.key.public_key(), ALICE, NOW, lifetime)
        self.serial, self._issuer = leaf.serial_number, (issuer_key, issuer)
        self.issuer_serial, self._root = issuer.serial_number, (root_key, root)
        self.chain = [each.public_bytes(Encoding.DER) for each in (leaf, issuer)]
        self.pem = b"".join(each.public_bytes(Encoding.PEM) for each in (leaf, issuer, root))
        self.folder = folder
        self.write("anchors.pem", root.public_bytes(Encoding.PEM))
        self.content, self.chain_file = self.write("content", TEXT), self.write("chain.pem", self.pem)

    def write(self, name: str, octets: bytes) -> str:
        (self.folder / name).write_bytes(octets)
        return str(self.folder / name)

    def crl(self, entries: dict[int, tuple[int, ReasonFlags]], now: int = NOW) -> str:
        """A list of the issuer's, in a file."""
        return self.write(f"{len(entries)}.crl", sign_crl(*self._issuer, entries, number=1, now=now, lifetime=86_400))

    def root_crl(self, entries: dict[int, tuple[int, ReasonFlags]]) -> str:
        """A list of the root's, which stands in no chain, in a file."""
        return self.write("root.crl", sign_crl(*self._root, entries, number=1, now=NOW, lifetime=86_400))

    def attest(self, **changes: Any) -> str:
        honest: dict[str, Any] = {"orig": ALICE, "dest": {BOB}, "content": TEXT, "now": NOW}
        return attest(self.key, self.chain, **(honest | changes))

    def sign(self, claims: dict[str, Any], ppt: str = "msg") -> str:
        header = {"alg": "ES256", "typ": "passport", "x5c": [b64encode(each).decode() for each in self.chain]}
        base = {"dest": {"tn": [BOB.digits]}, "iat": NOW, "msgi": message_digest(TEXT), "orig": {"tn": ALICE.digits}}
        return sign_token(self.key, header | ({"ppt": ppt} if ppt else {}), base | claims)

    def verify(self, octets: str | bytes, *words: str, seconds: int = 2) -> Result:
        file = self.write("given", octets.encode() if isinstance(octets, str) else octets)
        at = datetime.fromtimestamp(NOW + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
        arguments = [file, "--anchors", str(self.folder / "anchors.pem"), "--at", at, *words]
        result = CliRunner().invoke(verify_file, arguments)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    def lines(self, octets: str | bytes, *words: str, seconds: int = 2) -> tuple[int, list[dict[str, Any]]]:
        result = self.verify(octets, *words, "--json", seconds=seconds)
        return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_token_that_carries_its_chain_is_verified_check_by_check(desk: Desk) -> None:
    code, (line,) = desk.lines(desk.attest(), "--content", desk.content, "--orig", "+12025550142", "--dest", BOB.e164)
    assert (code, line["verdict"], line["number"]) == (0, "verified", ALICE.e164)
    assert [check["outcome"] for check in line["checks"]] == ["passed"] * 15
    assert line["says"] == {
        "ppt": "msg", "orig": ALICE.digits, "dest": [BOB.digits], "signed": "2026-11-18T11:06:40Z",
    }  # fmt: skip
    shown = desk.verify(desk.attest(), "--content", desk.content).stdout
    assert shown.startswith("✓ NUMBER VERIFIED +1 202-555-0142 (the token)\n")
    assert " 9 passed    content: 18 octets received = msgi sha256-" in shown
    assert "10 skipped   audience: it is not known who the recipient is" in shown


def test_without_the_content_a_message_cannot_be_checked(desk: Desk) -> None:
    code, (line,) = desk.lines(desk.attest())
    assert (code, line["verdict"]) == (4, "undecided")
    assert [check["name"] for check in line["checks"] if check["outcome"] == "undecided"] == ["content"]


def test_a_chain_may_stand_in_a_file_root_and_all(desk: Desk) -> None:
    token = desk.attest(x5u=X5U)
    code, (line,) = desk.lines(token, "--content", desk.content)
    assert (code, line["verdict"], line["code"], line["checks"][4]["outcome"]) == (4, "undecided", 436, "undecided")
    assert desk.lines(token, "--content", desk.content, "--chain", desk.chain_file)[0] == 0


def test_several_header_fields_of_a_sip_message_are_each_judged(desk: Desk) -> None:
    good = f"Identity: {desk.attest(x5u=X5U)};info=<{X5U}>;alg=ES256;ppt=msg"
    bad = f"y: {desk.attest(x5u=X5U, content=b'other')};info=<{X5U}>"
    wrong = f"Identity: {desk.attest(x5u=X5U)};info=<https://elsewhere.example/1.pem>"
    message = f"MESSAGE sip:bob@example.org SIP/2.0\r\n{good}\r\n{bad}\r\nVia: x\r\n{wrong}\r\n\r\nIdentity: body\r\n"
    options = ("--content", desk.content, "--chain", desk.chain_file)
    code, lines = desk.lines(message, *options)
    assert code == 3
    assert [(line["place"][:14], line["verdict"], line["check"] and line["check"]["number"]) for line in lines] == [
        ("header field 1", "verified", None),
        ("header field 2", "failed", 9),
        ("header field 3", "failed", 4),
    ]
    assert desk.lines(good.removeprefix("Identity: "), *options)[0] == 0


def test_a_call_is_no_message_and_is_checked_as_a_call_if_asked(desk: Desk) -> None:
    token = desk.sign(
        {"rcd": {"nam": "Q Branch"}, "attest": "A", "origid": "123e4567-e89b-12d3-a456-426655440000"}, "shaken"
    )
    code, (line,) = desk.lines(token)
    assert (code, line["code"], line["check"]["number"]) == (3, 428, 2)
    assert "a shaken PASSporT attests a call" in line["reason"]
    code, (line,) = desk.lines(token, "--ppt", "shaken")
    assert (code, line["check"]["number"]) == (3, 3)


def test_a_name_is_shown_as_a_claim(desk: Desk) -> None:
    token = desk.sign({"rcd": {"nam": "Your\u202e bank\x1b[2J"}})
    code, (line,) = desk.lines(token, "--content", desk.content)
    assert (code, line["claimed"]["bound"], line["claimed"]["issuer"]) == (0, False, "Example carrier")
    result = desk.verify(token, "--content", desk.content)
    assert "claimed by the signer, and by no issuer; the number is verified, the name is not" in result.stdout
    assert not {"\u202e", "\x1b"} & set(result.stdout)


def test_what_was_not_signed_is_not_repeated_as_said(desk: Desk) -> None:
    token = desk.attest()
    broken = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBA")
    code, (line,) = desk.lines(broken, "--content", desk.content)
    assert (code, line["says"], line["claimed"]) == (3, None, None)


def test_a_certificate_that_lives_long_needs_a_list_of_its_issuer(tmp_path: Path) -> None:
    desk = Desk(tmp_path, lifetime=60 * 86_400)
    token, content = desk.attest(), ("--content", desk.content)
    code, (line,) = desk.lines(token, *content)
    assert (code, line["checks"][13]["outcome"]) == (4, "undecided")
    assert desk.lines(token, *content, "--crl", desk.crl({}))[0] == 0
    revoked = desk.crl({desk.serial: (NOW - 60, ReasonFlags.key_compromise)})
    code, (line,) = desk.lines(token, *content, "--crl", revoked)
    assert (code, line["check"]["name"]) == (3, "status")
    stranger = Desk(tmp_path / "another")
    assert desk.lines(token, *content, "--crl", stranger.crl({}))[0] == 4
    assert desk.verify(token, "--crl", desk.content).exit_code == 4


def test_a_list_of_the_roots_revokes_an_issuer(desk: Desk) -> None:
    token, content = desk.attest(), ("--content", desk.content)
    assert desk.lines(token, *content, "--crl", desk.root_crl({}))[0] == 0
    revoked = desk.root_crl({desk.issuer_serial: (NOW - 60, ReasonFlags.ca_compromise)})
    code, (line,) = desk.lines(token, *content, "--crl", revoked)
    assert (code, line["check"]["name"]) == (3, "status")


def test_a_list_that_is_over_still_revokes_and_says_of_nothing_that_it_is_good(tmp_path: Path) -> None:
    desk, then = Desk(tmp_path, lifetime=60 * 86_400), NOW - 3 * 86_400
    token, content = desk.attest(), ("--content", desk.content)
    assert desk.lines(token, *content, "--crl", desk.crl({}, then))[0] == 4
    revoked = desk.crl({desk.serial: (then - 60, ReasonFlags.key_compromise)}, then)
    code, (line,) = desk.lines(token, *content, "--crl", revoked)
    assert (code, line["check"]["name"]) == (3, "status")


def test_a_list_of_a_version_that_there_is_not_is_none(desk: Desk) -> None:
    octets = Path(desk.crl({})).read_bytes()
    unknown = desk.write("unknown.crl", octets.replace(b"\x02\x01\x01", b"\x02\x01\x07", 1))
    assert desk.verify(desk.attest(), "--crl", unknown).exit_code == 4


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"", 4),
        (b"\xff\xfe", 4),
        (b"nothing of the kind", 4),
        (b"{}", 4),
        (b"a.b.c", 3),
        (b"garbage", 3),
        (b"Identity: garbage", 3),
        (b"Identity: a.b.c;info=<>", 3),
        (b"a.b.c;info=<https://a.example/b>;" + b"x" * 99_999, 3),
        (b"Identity: x\n" * 17, 4),
    ],
)
def test_a_file_that_holds_something_else_is_told_from_a_token_that_fails(desk: Desk, octets: bytes, code: int) -> None:
    result = desk.verify(octets)
    assert result.exit_code == code
    assert "Traceback" not in result.output


def test_what_is_asked_for_wrongly_is_told(desk: Desk) -> None:
    assert desk.verify(desk.attest(), "--orig", "nobody").exit_code == 2
    assert desk.verify(desk.attest(), "--ppt", "rph").exit_code == 2
    assert desk.verify(desk.attest(), "--chain", desk.content).exit_code == 4


async def test_certificates_are_fetched_only_if_none_is_at_hand(desk: Desk) -> None:
    asked: list[str] = []

    async def publishing(url: str) -> tuple[bytes, ...]:
        asked.append(url)
        return read_chain(desk.pem)

    chains = ChainVerifier(TrustAnchors.from_pem((desk.folder / "anchors.pem").read_bytes()))
    (linked,), (carried,) = find_tokens(desk.attest(x5u=X5U).encode()), find_tokens(desk.attest().encode())
    at_hand = Expected(NOW + 2, None, (), chain=read_chain(desk.pem))
    for found, expected in ((carried, Expected(NOW + 2, None, ())), (linked, at_hand)):
        judged = await judge_token(found, TEXT, expected, chains, publishing)
        assert judged.verification.verdict is Verdict.VERIFIED
    assert asked == []
    judged = await judge_token(linked, TEXT, Expected(NOW + 2, None, ()), chains, publishing)
    assert (judged.verification.verdict, asked) == (Verdict.VERIFIED, [X5U])


def test_what_could_not_be_fetched_is_told_with_the_verdict(desk: Desk) -> None:
    code, (line,) = desk.lines(desk.attest(x5u="http://127.0.0.1/a.pem"), "--content", desk.content, "--fetch")
    assert (code, line["verdict"], line["code"]) == (4, "undecided", 436)
    assert "is not an https URL" in line["fetch"]


@given(st.binary(max_size=200))
def test_any_file_is_searched_for_tokens(octets: bytes) -> None:
    try:
        found = find_tokens(octets)
    except TokenError:
        return
    assert found


@given(st.binary(max_size=200))
def test_any_file_is_read_as_a_chain_or_refused(octets: bytes) -> None:
    try:
        chain = read_chain(octets)
    except TokenError:
        return
    assert all(x509.load_der_x509_certificate(each) for each in chain)
