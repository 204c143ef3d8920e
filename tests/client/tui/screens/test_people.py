"""Contacts and blocked numbers: whole numbers always, for five people may have one name."""

import pytest

from client.formats.text import safe_name
from client.tui.screens.people import PeopleScreen
from client.tui.screens.phrases import shortened_name
from tests.client.conftest import BOB, CAROL
from tests.client.tui.screens.sheet_scene import SIZES, Seat, seated
from tests.client.tui.shell_scene import Scene


async def chosen(alice: Seat, number: str) -> None:
    await alice.press("g")
    rows = alice.app.screen.query_one("#people")
    for _ in range(20):
        if rows.chosen == number:
            return
        await alice.press("j")
    raise AssertionError(number)


@pytest.mark.parametrize("size", SIZES)
async def test_five_of_one_name_are_told_apart(scene: Scene, size: tuple[int, int]) -> None:
    async with seated(scene, size) as alice:
        numbers = [f"+1202555010{n}" for n in range(5)]
        for number in numbers:
            await alice.api.people.know(number)
            await alice.api.people.name(number, "Amazon")
        await alice.api.people.block("+12025550170")
        await alice.show(PeopleScreen())
        await alice.sees("Contacts: 5")
        for n in range(5):
            assert f"+1 202-555-010{n} Amazon" in alice.text
        assert "Blocked: 1 ⊘ +1 202-555-0170" in alice.text
        for words in ("m Message", "n Name", "+ Add a contact", "b Block", "u Unblock"):
            assert words in alice.text


async def test_names_blocking_and_unblocking(scene: Scene) -> None:
    async with seated(scene) as alice:
        await alice.api.people.know(BOB.e164)
        await alice.show(PeopleScreen())
        await alice.sees("Contacts: 1")
        await alice.misses("Looking")
        await alice.press("n")
        await alice.sees("Your own name for +1 202-555-0143")
        await alice.type("Ravi")
        await alice.press("enter")
        await alice.sees("+1 202-555-0143 Ravi")
        await alice.press("u")  # not available: it is not blocked
        await alice.press("b")
        await alice.sees("is dropped and counted")
        await alice.press("enter")
        await alice.misses("is dropped and counted")
        assert "Contacts: 1" in alice.text
        await alice.press("b")
        await alice.sees("is dropped and counted")
        await alice.press("right", "enter")
        await alice.sees("Blocked: 1")
        await alice.press("m", "b", "u")
        await alice.sees("is a stranger again")
        assert [contact.blocked for contact in await alice.api.people.contacts()] == [False]


@pytest.mark.parametrize(
    ("typed", "kept", "said"),
    [
        ("Ravi", "Ravi", ""),
        (" Ravi  K ", "Ravi K", ""),
        ("Bob [bold]", "Bob bold", "Left out of the name: []  It is now: Bob bold"),
        ("[]", None, "Left out of the name: []  Nothing of it is left."),
        ("a" * 40, "a" * 32, f"The name was cut to 32 cells.  It is now: {'a' * 32}"),
        ("", None, ""),
    ],
)
def test_what_was_left_out_of_a_name_is_said(typed: str, kept: str | None, said: str) -> None:
    assert (safe_name(typed).text or None) == kept
    assert shortened_name(typed, kept) == said


async def test_what_a_blocked_number_tried_is_counted(scene: Scene) -> None:
    async with seated(scene) as alice:
        await alice.api.people.block(CAROL.e164)
        await alice.asked()
        await alice.show(PeopleScreen())
        await alice.sees("Blocked: 1")
        (contact,) = await alice.api.people.contacts()
        assert contact.dropped
        assert "dropped" in alice.text
        assert "parcel" not in alice.text


async def test_a_contact_is_added_by_short_code_and_written_to(scene: Scene) -> None:
    async with seated(scene) as alice:
        bob = await scene.person(BOB)
        code = (await bob.device.account()).short_code
        await alice.show(PeopleScreen())
        await alice.sees("Nobody yet.")
        await alice.press("plus")
        await alice.sees("short code:")
        alice.app.screen.query_one("Input").value = "12345"
        await alice.press("enter")
        await alice.sees("✗")
        await alice.press("plus")
        await alice.sees("short code:")
        alice.app.screen.query_one("Input").value = code
        await alice.press("enter")
        await alice.sees("Contacts: 1")
        await chosen(alice, BOB.e164)
        await alice.press("enter")
        await alice.until(lambda: alice.app.chat is not None, "the chat is open")
        assert alice.app.chat is not None
        assert alice.app.chat.direct == BOB.e164
