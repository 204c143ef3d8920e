"""Asking before writing, from the command line: real processes, real servers, JSON Lines and exit codes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.world import World
from tests.system.shell import Shell

ALICE, BOB = "+12025550142", "+12025550143"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World() as world:
        yield world


async def test_from_being_asked_to_the_first_message(world: World, tmp_path: Path) -> None:
    alice, bob = Shell(world, tmp_path, ALICE), Shell(world, tmp_path, BOB)
    for person in (alice, bob):
        await person.enroll()
    assert (await bob.run("reachable")).out.startswith("open: Anybody can write to you")
    (mode,) = (await bob.run("reachable", "ask", "--json")).lines
    assert (mode["type"], mode["mode"], mode["granted"]) == ("reachable", "ask", 0)
    assert (await bob.run("reachable", "closed")).code == 2

    refused = await alice.run("chat", "new", "dinner", BOB)
    assert refused.code == 7
    assert "+1 202-555-0143 lets people ask first. They have been asked; you can write when they agree." in refused.err
    assert "ringtrue asked" in refused.err
    (asked,) = (await alice.run("asked", "--json")).lines
    assert (asked["type"], asked["number"], asked["state"]) == ("ask", BOB, "waiting")

    people = await bob.run("requests")
    assert "REQUEST ✓ NUMBER VERIFIED +1 202-555-0142 asks to reach you." in people.out
    assert "To let them write: ringtrue requests accept +12025550142" in people.out
    (request,) = (await bob.run("requests", "--json")).lines
    assert (request["type"], request["kind"], request["number"], request["group"]) == ("request", "contact", ALICE, "")
    (contact,) = (await bob.run("requests", "accept", ALICE, "--json")).lines
    assert (contact["number"], contact["accepted"]) == (ALICE, True)
    assert (await bob.run("requests", "accept", ALICE)).code == 5

    (asked,) = (await alice.run("asked", "--json")).lines
    assert asked["state"] == "granted"
    assert (await alice.run("chat", "new", "dinner", BOB)).code == 0
    assert (await alice.run("send", "dinner", "thank you")).code == 0
    assert "NUMBER VERIFIED +1 202-555-0142: thank you" in (await bob.run("receive")).out


async def test_a_refusal_and_contacts_only(world: World, tmp_path: Path) -> None:
    alice, bob = Shell(world, tmp_path, ALICE), Shell(world, tmp_path, BOB)
    for person in (alice, bob):
        await person.enroll()
    await bob.run("reachable", "ask")
    (asked,) = (await alice.run("ask", BOB, "--json")).lines
    assert asked["state"] == "waiting"
    (line,) = (await bob.run("requests", "decline", ALICE, "--json")).lines
    assert (line["type"], line["number"]) == ("refused", ALICE)
    (asked,) = (await alice.run("asked", "--json")).lines
    assert asked["state"] == "waiting", "a refusal looks like silence"
    await bob.run("reachable", "contacts")
    closed = await alice.run("chat", "new", "dinner", BOB)
    assert closed.code == 1
    assert "can be reached by their contacts only" in closed.err
    await bob.run("contacts", "add", ALICE)
    assert (await alice.run("chat", "new", "dinner", BOB)).code == 0
    assert (await alice.run("ask", "nonsense")).code == 1
