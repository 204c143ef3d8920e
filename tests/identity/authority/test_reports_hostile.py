"""What is tried against the report desk: words that were not said, other people's budgets, statuses without an end."""

import dataclasses

import pytest
from click.testing import CliRunner

from identity.authority.cli import authority as command
from identity.authority.report_policy import ReportPolicy
from identity.binding import attest
from identity.message import group_uri
from identity.report import ANYONE, Evidence, EvidenceItem, ReportKind, sign_report
from tests.identity.authority.test_reports_service import ACCUSED, BASE_URL, Town, number


@pytest.fixture
def town(authority, make_device) -> Town:
    return Town(authority, make_device)


@pytest.fixture
async def spammer(town: Town):
    return await town.person(ACCUSED)


async def test_a_group_named_by_what_a_terminal_obeys_is_no_group(town: Town, spammer, word, folder, monkeypatch):
    monkeypatch.setattr("time.time", lambda: float(town.authority.clock.now))
    bob = await town.person(number(1))
    uri = group_uri("\x1b]0;owned\x07\x1b[2J", b"chat")
    framed = b"\x18application/mimi-contentBuy."
    token = attest(
        spammer.key, spammer.chain[0], base_url=BASE_URL, number=ACCUSED, group_uri=uri, peer=None,
        framed=framed, now=town.authority.clock.now,
    )  # fmt: skip
    item = EvidenceItem(framed, token.decode(), spammer.chain, uri, 1, 0, town.authority.clock.now)

    response = await town.post(town.report(bob, item))

    assert (word(response), response.json()["check"]) == ("report-refused", 8)
    shown = CliRunner().invoke(command, ["reports", "show", ACCUSED.e164, "--data-dir", str(folder)])
    assert "\x1b" not in shown.output


async def test_nobody_spends_anothers_budget_with_what_that_number_has_signed(town: Town, spammer, word) -> None:
    bob, item = await town.person(number(1)), town.message(spammer, "chat")
    evidence, now = Evidence((item,), ReportKind.SPAM).encode(), town.authority.clock.now
    for_others = sign_report(bob.key, bob.chain, evidence, ANYONE, now)  # handed to a third party, who hands it in
    refused = town.report(
        bob, dataclasses.replace(item, framed=b"\x1aapplication/mimi-contentAltered")
    )  # caught on its way

    for report in [for_others] * ReportPolicy().reports_per_day + [refused] * ReportPolicy().reports_per_day:
        assert word(await town.post(report)) == "report-refused"

    assert (await town.take(bob, item)).counted
