"""Who asks to be let through, on the screens: a proven number, no words, and what becomes of it."""

import pytest

from client.desk.desk import Desk
from client.errors import ContactsOnlyError
from client.tui.screens.people import PeopleScreen
from client.tui.screens.requests import RequestsScreen
from client.tui.screens.settings import SettingsScreen
from tests.client.conftest import ALICE, CAROL
from tests.client.tui.screens.sheet_scene import Seat, seated
from tests.client.tui.shell_scene import Scene


async def asked(alice: Seat) -> Desk:
    """Carol asks Alice, who is asked first."""
    await alice.api.people.mode("ask")
    carol = await alice.scene.person(CAROL)
    await carol.people.ask(ALICE.e164)
    await alice.api.device.sync()
    await alice.show(RequestsScreen())
    await alice.sees("Requests 1")
    return carol


async def test_who_asks_is_a_number_without_words(scene: Scene) -> None:
    async with seated(scene) as alice:
        await asked(alice)
        await alice.sees("✓ NUMBER VERIFIED +1 202-555-0144")
        await alice.sees("asks to reach you, has written nothing, since")
        await alice.press("i")
        await alice.sees("No message waits here")


async def test_who_is_let_through_is_told_and_can_write(scene: Scene) -> None:
    async with seated(scene) as alice:
        carol = await asked(alice)
        await alice.press("a")
        await alice.sees("becomes a contact, is told, and can write to you.")
        await alice.sees("does not say who a person is")
        await alice.press("right", "enter")
        await alice.sees("Nobody is waiting.")
        await carol.device.sync()
        (answer,) = await carol.people.asked()
        assert answer.state == "granted"
        assert await carol.chats.direct(ALICE.e164)


async def test_who_is_declined_is_not_told(scene: Scene) -> None:
    async with seated(scene) as alice:
        carol = await asked(alice)
        await alice.press("d")
        await alice.sees("not let through, and not told so.")
        await alice.press("right", "enter")
        await alice.sees("Nobody is waiting.")
        await carol.device.sync()
        (answer,) = await carol.people.asked()
        assert answer.state == "waiting"


async def test_the_settings_choose_who_can_write_and_the_service_is_told(scene: Scene) -> None:
    async with seated(scene) as alice:
        await alice.show(SettingsScreen())
        row = alice.app.screen.query_one("#reachable")
        await alice.until(lambda: row.value == "open", "what is in force is shown")
        row.value = "contacts"
        await alice.sees("Chosen.")
        assert (await alice.api.people.mode()).mode == "contacts"
        carol = await alice.scene.person(CAROL)
        with pytest.raises(ContactsOnlyError):
            await carol.chats.direct(ALICE.e164)


async def test_without_network_nothing_is_chosen(scene: Scene) -> None:
    async with seated(scene) as alice:
        await alice.show(SettingsScreen())
        row = alice.app.screen.query_one("#reachable")
        await alice.until(lambda: row.value == "open", "what is in force is shown")
        alice.scene.world.network.down.add("delivery.test")
        row.value = "ask"
        await alice.until(lambda: row.value == "open", "the row goes back")
        alice.scene.world.network.down.clear()


async def test_whom_one_has_asked_is_marked_among_the_contacts(scene: Scene) -> None:
    async with seated(scene) as alice:
        carol = await alice.scene.person(CAROL)
        await carol.people.mode("ask")
        await alice.api.people.ask(CAROL.e164)
        await alice.show(PeopleScreen())
        await alice.sees("? They were asked and have not agreed yet.")
        await carol.device.sync()
        await carol.people.grant(ALICE.e164)
        await alice.api.device.sync()
        told = alice.app._notifications
        await alice.until(lambda: any("has agreed: you can write" in each.message for each in told), "the good news")
