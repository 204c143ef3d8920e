"""Files from others that `ringtrue verify` is given: they stop no program and write nothing of theirs on a terminal."""

import msgspec
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import ec

from client.commands.verifying import verify_file
from identity.authority.issuer import Issuer, create_keys
from identity.authority.wire import ReportRequest
from identity.binding import attest_message, group_uri
from identity.number import TelephoneNumber
from identity.reports.report import ANYONE, REPORT_TYPE, Evidence, EvidenceItem, ReportKind, sign_report
from identity.reports.statement import sign_statement

NOW = 1_795_000_000
MALLORY, BOB = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3))
HOST = "\x1b]0;owned\x07\x1b[2J"


class Town:
    """A trust list, and devices under it."""

    def __init__(self, folder) -> None:
        self._issuer = Issuer(create_keys(NOW), NOW)
        self._folder = folder
        (folder / "anchors.pem").write_bytes(self._issuer.anchors_pem)

    def device(self, number: TelephoneNumber) -> tuple[ec.EllipticCurvePrivateKey, tuple[bytes, ...]]:
        key = ec.generate_private_key(ec.SECP256R1())
        return key, tuple(self._issuer.issue(key.public_key(), number, NOW).chain)

    def verify(self, octets: bytes, *words: str) -> Result:
        file = self._folder / "given.json"
        file.write_bytes(octets)
        return CliRunner().invoke(verify_file, [str(file), "--anchors", str(self._folder / "anchors.pem"), *words])


@pytest.fixture
def town(tmp_path) -> Town:
    return Town(tmp_path)


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["words", "json"])
@pytest.mark.parametrize("iat", [2**53 - 1, 253_402_300_800])
def test_a_report_of_a_time_that_cannot_be_is_refused(town: Town, iat: int, words: tuple[str, ...]) -> None:
    key, chain = town.device(MALLORY)
    claims = {"aud": ANYONE, "evidence": "0" * 64, "iat": iat, "jti": "x" * 22}
    result = town.verify(
        msgspec.json.encode(ReportRequest("{}", sign_statement(key, REPORT_TYPE, claims), list(chain))), *words
    )
    assert result.exit_code in (3, 4), result.exception
    assert isinstance(result.exception, SystemExit)


def test_a_report_from_a_group_named_by_what_a_terminal_obeys_fails(town: Town) -> None:
    key, chain = town.device(MALLORY)
    uri, framed = group_uri(HOST, b"room"), b"\x18application/mimi-contentBuy."
    passport = attest_message(
        key, chain[0], base_url="https://a", number=MALLORY, group_uri=uri, peer=BOB, framed=framed, now=NOW
    )
    item = EvidenceItem(framed, passport.decode(), chain, uri, 1, 0, NOW)
    report = sign_report(*town.device(BOB), Evidence((item,), ReportKind.SPAM).encode(), ANYONE, NOW)
    result = town.verify(msgspec.json.encode(ReportRequest.of(report)))
    assert result.exit_code == 3
    assert "\x1b" not in result.output
