"""The rules of admission on the command line: real processes, JSON Lines as the schema says, words that help."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from client.defence.rules import default_toml
from lab.world import World
from tests.client.desk.schema_reader import invalid
from tests.system.shell import Shell

ALICE, BOB = "+12025550142", "+12025550143"
HOLD = '[[rule]]\nname = "no strangers"\nsubject = "chat"\nrelation = ["stranger"]\nplace = "quarantine"\n\n'


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World() as world:
        yield world


async def test_rules_are_shown_tried_used_and_taken_back(world: World, tmp_path: Path) -> None:
    alice, bob = Shell(world, tmp_path, ALICE), Shell(world, tmp_path, BOB)
    for person in (alice, bob):
        await person.enroll()
    schema = json.loads((await alice.run("schema")).out)

    async def run(*args: str) -> list[dict[str, Any]]:
        lines = (await alice.run(*args, "--json")).lines
        for line in lines:
            assert not invalid(schema, schema["lines"][line["type"]], line), line
            assert line["type"] != "error" or line["reason"] in schema["codes"]
        return lines

    await bob.run("chat", "new", "Cheap pills", ALICE)
    (request,) = await run("requests")
    assert (request["rule"], request["held"]) == ("stranger asks", False)
    assert (await alice.run("rules", "show", "--default")).out == default_toml().rstrip("\n") + "\n"
    (shown,) = await run("rules", "show")
    assert (shown["toml"], shown["own"]) == (default_toml(), False)
    assert [rule["name"] for rule in await run("rules")][-1] == "stranger asks"

    file = alice.folder / "rules.toml"
    file.write_text(HOLD + default_toml())
    moves, change = (line for line in await run("rules", "test", "rules.toml") if line["subject"] == "chat")
    assert [moves[name] for name in ("before", "after", "rule", "count")] == [
        "request",
        "quarantine",
        "no strangers",
        1,
    ]
    assert (change["number"], change["before_rule"], change["rule"]) == (BOB, "stranger asks", "no strangers")
    words = (await alice.run("rules", "test", "rules.toml")).out
    assert "1 chat: from request to quarantine, by “no strangers”" in words
    assert "chat of +1 202-555-0143" in words

    *_, refused = await run("rules", "use", "rules.toml")
    assert (refused["type"], refused["reason"], refused["hint"]) == (
        "error", "rules-not-agreed", "Answer the question, or add --yes.",
    )  # fmt: skip
    assert (await run("rules", "show"))[0]["own"] is False
    *_, saved = await run("rules", "use", "rules.toml", "--yes")
    assert [rule["name"] for rule in saved["rules"] if rule["own"]] == ["no strangers"]
    assert "what has come stays where it is" in (await alice.run("rules", "use", "rules.toml", "--yes")).out
    assert [each["group"] for each in await run("requests")] == [request["group"]]

    await bob.run("chat", "new", "More pills", ALICE)
    assert [each["group"] for each in await run("requests")] == [request["group"]]
    (held,) = await run("requests", "list", "--held")
    assert (held["rule"], held["held"], held["number"]) == ("no strangers", True, BOB)
    assert "Rule: no strangers" in (await alice.run("quarantine")).out
    assert {line["type"] for line in await run("quarantine")} == {"request", "quarantined"}
    counts = {(line["rule"], line["place"]): line["count"] for line in await run("rules", "counts")}
    assert counts["no strangers", "quarantine"] == 1
    assert "no strangers: 1 to quarantine, last " in (await alice.run("rules", "counts")).out

    assert "pills" not in json.dumps([await run("requests"), held, await run("quarantine")])
    (accepted,) = await run("requests", "accept", held["group"][:12])
    assert accepted["chat"] == "More pills"
    (wanting,) = await run("want-proof", "More pills")
    assert wanting["wants_proof"] is True
    assert "wants proof" in (await alice.run("chat", "list")).out
    assert (await run("want-proof", "More pills", "--off"))[0]["wants_proof"] is False
    assert [rule["own"] for rule in (await run("rules", "reset"))[0]["rules"]] == [False] * 9


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (b"[[rule]]\nname = 1", "rule 1"),
        (b'[[rule]]\nname = "x"\nplace = "bin"', "it may be inbox, request, quarantine, drop"),
        (b"\xff\xfe", "is no UTF-8 text"),
        (b"#" * 300_000, "more than 65536 characters"),
        (b'[[rule]]\nname = "all"\nplace = "drop"', "'all' would hide chats that your own devices add you to"),
    ],
)
async def test_a_file_that_cannot_be_used_is_said_in_words(
    world: World, tmp_path: Path, octets: bytes, says: str
) -> None:
    alice = Shell(world, tmp_path, ALICE)
    await alice.enroll()
    (alice.folder / "rules.toml").write_bytes(octets)
    for command in (("test",), ("use", "--yes")):
        result = await alice.run("rules", *command, "rules.toml")
        assert result.code == 1
        assert says in result.err
        assert result.out == ""
