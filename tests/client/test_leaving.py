"""Leaving a chat that somebody else has ended meanwhile."""

from contextlib import AsyncExitStack

import pytest

from client.chats import Standing
from client.errors import ChatError, UnreachableError
from tests.client.conftest import ALICE, BOB, World


async def test_who_was_removed_before_leaving_is_told_so(world: World, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("dinner", [BOB])
    await bob.receive()
    await alice.remove(chat.group_id, [BOB])
    with pytest.raises(ChatError) as refused:
        await bob.leave(chat.group_id)
    assert refused.value.code == "not-a-member"
    assert (await bob.chats())[0].standing is Standing.REMOVED


async def test_who_asks_twice_to_leave_leaves_once(world: World, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("dinner", [BOB])
    await bob.receive()
    world.network.down.add("delivery.test")
    for _ in range(2):
        with pytest.raises(UnreachableError):
            await bob.leave(chat.group_id)
    world.network.down.clear()
    await bob.sync()
    await bob.leave(chat.group_id)  # and again, now that it is proposed
    await alice.receive()
    assert "Gap" not in [type(event).__name__ for event in await bob.receive()]
    assert (await bob.chats())[0].standing is Standing.LEFT
