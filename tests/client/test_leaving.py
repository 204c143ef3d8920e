"""Leaving a chat that somebody else has ended meanwhile."""

from contextlib import AsyncExitStack

import pytest

from client.errors import ChatError
from client.records.chats import Standing
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
    await bob.leave(chat.group_id)
    # Both would be proposed; the second, refused, would take the first with it out of the cache.
    noted = {await bob.worker.run(bob.steps.committer.leave, chat.group_id) for _ in range(2)}
    assert noted == {intent.id for intent in bob.steps.committer._intents.of(chat.group_id)}
    await alice.receive()
    assert "Gap" not in [type(event).__name__ for event in await bob.receive()]
    assert (await bob.chats())[0].standing is Standing.LEFT
