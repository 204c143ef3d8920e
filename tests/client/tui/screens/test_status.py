"""The status: what the account says of itself, and what is wrong with what to do about it."""

import asyncio
from contextlib import suppress

from client.tui.screens.status import StatusScreen
from tests.client.conftest import AUTHORITY, DELIVERY
from tests.client.tui.screens.sheet_scene import seated
from tests.client.tui.shell_scene import Scene


async def test_the_account_its_services_and_findings_are_shown(scene: Scene) -> None:
    async with seated(scene, (80, 36)) as alice:
        await alice.api.device.sync()
        await alice.show(StatusScreen())
        await alice.sees("key packages")
        for words in ("+1 202-555-0142", AUTHORITY, DELIVERY, "every page of it is whole", "valid for", "ready"):
            assert words in alice.text
        assert "✗" not in alice.text


async def test_trouble_says_what_to_do_and_is_gone_when_it_was_mended(scene: Scene) -> None:
    async with seated(scene, (80, 36)) as alice:
        scene.world.network.down.add("authority.test")
        await alice.show(StatusScreen())
        await alice.sees("✗ authority")
        await alice.sees("Check the network and the service's address, then try again.")
        scene.world.network.down.clear()
        await alice.press("r")
        await alice.sees("✓ authority")


async def test_a_sync_without_network_is_told_and_the_state_follows(scene: Scene) -> None:
    async with seated(scene, (80, 36)) as alice:
        await alice.show(StatusScreen())
        await alice.sees("key packages")
        scene.world.network.down.add("delivery.test")
        await alice.press("s")
        await alice.sees("✗ Offline")
        scene.world.network.down.clear()
        await alice.press("s")
        await alice.sees("Up to date.")
        await alice.sees("✓ Online")


async def test_work_that_is_begun_again_says_its_end_although_the_first_ended_after_it_began(scene: Scene) -> None:
    async with seated(scene, (80, 36)) as alice:
        screen = StatusScreen()
        await alice.show(screen)
        with screen.doing("Reading what is new", "Up to date."):
            begun = asyncio.Event()

            async def again() -> None:
                with screen.doing("Reading what is new", "Up to date."):
                    begun.set()
                    await asyncio.Event().wait()

            first = asyncio.create_task(again())
            await begun.wait()
            second = screen.doing("Reading what is new", "Read again.")
            with second:
                first.cancel()
                with suppress(asyncio.CancelledError):
                    await first
        await alice.sees("Read again.")


async def test_what_waits_is_counted(scene: Scene) -> None:
    async with seated(scene, (80, 36)) as alice:
        await alice.asked()
        await alice.show(StatusScreen())
        await alice.sees("1 request, 0 in quarantine")
