"""Several devices of one number from the command line: real processes, real services, and a crash at every step."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from client.storage.home import Home
from client.storage.keys import create_key
from lab.world import COST, World
from tests.system.shell import Result, Shell

ALICE, BOB = "+12025550142", "+12025550143"


async def steps_of(adding: asyncio.subprocess.Process, until: str) -> dict[str, Any]:
    """Read what `devices add --json` puts out, up to a state."""
    assert adding.stdout is not None
    while line := await adding.stdout.readline():
        step: dict[str, Any] = json.loads(line)
        if step.get("state") == until:
            return step
    raise AssertionError(f"it ended before it was {until}: {(await adding.communicate())[1].decode()}")


async def link(world: World, first: Shell, new: Shell) -> tuple[Result, dict[str, Any]]:
    adding = await first.start("devices", "add", "--yes", "--json")
    shown = await steps_of(adding, "waiting")
    linked = await new.run(
        "link", shown["code"], "--authority", world.authority_url, "--name", "tablet", "--yes", "--json"
    )
    done = await steps_of(adding, "done")
    await adding.communicate()
    assert adding.returncode == 0
    return linked, done


async def test_a_second_device_is_linked_seen_used_and_removed(tmp_path: Path) -> None:
    async with World() as world:
        phone, bob = Shell(world, tmp_path, ALICE), Shell(world, tmp_path, BOB)
        tablet = Shell(world, tmp_path / "tablet", ALICE)
        for person in (phone, bob):
            await person.enroll()
        await phone.run("chat", "new", "plans", BOB)
        await bob.run("receive")
        await bob.run("requests", "accept", ALICE)

        linked, done = await link(world, phone, tablet)

        assert linked.code == 0, linked.err
        assert linked.lines[-1]["number"] == ALICE
        assert "The other device must show these digits: " in linked.err
        assert (done["name"], done["chats"], done["left_out"]) == ("tablet", 1, [])

        assert (await tablet.run("send", "plans", "from the tablet")).code == 0
        heard = await phone.run("receive")
        assert "you: from the tablet  (sent from another device)" in heard.out
        assert "from the tablet" in (await bob.run("receive")).out

        this, other = (await phone.run("devices", "--json")).lines
        assert (this["this"], this["state"]) == (True, "valid")
        assert (other["name"], other["state"], other["chats"], other["met"]) == ("tablet", "valid", ["plans"], True)
        assert "tablet: ✓ valid until" in (await phone.run("devices")).out

        unasked = await phone.run("devices", "remove", other["key"][:8], "--json")
        assert (unasked.code, unasked.lines[-1]["reason"]) == (1, "device-not-agreed")
        assert (await phone.run("devices", "remove", other["key"][:8], "--yes")).code == 0
        assert len((await phone.run("devices", "--json")).lines) == 1
        await phone.run("send", "plans", "without the tablet")
        assert "without the tablet" not in (await tablet.run("receive")).out
        assert "removed this device" in (await tablet.run("history", "plans")).out


async def test_what_cannot_be_done_says_what_to_do(tmp_path: Path) -> None:
    async with World() as world:
        phone, tablet = Shell(world, tmp_path, ALICE), Shell(world, tmp_path / "tablet", ALICE)
        await phone.enroll()
        for code, reason in (
            ("hello", "link-code"),
            ("0000-0000-0000-0000-01", "link-code"),
            ("0000-0000-0000-0000-00", "link-unknown"),
        ):
            refused = await tablet.run("link", code, "--authority", world.authority_url, "--yes", "--json")
            assert (refused.code, refused.lines[-1]["reason"]) == (1, reason)
            assert refused.lines[-1]["hint"]
        for key, reason in (
            ("ffff", "unknown-device"),
            ((await phone.run("devices", "--json")).lines[0]["key"], "this-device"),
        ):
            refused = await phone.run("devices", "remove", key, "--yes", "--json")
            assert (refused.code, refused.lines[-1]["reason"]) == (5, reason)
        assert (await tablet.run("devices")).code == 8, "nothing was enrolled"


async def test_a_code_is_taken_back_when_its_command_is_interrupted(tmp_path: Path) -> None:
    async with World() as world:
        phone, tablet = Shell(world, tmp_path, ALICE), Shell(world, tmp_path / "tablet", ALICE)
        await phone.enroll()
        adding = await phone.start("devices", "add", "--json")
        shown = await steps_of(adding, "waiting")
        adding.send_signal(signal.SIGINT)
        await adding.communicate()
        refused = await tablet.run("link", shown["code"], "--authority", world.authority_url, "--yes", "--json")
        assert refused.code != 0


@pytest.mark.parametrize("state", ["granting", "adding"])
async def test_the_first_device_is_killed_midway_and_goes_on_with_the_next_command(tmp_path: Path, state: str) -> None:
    async with World() as world:
        phone, bob = Shell(world, tmp_path, ALICE), Shell(world, tmp_path, BOB)
        tablet = Shell(world, tmp_path / "tablet", ALICE)
        for person in (phone, bob):
            await person.enroll()
        for name in ("one", "two", "three"):
            await phone.run("chat", "new", name, BOB)
        adding = await phone.start("devices", "add", "--yes", "--json")
        shown = await steps_of(adding, "waiting")
        linking = await tablet.start("link", shown["code"], "--authority", world.authority_url, "--yes", "--json")
        step = await steps_of(adding, state)
        await _is_granted(linking)
        adding.kill()
        await adding.communicate()
        await _can_be_added(world, step["key"])
        linking.kill()
        await linking.communicate()

        assert (await phone.run("receive")).code == 0

        (_, other) = (await phone.run("devices", "--json")).lines
        assert (sorted(other["chats"]), other["left_out"]) == (["one", "three", "two"], [])
        await tablet.run("receive")
        assert len((await tablet.run("chat", "list", "--json")).lines) == 3


async def _is_granted(linking: asyncio.subprocess.Process) -> None:
    """Wait until the new device has what it needs from the first one."""
    assert linking.stderr is not None
    while line := await linking.stderr.readline():
        if line.startswith(b"Getting a certificate"):
            return
    raise AssertionError("it ended before it was granted the number")


async def _can_be_added(world: World, key: str) -> None:
    """Wait until the new device has its key packages at the service: what it does after that may be lost."""
    device = f"{ALICE}/{key}".encode()
    while not (await world.service.store.stock(device, int(world.clock()))).last_resort:
        await asyncio.sleep(0.05)


async def test_with_a_daemon_running_the_same_commands_go_through_it(tmp_path: Path) -> None:
    async with World() as world:
        phone, tablet = Shell(world, tmp_path, ALICE), Shell(world, tmp_path / "tablet", ALICE)
        await phone.enroll()
        daemon = await phone.start("daemon", "--json")
        assert daemon.stdout is not None
        assert json.loads(await daemon.stdout.readline())["type"] == "ready"
        linked, done = await link(world, phone, tablet)
        assert (linked.code, done["state"]) == (0, "done")
        assert len((await phone.run("devices", "--json")).lines) == 2
        daemon.send_signal(signal.SIGINT)
        await daemon.communicate()


@pytest.mark.parametrize("killed_before", [False, True])
async def test_the_line_mode_of_a_new_device_leads_from_a_code_to_its_chats(
    tmp_path: Path, killed_before: bool
) -> None:
    async with World() as world:
        phone, bob = Shell(world, tmp_path, ALICE), Shell(world, tmp_path, BOB)
        tablet = Shell(world, tmp_path / "tablet", ALICE)
        for person in (phone, bob):
            await person.enroll()
        await phone.run("chat", "new", "plans", BOB)
        if killed_before:  # between its store and its account
            Home(tablet.home).create()
            create_key(Home(tablet.home), "correct horse", COST)
        adding = await phone.start("devices", "add", "--yes", "--json")
        shown = await steps_of(adding, "waiting")
        typed = "\n".join(("link", shown["uri"], "", "tablet", "yes", "chats", "", "quit", "")).encode()

        heard = await tablet.run("--plain", stdin=typed)

        assert heard.code == 0, heard.err
        assert (await steps_of(adding, "done"))["chats"] == 1
        await adding.communicate()
        assert "is ready on this device, in 1 chat." in heard.out
        assert "“plans”" in heard.out
        assert "Whom do you want to write to?" not in heard.out
        assert len((await tablet.run("devices", "--json")).lines) == 2
