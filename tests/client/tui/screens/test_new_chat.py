"""A new chat: read back before it is made; one number makes a direct chat, several a group with roles."""

import pytest

from client.tui.screens.new_chat import NewChatScreen
from tests.client.conftest import BOB, CAROL
from tests.client.tui.screens.sheet_scene import SIZES, Seat, seated
from tests.client.tui.shell_scene import Scene


async def given(alice: Seat, numbers: str) -> None:
    alice.app.screen.query_one("#numbers").value = numbers
    await alice.pilot.pause()


@pytest.mark.parametrize("size", SIZES)
async def test_the_number_is_read_back_before_anything_is_made(scene: Scene, size: tuple[int, int]) -> None:
    async with seated(scene, size) as alice:
        await scene.enrolled(BOB)
        await alice.show(NewChatScreen())
        assert "a ringtrue: address, or a short code; several with commas." in alice.text
        await given(alice, "+1 (202) 5550143")
        await alice.sees("▸ A chat with +1 202-555-0143")
        for words in ("Cancel", "Create"):
            assert words in alice.text
        assert await alice.api.chats.all() == []
        await alice.press("enter")
        await alice.until(lambda: alice.answer, "the chat is made")
        assert alice.answer[0].direct == BOB.e164


@pytest.mark.parametrize("form", ["short_code", "invite"])
async def test_a_code_or_an_address_is_read_back_as_a_number(scene: Scene, form: str) -> None:
    async with seated(scene) as alice:
        bob = await scene.person(BOB)
        await alice.show(NewChatScreen())
        await given(alice, getattr(await bob.device.account(), form))
        await alice.sees("▸ A chat with +1 202-555-0143")


@pytest.mark.parametrize("size", SIZES)
async def test_several_numbers_make_a_group_with_a_name_and_roles(scene: Scene, size: tuple[int, int]) -> None:
    async with seated(scene, size) as alice:
        await scene.enrolled(BOB)
        await scene.enrolled(CAROL)
        await alice.show(NewChatScreen("+1 202 555 0143, +1 202 555 0144"))
        await alice.sees("A group with +1 202-555-0143, +1 202-555-0144. Give it a name.")
        await alice.press("enter")
        assert isinstance(alice.app.screen, NewChatScreen)
        await alice.press("tab")
        await alice.type("Climbing")
        await alice.sees("▸ A group with")
        assert "[x] You are its admin" in alice.text
        await alice.press("enter")
        await alice.until(lambda: alice.answer, "the group is made")
        members = await alice.api.chats.members(alice.answer[0].group)
        assert [member.admin for member in members] == [True, False, False]


async def test_without_roles_everybody_is_equal(scene: Scene) -> None:
    async with seated(scene) as alice:
        await scene.enrolled(BOB)
        await scene.enrolled(CAROL)
        await alice.show(NewChatScreen("+1 202 555 0143, +1 202 555 0144"))
        await alice.press("tab")
        await alice.type("Climbing")
        await alice.press("tab", "space")
        await alice.sees("[ ] You are its admin")
        await alice.press("tab", "tab", "enter")
        await alice.until(lambda: alice.answer, "the group is made")
        members = await alice.api.chats.members(alice.answer[0].group)
        assert all(member.admin for member in members)


async def test_what_goes_wrong_is_told_in_the_sheet(scene: Scene) -> None:
    async with seated(scene) as alice:
        await alice.show(NewChatScreen())
        await given(alice, "hello")
        await alice.sees("? This is no number, address or code yet.")
        await alice.press("enter")
        await alice.sees("✗ 'hello' is neither a number with + in front nor a code")
        await given(alice, "+1 202 555 0177")
        await alice.sees("▸ A chat with +1 202-555-0177")
        await alice.press("enter")
        await alice.sees("must have enrolled before others can write to them")
        await given(alice, "+1 202 555 0142")
        await alice.press("enter")
        await alice.sees("This is your own number.")
        await alice.press("escape")
        assert alice.answer == [None]
        assert await alice.api.chats.all() == []
