"""The command line, end to end: real processes, real servers, JSON Lines and exit codes."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from client.storage.home import write_private
from identity.certificates import TrustAnchors
from lab.world import World
from tests.system.shell import Shell

ALICE, BOB, CAROL = "+12025550142", "+12025550143", "+12025550144"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World() as world:
        yield world


async def test_from_enrolment_to_a_verified_message_and_its_proof(world: World, tmp_path: Path) -> None:
    alice, bob = Shell(world, tmp_path, ALICE), Shell(world, tmp_path, BOB)
    for person in (alice, bob):
        (enrolled,) = (await person.enroll()).lines
        assert (enrolled["type"], enrolled["number"]) == ("enrolled", person.number)
        trusted = TrustAnchors.from_pem((person.home / "anchors.pem").read_bytes())
        assert enrolled["anchors"] == trusted.fingerprint.hex()
    assert (await alice.run("chat", "new", "dinner", BOB)).code == 0
    (contact,) = (await bob.run("contacts", "add", ALICE, "--json")).lines
    assert (contact["type"], contact["number"], contact["accepted"]) == ("contact", ALICE, True)
    sent = await alice.run("send", "dinner", "-", "--json", stdin="at \x1b[31meight ‮".encode())
    assert [line["state"] for line in sent.lines] == ["delivered"]

    people = await bob.run("receive")
    assert "✓ NUMBER VERIFIED +1 202-555-0142: at ␛[31meight" in people.out
    assert "\x1b" not in people.out
    assert "‮" not in people.out
    assert (await bob.run("receive", "--json")).lines == [], "nothing is shown twice"

    rows = (await bob.run("history", "dinner", "--json")).lines
    (message,) = (row for row in rows if row["type"] == "message")
    assert (message["from"], message["proof"]["verdict"]) == (ALICE, "verified")
    members = (await bob.run("members", "dinner", "--json")).lines
    assert [(line["number"], line["you"]) for line in members] == [(ALICE, False), (BOB, True)]
    assert (await bob.run("members", "dinner")).out.count("✓") == 2

    proof = bob.folder / "proof.json"
    assert (await bob.run("export", message["id"][:12], "--output", str(proof))).code == 0
    verified = await bob.run("verify", str(proof), "--json")
    assert (verified.code, verified.lines[0]["verdict"]) == (0, "verified")
    forged = proof.read_text().replace('"framed": "GGF', '"framed": "GGG')
    assert (await bob.run("verify", "-", "--json", stdin=forged.encode())).code in (3, 4)
    changed = json.loads(proof.read_text())
    changed["passport"] = changed["passport"][:-6] + "AAAAAA"
    refused = await bob.run("verify", "-", "--json", stdin=json.dumps(changed).encode())
    assert (refused.code, refused.lines[0]["check"]["name"]) == (3, "signature")
    assert (await bob.run("verify", str(proof), RINGTRUE_HOME=str(tmp_path / "nobody"))).code == 4
    assert (await bob.run("doctor")).code == 0


async def test_membership_by_commands(world: World, tmp_path: Path) -> None:
    alice, bob, carol = (Shell(world, tmp_path, number) for number in (ALICE, BOB, CAROL))
    for person in (alice, bob, carol):
        await person.enroll()
    for person in (bob, carol):
        await person.run("contacts", "add", ALICE)
    await alice.run("chat", "new", "club", BOB)
    assert (await alice.run("add", "club", CAROL)).code == 0
    assert (await alice.run("add", "club", CAROL)).code == 5
    await carol.run("receive")
    (left,) = (await carol.run("leave", "club", "--json")).lines
    assert left["standing"] == "leaving"
    await alice.run("receive")
    assert [line["standing"] for line in (await carol.run("chat", "list", "--json")).lines] == ["left"]
    assert (await alice.run("remove", "club", BOB)).code == 0
    assert [line["standing"] for line in (await bob.run("chat", "list", "--json")).lines] == ["removed"]
    refused = await bob.run("send", "club", "may I?", "--json")
    assert (refused.code, refused.lines[0]["reason"]) == (5, "not-a-member")


async def test_following_shows_messages_as_they_come(world: World, tmp_path: Path) -> None:
    alice, bob = Shell(world, tmp_path, ALICE), Shell(world, tmp_path, BOB)
    for person in (alice, bob):
        await person.enroll()
    await bob.run("contacts", "add", ALICE)
    await alice.run("chat", "new", "live", BOB)
    following = await bob.start("receive", "--follow", "--json", "--max", "3", "--timeout", "60")
    assert following.stdout is not None
    kinds = [json.loads(await following.stdout.readline())["type"] for _ in range(2)]
    assert kinds == ["notice", "chat-named"]
    busy = await bob.run("chat", "list", "--json")
    assert (busy.code, busy.lines[0]["reason"]) == (8, "account-busy")
    await alice.run("send", "live", "now")
    assert json.loads(await following.stdout.readline())["text"] == "now"
    assert await following.wait() == 0
    timed_out = await bob.run("receive", "--follow", "--timeout", "1", "--json")
    assert (timed_out.code, timed_out.lines[-1]["reason"]) == (7, "timed-out")


async def test_what_another_took_back_is_not_called_ones_own(world: World, tmp_path: Path) -> None:
    alice, bob = Shell(world, tmp_path, ALICE), Shell(world, tmp_path, BOB)
    for person in (alice, bob):
        await person.enroll()
    await bob.run("contacts", "add", ALICE)
    await alice.run("chat", "new", "regrets", BOB)
    (sent,) = (await alice.run("send", "regrets", "I quit", "--json")).lines
    for deed in (("edit", sent["id"], "I resign"), ("react", sent["id"], "👍"), ("delete", sent["id"])):
        assert (await alice.run(*deed)).code == 0

    received = (await bob.run("receive")).out

    assert "[regrets] +1 202-555-0142 (taken back) (👍 1):" in received
    assert " you " not in received
    for word in ("None", "held back", "I quit", "I resign"):
        assert word not in received


async def test_what_goes_wrong_says_what_to_do(world: World, tmp_path: Path) -> None:
    alice = Shell(world, tmp_path, ALICE)
    nobody = await alice.run("chat", "list", "--json")
    assert (nobody.code, nobody.lines[0]["reason"]) == (8, "not-enrolled")
    assert "ringtrue enroll" in nobody.err
    assert (await alice.run("enroll", "12345")).code == 2
    wrong = await alice.run("enroll", alice.number, "--code", "1")
    assert wrong.code == 2
    assert "a code has 6 digits" in wrong.err
    await alice.enroll()
    assert (await alice.run("send", "nowhere", "x")).code == 5
    assert (await alice.run("chat", "new", "x", "+12025550199")).code == 5
    wrong = tmp_path / "wrong"
    write_private(wrong, b"wrong\n")
    refused = await alice.run("chat", "list", "--json", RINGTRUE_PASSPHRASE_FILE=str(wrong))
    assert (refused.code, refused.lines[0]["reason"]) == (8, "wrong-passphrase")
    again = await alice.run("enroll", ALICE, "--authority", world.authority_url, "--json")
    assert (again.code, again.lines[0]["reason"]) == (8, "account-exists")


async def test_without_network_messages_wait(tmp_path: Path) -> None:
    async with World() as world:
        alice, bob = Shell(world, tmp_path, ALICE), Shell(world, tmp_path, BOB)
        for person in (alice, bob):
            await person.enroll()
        await alice.run("chat", "new", "later", BOB)
    offline = await alice.run("send", "later", "when you are back", "--json")
    assert (offline.code, offline.lines[0]["state"]) == (6, "queued")
    assert (await alice.run("receive")).code == 6
