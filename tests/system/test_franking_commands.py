"""Franking from the command line: a service's confirmation, a report by it, and its check by the service itself."""

from pathlib import Path

from click.testing import CliRunner

from delivery_service.cli import delivery
from identity.reports.franking import HubKey
from lab.world import World
from tests.system.shell import Shell

ALICE, BOB = "+12025550142", "+12025550143"


async def test_a_person_sees_reports_and_hands_on_what_the_service_confirms(tmp_path: Path) -> None:
    async with World() as world:
        alice, bob = Shell(world, tmp_path, ALICE), Shell(world, tmp_path, BOB)
        for person in (alice, bob):
            await person.enroll()
        await bob.run("contacts", "add", ALICE)
        await alice.run("chat", "new", "spam", BOB)
        await alice.run("send", "spam", "buy now")
        await bob.run("receive")
        rows = (await bob.run("history", "spam", "--json")).lines
        (message,) = (row for row in rows if row["type"] == "message")

        inspected = await bob.run("inspect", message["id"])
        assert "The service can confirm this message: ✓ yes, without having read it" in inspected.out
        (looked_into,) = (await bob.run("inspect", message["id"], "--json")).lines
        assert looked_into["confirmable"] == "good"
        (key,) = (await bob.run("franking", "--json")).lines
        assert key["key"] == HubKey.from_point(world.service.franking.public_key).key_id.hex()
        assert (key["shown"], key["since"] is None) == (True, False)
        other = await bob.run("franking", "use", "00" * 8, "--json")
        assert (other.code, other.lines[-1]["reason"]) == (1, "franking-key")

        file = bob.folder / "report.json"
        written = await bob.run("report", message["id"], "--by-frank", "--out", str(file))
        assert written.code == 0
        assert "deny it" in written.out
        assert "passport" in file.read_text()
        folder = next(world.folder.glob("delivery-*"))
        confirmed = CliRunner().invoke(delivery, ["verify-frank", str(file), "--data-dir", str(folder)])
        assert confirmed.exit_code == 0
        assert f"/u/{ALICE} sent it to mimi://" in confirmed.stdout
        (reported,) = (await bob.run("report", message["id"], "--by-frank", "--json")).lines
        assert (reported["sent"], reported["counted"], reported["by_frank"]) == (True, True, True)
