"""The first chat: with whoever is named in any of the ways that people name themselves, or later."""

import pytest

from client.invite import short_code
from client.tui.screens.first_chat import FirstChatScreen
from client.tui.screens.invite import InviteScreen
from tests.client.conftest import BOB, CAROL
from tests.client.tui.screens.sheet_scene import BAIT, TITLE, seated
from tests.client.tui.shell_scene import Scene


@pytest.mark.parametrize("named", ["+12025550143", "ringtrue:+12025550143", short_code(BOB)])
async def test_a_chat_begins_with_whoever_was_named(scene: Scene, named: str) -> None:
    async with seated(scene) as alice:
        await scene.enrolled(BOB)
        await alice.show(FirstChatScreen())
        await alice.type(named)
        await alice.press("enter")
        await alice.until(lambda: alice.answer, "an answer")
        assert alice.answer[0].direct == BOB.e164


async def test_what_cannot_be_read_and_who_is_not_there_is_told_and_nothing_is_lost(scene: Scene) -> None:
    async with seated(scene) as alice:
        await alice.show(FirstChatScreen())
        await alice.type("Bob")
        await alice.press("enter")
        await alice.sees("✗")
        await alice.press("end", "ctrl+u")
        await alice.type("+12025550143")
        await alice.press("enter")
        await alice.sees("A person must have enrolled before others can write to them.")
        await scene.enrolled(BOB)
        await alice.press("enter")
        await alice.until(lambda: alice.answer, "an answer")


async def test_the_own_code_can_be_shown_and_the_chat_put_off(scene: Scene) -> None:
    async with seated(scene) as alice:
        first = FirstChatScreen()
        await alice.show(first)
        await alice.pilot.click("#own")
        await alice.until(lambda: isinstance(alice.app.screen, InviteScreen), "the own code")
        await alice.sees("ringtrue:+12025550142")
        await alice.press("escape")
        await alice.until(lambda: alice.app.screen is first, "the first chat")
        await alice.pilot.click("#later")
        await alice.until(lambda: alice.answer == [None], "an answer")


@pytest.mark.parametrize("screen", [FirstChatScreen, InviteScreen])
async def test_somebody_who_is_quicker_is_told_of_by_number_only(
    scene: Scene, screen: type[FirstChatScreen] | type[InviteScreen]
) -> None:
    async with seated(scene) as alice:
        await alice.show(screen())
        await alice.asked(CAROL)
        await alice.sees("✓ NUMBER VERIFIED +1 202-555-0144 wants to talk to you: close this, then see Requests (F3).")
        assert TITLE not in alice.text
        assert BAIT not in alice.text
