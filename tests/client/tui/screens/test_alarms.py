"""Alarms on the screen: what was seen, what to do, and that they go only when a person puts them away."""

from contextlib import AsyncExitStack

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from client.credentials.enrolment import EnrolmentClient
from client.defence.watch import INTERVAL
from client.tui.screens.alarms import AlarmsScreen
from client.tui.screens.members import MembersScreen
from client.tui.screens.new_chat import NewChatScreen
from client.tui.status_line import StatusLine
from tests.client.conftest import ALICE, AUTHORITY, BOB, CAROL
from tests.client.tui.screens.sheet_scene import SIZES, Seat, seated
from tests.client.tui.shell_scene import Scene


async def certified_elsewhere(seat: Seat) -> None:
    """Somebody has a code of Alice's number and a key of their own; then Alice's client looks."""
    world = seat.scene.world
    async with EnrolmentClient(AUTHORITY, clock=world.clock, transport=world.network) as authority:
        anchors = await authority.anchors()
        opened = await authority.challenge(ALICE)
        key = ec.generate_private_key(ec.SECP256R1())
        await authority.certify(opened.challenge, world.codes.codes[ALICE], key, ALICE, anchors)
    world.clock.now += INTERVAL + 1
    await seat.api.device.sync()


@pytest.mark.parametrize("size", SIZES)
async def test_an_alarm_says_what_was_seen_and_what_to_do(scene: Scene, size: tuple[int, int]) -> None:
    async with seated(scene, size) as alice:
        await certified_elsewhere(alice)
        await alice.show(AlarmsScreen())
        await alice.sees("Your number was certified for another key, by a code that was sent to it")
        assert "What to do: If it is another device of yours" in alice.text
        for words in ("Put away", "It is my device", "Close"):
            assert words in alice.text


async def test_the_status_line_shows_it_until_it_is_put_away_on_purpose(scene: Scene) -> None:
    async with seated(scene) as alice:
        await certified_elsewhere(alice)
        line = alice.app.main.query_one(StatusLine)
        await alice.until(lambda: "✗ 1 ALARM: /alarms" in line.render().plain, "the alarm in the status line")
        await alice.show(AlarmsScreen())
        await alice.sees("certified for another key")
        await alice.press("p", "enter")
        await alice.sees("certified for another key")  # the first answer is the harmless one
        await alice.press("p", "right", "enter")
        await alice.sees("Nothing was seen")
        await alice.until(lambda: "ALARM" not in line.render().plain, "no alarm in the status line")


async def test_another_device_of_ones_own_is_told_so(scene: Scene) -> None:
    async with seated(scene) as alice:
        await certified_elsewhere(alice)
        await alice.show(AlarmsScreen())
        await alice.sees("certified for another key")
        await alice.press("m", "right", "enter")
        await alice.sees("Nothing was seen")
        assert [key.named for key in await alice.api.people.keys(ALICE.e164)] == [True, True]


async def test_members_on_a_key_that_was_not_met_are_marked_and_removed_one_by_one(scene: Scene) -> None:
    async with seated(scene) as alice, AsyncExitStack() as later:
        await alice.ravi()
        await later.enter_async_context(scene.world.holder(BOB, "the new holder"))
        carol = await scene.person(CAROL)
        theirs = await carol.chats.create("Carol's", [ALICE.e164, BOB.e164], roles=False)
        await alice.api.device.sync()
        await alice.api.people.accept(theirs.group)
        await alice.show(MembersScreen(theirs.group))
        await alice.sees("3 numbers, 4 devices; every certificate is in order; ⚠ 1 key not met")
        members = await alice.api.chats.members(theirs.group)
        (unmet,) = [row for row, member in enumerate(members) if not member.met]
        assert f"⚠ KEY NOT MET, key {members[unmet].key[:8]}" in alice.text

        await alice.press(*["j"] * unmet)
        await alice.sees("Remove this device")
        await alice.press("d")
        await alice.sees("Other devices of the number stay.")
        await alice.press("right", "enter")
        await alice.sees("3 numbers, 3 devices; every certificate is in order")
        assert all(member.met for member in await alice.api.chats.members(theirs.group))


async def test_a_key_is_the_same_persons_once_a_person_says_so(scene: Scene) -> None:
    async with seated(scene) as alice, AsyncExitStack() as later:
        await alice.ravi()
        await later.enter_async_context(scene.world.holder(BOB, "the new telephone"))
        chat = await alice.api.chats.create("Both", [BOB.e164], new_keys=True)
        await alice.show(MembersScreen(chat.group))
        await alice.sees("3 devices")
        members = await alice.api.chats.members(chat.group)
        (other,) = [row for row, member in enumerate(members) if not member.named]
        await alice.press(*["j"] * other)
        await alice.sees("Same person")
        await alice.press("s")
        await alice.sees("is the same person's as before")
        await alice.press("right", "enter")
        await alice.sees("The number's name goes with this key now.")
        assert all(member.named for member in await alice.api.chats.members(chat.group))


async def test_a_known_number_on_a_new_key_is_written_to_only_after_a_question(scene: Scene) -> None:
    async with seated(scene) as alice:
        await alice.ravi()
        async with scene.world.holder(BOB, "the new holder"):
            await alice.show(NewChatScreen(BOB.e164))
            await alice.sees("A chat with +1 202-555-0143")
            await alice.press("enter")
            await alice.sees("is now on a key that you have not met")
            await alice.press("enter")
            await alice.misses("Go on with the new key")
            await alice.sees("Ask them by another way")
            assert [chat.direct for chat in await alice.api.chats.all()] == [None]
