"""Requests and quarantine: a stranger is a number and no word of theirs is shown, whatever is pressed."""

import pytest

from client.tui.screens.requests import RequestsScreen
from tests.client.conftest import BOB, CAROL
from tests.client.tui.screens.sheet_scene import BAIT, SIZES, TITLE, Seat, seated
from tests.client.tui.shell_scene import Scene


async def waiting(alice: Seat) -> None:
    """A stranger's request on the screen."""
    await alice.asked()
    await alice.show(RequestsScreen())
    await alice.sees("Requests 1 Quarantine 0")
    await alice.misses("Looking")


@pytest.mark.parametrize("size", SIZES)
async def test_a_request_is_a_number_with_counts_and_a_reason(scene: Scene, size: tuple[int, int]) -> None:
    async with seated(scene, size) as alice:
        await waiting(alice)
        for words in (
            "✓ NUMBER VERIFIED +1 202-555-0144",
            "direct, 1 message waits, since",
            "it is not in your contacts.",
            *("a Accept", "d Decline", "b Block", "R Report and block", "i Inspect", "space Mark", "A Mark all"),
        ):
            assert words in alice.text


async def test_no_key_shows_a_word_of_a_stranger(scene: Scene) -> None:
    async with seated(scene) as alice:
        await waiting(alice)
        for keys in (
            ["enter"],
            ["space"],
            ["i"],
            ["i", "r", "G"],
            ["a", "escape"],
            ["d", "escape"],
            ["b", "escape"],
            ["R", "escape"],
            ["right", "enter"],
        ):
            await alice.press(*keys)
            for hidden in (TITLE, BAIT, "parcel", "pay at"):
                assert hidden not in alice.text
            while not isinstance(alice.app.screen, RequestsScreen):
                await alice.press("escape")


async def test_a_number_like_a_contacts_is_marked(scene: Scene) -> None:
    async with seated(scene) as alice:
        await alice.ravi()
        await alice.asked(type(CAROL).from_digits("12025550153"))
        await alice.show(RequestsScreen())
        await alice.sees("Differs by one digit from Ravi's number, +1 202-555-0143.")


async def test_enter_accepts_nothing_and_accepting_is_asked_twice(scene: Scene) -> None:
    async with seated(scene) as alice:
        await waiting(alice)
        await alice.press("enter")
        await alice.sees("a accepts, d declines, b blocks.")
        await alice.press("a")
        await alice.sees("Accept this request?")
        await alice.press("enter")  # the harmless answer
        await alice.sees("Requests 1")
        assert await alice.api.people.requests()
        await alice.press("a")
        await alice.sees("Accept this request?")
        await alice.press("right", "enter")
        await alice.until(lambda: alice.app.chat is not None, "the accepted chat is open")
        assert alice.app.chat is not None
        assert alice.app.chat.chat == TITLE
        assert [contact.number for contact in await alice.api.people.contacts()] == [CAROL.e164]


async def test_blocking_takes_the_request_away_and_blocks_the_number(scene: Scene) -> None:
    async with seated(scene) as alice:
        await waiting(alice)
        await alice.press("b")
        await alice.sees("+1 202-555-0144")
        await alice.press("right", "enter")
        await alice.sees("Requests 0")
        (contact,) = await alice.api.people.contacts()
        assert (contact.number, contact.blocked) == (CAROL.e164, True)
        assert await alice.api.chats.all() == []


async def test_many_are_marked_and_declined_at_once(scene: Scene) -> None:
    async with seated(scene) as alice:
        await alice.asked()
        await alice.asked(type(CAROL).from_digits("12025550153"))
        await alice.show(RequestsScreen())
        await alice.sees("Requests 2")
        await alice.misses("Looking")
        await alice.press("A")
        await alice.until(lambda: alice.text.count("[x]") == 2, "both are marked")
        await alice.press("a")
        await alice.sees("Accept one request at a time")
        await alice.press("d")
        await alice.sees("You leave 2 chats")
        await alice.press("right", "enter")
        await alice.sees("Requests 0")
        assert await alice.api.people.requests() == []
        assert await alice.api.people.contacts() == []


async def test_a_request_that_comes_meanwhile_appears(scene: Scene) -> None:
    async with seated(scene) as alice:
        await alice.show(RequestsScreen())
        await alice.sees("Nobody is waiting.")
        await alice.asked()
        await alice.sees("Requests 1")
        await alice.sees("+1 202-555-0144")


@pytest.mark.parametrize("size", SIZES)
async def test_what_was_held_back_says_why_and_opens_only_when_asked(scene: Scene, size: tuple[int, int]) -> None:
    async with seated(scene, size) as alice:
        await alice.deceived()
        await alice.show(RequestsScreen("held"))
        await alice.sees("Quarantine 1")
        await alice.misses("Looking")
        for words in (
            "✗ 1 message: The signature is not by this sender.",
            "✗ PROOF FAILED claims +1 202-555-0166",
            "in Flea market",
            "hidden because: Its proof failed: The signature is not by this sender. (check 8, signature)",
        ):
            assert words in alice.text
        assert "Accept" not in alice.text
        await alice.press("enter")
        await alice.sees("Show the message? It failed its check.")
        await alice.press("enter")
        await alice.misses("Show the message?")
        assert "parcel" not in alice.text
        await alice.press("enter")
        await alice.sees("Show the message?")
        await alice.press("right", "enter")
        await alice.sees(BAIT)
        assert "It cannot be answered" in alice.text
        assert "✗ PROOF FAILED" in alice.text


async def test_the_inspector_opens_on_what_waits_behind_a_request_and_keeps_its_words(scene: Scene) -> None:
    async with seated(scene) as alice:
        await waiting(alice)
        await alice.press("i")
        await alice.sees("Checks: 15 passed")
        assert "Not shown in the conversation." in alice.text
        await alice.press("r", "G")
        await alice.sees("stays closed")
        await alice.press("e")
        await alice.sees("Write to this new file")
        await alice.press("enter")
        await alice.sees("✗ Accept the request first.")
        assert list(scene.folder.iterdir()) == []


async def test_the_inspector_opens_on_what_was_held_back(scene: Scene) -> None:
    async with seated(scene) as alice:
        await alice.deceived()
        await alice.show(RequestsScreen("held"))
        await alice.sees("Quarantine 1")
        await alice.misses("Looking")
        await alice.press("i")
        await alice.sees("✗ FAILED 8 The signature is right")


async def test_what_a_blocked_person_wrote_is_from_a_number_that_was_verified(scene: Scene) -> None:
    async with seated(scene) as alice:
        bob, chat = await alice.ravi()
        await alice.api.people.block(BOB.e164)
        await bob.messages.send(chat.group, "can you hear me")
        await bob.device.sync()
        await alice.api.device.sync()
        await alice.show(RequestsScreen("held"))
        await alice.sees("✓ NUMBER VERIFIED from +1 202-555-0143")
        assert "You blocked this number." in alice.text
        assert "claims" not in alice.text
