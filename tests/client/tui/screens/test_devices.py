"""One's devices on the screen: the list, the code for another one, the digits to compare, and removing one."""

import asyncio

import pytest

from client.credentials.link_code import parse_link_code
from client.credentials.link_here import Linked
from client.tui.screens.devices import DevicesScreen
from client.tui.screens.link import TOO_SMALL, LinkScreen
from tests.client.test_linking import NewDevice
from tests.client.tui.screens.sheet_scene import SIZES, Seat, seated
from tests.client.tui.shell_scene import Scene


async def typed(seat: Seat, device: NewDevice) -> "asyncio.Task[Linked]":
    """Somebody types the code that Alice's screen shows into a new device."""
    shown = await seat.api.devices.linking()
    assert shown.code in seat.text
    return asyncio.create_task(device.link(parse_link_code(shown.uri)))


@pytest.mark.parametrize("size", SIZES)
async def test_the_list_begins_with_this_device_and_says_its_state(scene: Scene, size: tuple[int, int]) -> None:
    async with seated(scene, size) as alice:
        await alice.show(DevicesScreen())
        await alice.sees("✓ valid this device")
        for words in ("Link another device", "Close"):
            assert words in alice.text


@pytest.mark.parametrize(("size", "drawn"), [((60, 16), False), ((80, 24), True), ((140, 40), True)])
async def test_the_code_is_shown_in_letters_and_where_it_fits_as_a_picture(
    scene: Scene, size: tuple[int, int], drawn: bool
) -> None:
    async with seated(scene, size) as alice:
        await alice.show(LinkScreen())
        await alice.sees("Authority")
        link = await alice.api.devices.linking()
        assert link.code in alice.text
        assert alice.app.screen.query_one("#qr").display is drawn
        assert (TOO_SMALL in alice.text) is not drawn
        await alice.press("escape")
        await alice.until(lambda: alice.answer, "the sheet is closed")
        assert (await alice.api.devices.linking()).error == "link-cancelled"


async def test_a_device_is_linked_once_the_person_has_compared_the_digits(scene: Scene) -> None:
    async with seated(scene) as alice:
        await alice.ravi()
        device = NewDevice(scene.world)
        await alice.show(DevicesScreen())
        await alice.sees("this device")
        await alice.press("a")
        await alice.sees("Authority")
        linking = await typed(alice, device)
        digits = await device.digits
        await alice.sees(digits)
        assert "Alice's tablet wants to have your number." in alice.text
        await alice.press("enter")  # which is no answer
        assert (await alice.api.devices.linking()).state == "comparing"
        await alice.press("y")
        await alice.sees("is linked, and in 1 chat.")
        assert (await linking).finished
        await alice.press("escape")
        await alice.sees("Alice's tablet ✓ valid 1 chat")


async def test_a_device_that_shows_other_digits_is_refused(scene: Scene) -> None:
    async with seated(scene) as alice:
        device = NewDevice(scene.world)
        await alice.show(LinkScreen())
        await alice.sees("Authority")
        linking = await typed(alice, device)
        await alice.sees(await device.digits)
        await alice.press("n")
        await alice.sees("nothing was given to the other one.")
        (error,) = await asyncio.gather(linking, return_exceptions=True)
        assert "said no" in str(error)


async def test_a_device_is_removed_after_a_question(scene: Scene) -> None:
    async with seated(scene) as alice:
        await alice.ravi()
        device = NewDevice(scene.world)
        shown = await alice.api.devices.link()
        linking = asyncio.create_task(device.link(parse_link_code(shown.uri)))
        await device.digits
        while (await alice.api.devices.linking()).state != "comparing":
            await alice.pilot.pause()
        await alice.api.devices.agree(True)
        await linking
        await alice.show(DevicesScreen())
        await alice.sees("Alice's tablet")
        await alice.press("d")  # this device: nothing happens
        await alice.press("j", "d")
        await alice.sees("have its certificate revoked?")
        await alice.press("enter")  # the harmless answer
        await alice.sees("Alice's tablet")
        await alice.press("l")
        await alice.sees("what it has signed shows nothing any more")
        await alice.press("enter")
        await alice.press("d", "right", "enter")
        await alice.sees("It is removed, and its certificate revoked.")
        assert "Alice's tablet" not in alice.text
