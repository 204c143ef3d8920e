"""Reports from end to end, by commands: one verified report protects the next victim, a forged one changes nothing."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from lab.world import World
from tests.system.shell import Shell

SPAMMER, BOB, CAROL = "+12025550142", "+12025550143", "+12025550144"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World() as world:
        yield world


@pytest.fixture
async def town(world: World, tmp_path: Path) -> tuple[Shell, Shell, Shell]:
    """A spammer who has written to Bob, whom he does not know; Carol, who knows neither."""
    spammer, bob, carol = (Shell(world, tmp_path, number) for number in (SPAMMER, BOB, CAROL))
    for person in (spammer, bob, carol):
        await person.enroll()
    await spam(spammer, BOB)
    return spammer, bob, carol


async def spam(spammer: Shell, victim: str) -> None:
    created = await spammer.run("chat", "new", f"offer {victim[-3:]}", victim)
    assert created.code == 0, created.err
    assert (await spammer.run("send", f"offer {victim[-3:]}", "You have won.")).code == 0


async def test_a_verified_report_quarantines_the_next_message_at_an_unrelated_recipient(
    town: tuple[Shell, Shell, Shell],
) -> None:
    spammer, bob, carol = town
    shown = await bob.run("report", SPAMMER, "--dry-run", "--json")
    assert (shown.lines[-1]["sent"], shown.lines[-1]["proves"]) == (False, True)
    assert [item["text"] for item in shown.lines[-1]["items"]] == ["You have won."]

    (reported,) = [line for line in (await bob.run("report", SPAMMER, "--json")).lines if line["type"] == "report"]
    assert (reported["sent"], reported["counted"], reported["sha256"]) == (True, True, shown.lines[-1]["sha256"])

    (listed, found) = (await carol.run("standing", SPAMMER, "--refresh", "--json")).lines
    assert (listed["count"], found["status"]) == (1, "reported")
    await spam(spammer, CAROL)
    await carol.run("receive")
    held = (await carol.run("quarantine", "list", "--json")).lines
    assert {line["rule"] for line in held} >= {"number reported"}
    assert "You have won." not in json.dumps(held)
    (own,) = (await spammer.run("standing", "--appeal", "It was a mistake.", "--json")).lines
    assert (own["status"], own["count"], own["appeal"]) == ("reported", 1, "It was a mistake.")


async def test_a_forged_report_changes_nothing(world: World, town: tuple[Shell, Shell, Shell]) -> None:
    spammer, bob, carol = town
    (shown,) = [
        line for line in (await bob.run("report", SPAMMER, "--dry-run", "--json")).lines if line["type"] == "report"
    ]
    forged = json.loads(shown["json"])
    evidence = json.loads(forged["evidence"])
    evidence["items"][0]["framed"] = evidence["items"][0]["framed"][:-8] + "AAAAAAA="
    forged["evidence"] = json.dumps(evidence, separators=(",", ":"))

    async with httpx.AsyncClient(base_url=world.authority_url) as http:
        response = await http.post("/v1/reports", json=forged)

    assert (response.status_code, response.json()["check"]) == (422, 6)
    (listed, found) = (await carol.run("standing", SPAMMER, "--refresh", "--json")).lines
    assert (listed["count"], found["status"]) == (0, "clear")
    await spam(spammer, CAROL)
    requests = [line for line in (await carol.run("receive", "--json")).lines if line["type"] == "request"]
    assert [line["number"] for line in requests] == [SPAMMER]
    assert (await carol.run("quarantine", "list", "--json")).lines == []


async def test_a_report_for_a_third_party_is_verified_offline(town: tuple[Shell, Shell, Shell], tmp_path: Path) -> None:
    _, bob, _ = town
    file = bob.folder / "report.json"
    assert (await bob.run("report", SPAMMER, "--kind", "scam", "--out", str(file))).code == 0
    verified = await bob.run("verify", str(file), "--json")
    assert verified.code == 0
    assert {name: verified.lines[0][name] for name in ("accused", "reporter", "kind", "texts")} == {
        "accused": SPAMMER,
        "reporter": BOB,
        "kind": "scam",
        "texts": ["You have won."],
    }
    changed = file.read_text().replace("scam", "spam")
    refused = await bob.run("verify", "-", "--json", stdin=changed.encode())
    assert (refused.code, refused.lines[0]["check"]["name"], refused.lines[0]["texts"]) == (3, "evidence", [])
