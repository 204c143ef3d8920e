"""`ringtrue trust`: real processes, an account, and roots in files."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from identity.certificates import TrustAnchors
from identity.issuing import create_issuer, create_root
from identity.tn_auth_list import TelephoneNumberRange, TNAuthList
from lab.world import World
from tests.system.shell import Shell

ALICE, BOB = "+12025550142", "+12025550143"
YEAR = 365 * 86_400


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World() as world:
        yield world


async def test_roots_are_shown_imported_and_removed(world: World, tmp_path: Path) -> None:
    alice = Shell(world, tmp_path, ALICE)
    await alice.enroll()
    now = int(time.time())
    root_key, root = create_root("Another \x1b[31mroot", now, YEAR)
    _, issuer = create_issuer(
        root_key, root, "Issuer", TNAuthList((TelephoneNumberRange("12025550100", 100),)), now, YEAR
    )
    (alice.folder / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    (alice.folder / "issuer.pem").write_bytes(issuer.public_bytes(Encoding.PEM))
    fingerprint = root.fingerprint(hashes.SHA256()).hex()

    (first,) = (await alice.run("trust", "--json")).lines
    assert (first["type"], len(first["anchors"])) == ("trust", 1)
    nobody_asked = await alice.run("trust", "import", "root.pem")
    assert nobody_asked.code == 1
    assert fingerprint in nobody_asked.out
    assert "\x1b" not in nobody_asked.out + nobody_asked.err
    refused = await alice.run("trust", "import", "issuer.pem", "--json")
    assert (refused.code, refused.lines[0]["reason"]) == (1, "not-a-root")
    assert "trust pin FILE" in refused.err
    *_, imported = (await alice.run("trust", "import", "root.pem", "--yes", "--json")).lines
    assert [each["imported"] for each in imported["anchors"]] == [False, True]
    beside = TrustAnchors.from_pem((alice.home / "anchors.pem").read_bytes())
    assert beside.fingerprint.hex() == imported["fingerprint"]
    assert "Nothing was imported" in (await alice.run("trust", "import", "root.pem", "--yes")).err

    shown = await alice.run("trust", "show", fingerprint[:10])
    assert (shown.code, "needed by    no chat" in shown.out) == (0, True)
    assert (await alice.run("trust", "show", "abc")).code == 1
    pinned = await alice.run("trust", "pin", "issuer.pem", "--json")
    assert [len(each["pins"]) for each in pinned.lines[0]["anchors"]] == [0, 1]
    (unpinned,) = (
        await alice.run("trust", "unpin", pinned.lines[0]["anchors"][1]["pins"][0]["issuer"], "--json")
    ).lines
    assert [each["pins"] for each in unpinned["anchors"]] == [[], []]

    assert (await alice.run("trust", "remove", fingerprint)).code == 1, "nobody agreed"
    (left,) = (await alice.run("trust", "remove", fingerprint, "--yes", "--json")).lines
    assert left["fingerprint"] == first["fingerprint"]
    own = first["anchors"][0]["fingerprint"]
    last = await alice.run("trust", "remove", own, "--yes", "--json")
    assert (last.code, last.lines[0]["reason"]) == (1, "last-anchor")
    assert "last root" in last.err
    assert (await alice.run("doctor")).code == 0


async def test_the_policy_is_set_switch_by_switch(world: World, tmp_path: Path) -> None:
    alice, bob = Shell(world, tmp_path, ALICE), Shell(world, tmp_path, BOB)
    for person in (alice, bob):
        await person.enroll()
    await bob.run("contacts", "add", ALICE)
    await alice.run("chat", "new", "dinner", BOB)
    await bob.run("receive")
    (before,) = (await alice.run("trust", "policy", "--json")).lines
    (changed,) = (await alice.run("trust", "policy", "--no-code-leaves", "--code-parents", "refuse", "--json")).lines
    assert (before["code_leaves"], changed["code_leaves"], changed["code_parents"]) == (True, False, "refuse")
    assert changed["fingerprint"] != before["fingerprint"]
    words = (await alice.run("trust", "policy")).out
    assert "a carrier's code delegates no number" in words
    assert f"names the trust anchors {before['fingerprint']}" in (await alice.run("members", "dinner")).err
    assert "trust anchors" not in (await bob.run("members", "dinner")).err
    assert "Your trust anchors changed" in (await alice.run("history", "dinner")).out

    (coded,) = (await alice.run("trust", "code", "1234", "+1202555", "+44", "--json")).lines
    assert coded["codes"] == [{"code": "1234", "prefixes": ["+1202555", "+44"]}]
    refused = await alice.run("trust", "code", "1234", "nonsense")
    assert (refused.code, "write it like +1202555" in refused.err) == (1, True)
    key = (
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    (alice.folder / "log.pem").write_bytes(key)
    (logged,) = (await alice.run("trust", "log", "A log", "log.pem", "--json")).lines
    assert [each["name"] for each in logged["logs"]] == ["A log"]
    assert (await alice.run("trust", "policy", "--logs-required", "2")).code == 1
    (forgotten,) = (await alice.run("trust", "log", "A log", "--json")).lines
    assert forgotten["logs"] == []
