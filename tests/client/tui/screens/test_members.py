"""The members of a group: what their certificates show, and what the roles allow."""

import pytest

from client.tui.screens.check_number import CheckNumberScreen
from client.tui.screens.members import MembersScreen
from tests.client.conftest import ALICE, BOB, CAROL
from tests.client.tui.screens.sheet_scene import SIZES, seated
from tests.client.tui.shell_scene import Scene


@pytest.mark.parametrize("size", SIZES)
async def test_each_device_shows_number_role_and_certificate(scene: Scene, size: tuple[int, int]) -> None:
    async with seated(scene, size) as alice:
        _, chat = await alice.ravi()
        await alice.show(MembersScreen(chat.group))
        await alice.sees("2 numbers, 2 devices; every certificate is in order.")
        for words in (
            "+1 202-555-0142 you, admin",
            "+1 202-555-0143 Ravi (your contact)",
            "✓ NUMBER VERIFIED",
            "until",
        ):
            assert words in alice.text
        for words in ("Admin or member", "Remove", "Invite", "Name", "Check number", "Message"):
            assert words in alice.text


async def test_an_admin_invites_promotes_and_removes(scene: Scene) -> None:
    async with seated(scene) as alice:
        _, chat = await alice.ravi()
        carol = await scene.person(CAROL)
        await carol.people.know(ALICE.e164)
        await alice.show(MembersScreen(chat.group))
        await alice.sees("2 devices")
        await alice.misses("Looking")
        await alice.press("i")
        await alice.sees("Number (with +")
        await alice.type("+1 202 555 0144")
        await alice.press("enter")
        await alice.sees("3 devices")
        await alice.sees("Invited.")
        await alice.press("G")
        await alice.press("a")
        await alice.sees("will be able to invite and remove people")
        await alice.press("right", "enter")
        await alice.until(lambda: "0144 admin" in alice.text, "Carol is an admin")
        await alice.press("x")
        await alice.sees("Remove from this chat?")
        await alice.press("enter")
        await alice.misses("Remove from this chat?")
        assert "+1 202-555-0144" in alice.text
        await alice.press("x")
        await alice.sees("Remove from this chat?")
        await alice.press("right", "enter")
        await alice.sees("2 devices")
        assert CAROL.e164 not in {member.number for member in await alice.api.chats.members(chat.group)}


async def test_a_chat_is_begun_anew_after_it_is_said_what_that_does(scene: Scene) -> None:
    async with seated(scene) as alice:
        bob, chat = await alice.ravi()
        await alice.show(MembersScreen(chat.group))
        await alice.sees("2 devices")
        await alice.misses("Looking")
        assert "b Begin anew" in alice.text
        await alice.press("b")
        await alice.sees("Begin Climbing group anew for everybody?")
        await alice.sees("This one ends for everybody")
        await alice.press("enter")  # the harmless answer
        await alice.misses("This one ends for everybody")
        assert (await alice.api.chats.get(chat.group)).standing == "active"
        await alice.press("b")
        await alice.sees("This one ends for everybody")
        await alice.press("right", "enter")
        await alice.until(lambda: alice.app.chat and alice.app.chat.group != chat.group, "the new chat is open")
        assert alice.app.chat is not None
        assert (await alice.api.chats.get(chat.group)).successor == alice.app.chat.group
        await bob.device.sync()
        assert {each.standing for each in await bob.chats.all()} == {"ended", "active"}


async def test_what_roles_forbid_is_dimmed_and_says_why(scene: Scene) -> None:
    async with seated(scene) as alice:
        bob, _ = await alice.ravi()
        theirs = await bob.chats.create("Bob's", [ALICE.e164])
        await bob.device.sync()
        await alice.api.device.sync()
        await alice.show(MembersScreen(theirs.group))
        await alice.sees("2 devices")
        await alice.sees("Only an admin of this chat can do this.")
        before = await alice.api.chats.members(theirs.group)
        for key in ("a", "x", "i", "b"):
            await alice.press(key)
            assert isinstance(alice.app.screen, MembersScreen)
        assert await alice.api.chats.members(theirs.group) == before
        bindings = alice.app.screen.active_bindings
        assert [bindings[key].enabled for key in ("a", "x", "i", "b", "c")] == [False, False, False, False, True]


async def test_a_name_is_given_and_the_other_keys_lead_on(scene: Scene) -> None:
    async with seated(scene) as alice:
        _, chat = await alice.ravi()
        await alice.show(MembersScreen(chat.group))
        await alice.sees("2 devices")
        await alice.misses("Looking")
        await alice.press("G", "n")
        await alice.sees("Your own name for +1 202-555-0143")
        await alice.type(" K")
        await alice.press("enter")
        await alice.sees("Ravi K (your contact)")
        await alice.press("c")
        await alice.until(lambda: isinstance(alice.app.screen, CheckNumberScreen), "the check number is shown")
        await alice.press("escape", "m")
        await alice.until(lambda: alice.app.chat is not None, "a chat is open")
        assert alice.app.chat is not None
        assert alice.app.chat.direct == "+12025550143"


async def test_a_group_without_roles_says_that_everybody_may_invite(scene: Scene) -> None:
    async with seated(scene) as alice:
        await scene.enrolled(BOB)
        await scene.enrolled(CAROL)
        chat = await alice.api.chats.create("Equals", [BOB.e164, CAROL.e164], roles=False)
        await alice.show(MembersScreen(chat.group))
        await alice.sees("everybody here may invite and remove")
        assert "you, admin" not in alice.text
        await alice.press("G", "a")
        await alice.sees("began without admins and has none")
        assert isinstance(alice.app.screen, MembersScreen)


async def test_nobody_removes_or_writes_to_themselves(scene: Scene) -> None:
    async with seated(scene) as alice:
        _, chat = await alice.ravi()
        await alice.show(MembersScreen(chat.group))
        await alice.sees("This is you.")
        await alice.press("x", "m", "n")
        assert isinstance(alice.app.screen, MembersScreen)
