"""Alarms and new keys from the command line."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from client.credentials.enrolment import EnrolmentClient
from identity.number import TelephoneNumber
from lab.world import World
from tests.system.shell import Shell

ALICE, BOB = "+12025550142", "+12025550143"


async def test_a_number_certified_for_another_key_is_told_and_put_away(tmp_path: Path) -> None:
    async with World() as world:
        alice = Shell(world, tmp_path, ALICE)
        await alice.enroll()
        assert "Nothing was seen" in (await alice.run("alarms")).err
        number = TelephoneNumber.parse(ALICE)
        async with EnrolmentClient(world.authority_url) as authority:
            opened = await authority.challenge(number)
            key = ec.generate_private_key(ec.SECP256R1())
            await authority.certify(opened.challenge, world.codes.codes[number], key, number, await authority.anchors())

        seen = await alice.run("alarms")
        assert seen.code == 0
        assert "Your number was certified for another key" in seen.out
        assert "What to do: " in seen.out
        (alarm,) = (await alice.run("alarms", "--json")).lines
        assert (alarm["type"], alarm["kind"], alarm["acknowledged"]) == ("alarm", "certificate", None)

        unknown = await alice.run("alarms", "acknowledge", "99", "--json")
        assert (unknown.code, unknown.lines[-1]["reason"]) == (5, "unknown-alarm")
        assert (await alice.run("alarms", "acknowledge", str(alarm["id"]))).code == 0
        assert (await alice.run("alarms", "--json")).lines == []
        (put_away,) = (await alice.run("alarms", "list", "--all", "--json")).lines
        assert put_away["acknowledged"]


async def test_a_known_number_on_a_new_key_is_reached_only_on_purpose_and_one_device_removed(tmp_path: Path) -> None:
    async with World() as world:
        alice, bob = Shell(world, tmp_path, ALICE), Shell(world, tmp_path, BOB)
        other = Shell(world, tmp_path / "elsewhere", BOB)
        for person in (alice, bob):
            await person.enroll()
        await alice.run("chat", "new", "before", BOB)
        await other.enroll()

        refused = await alice.run("chat", "new", "after", BOB, "--json")
        assert (refused.code, refused.lines[-1]["reason"]) == (1, "new-key")
        assert (await alice.run("chat", "new", "after", BOB, "--new-keys")).code == 0
        keys = (await alice.run("keys", "list", BOB, "--json")).lines
        assert [(key["met"], key["named"]) for key in sorted(keys, key=lambda key: not key["named"])] == [
            (True, True),
            (True, False),
        ]
        (old,) = (key["key"] for key in keys if key["named"])

        assert (await alice.run("remove", "after", BOB, "--key", old)).code == 0
        left = [each for each in (await alice.run("members", "after", "--json")).lines if each["number"] == BOB]
        assert [each["named"] for each in left] == [False]
        (new,) = (each["key"] for each in left)
        met = (await alice.run("keys", "meet", BOB, new, "--json")).lines
        assert all(key["named"] for key in met)


async def test_the_logs_that_are_watched_are_listed(tmp_path: Path) -> None:
    async with World() as world:
        alice = Shell(world, tmp_path, ALICE)
        await alice.enroll()
        shown = await alice.run("alarms", "logs")
        assert shown.code == 0
        assert "✓ Ringtrue development log  2 of 2 entries read, last found in order " in shown.out
        (log,) = (await alice.run("alarms", "logs", "--json")).lines
        assert (log["type"], log["size"], log["read"]) == ("log", 2, 2)
