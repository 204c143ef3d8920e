"""A device whose clock went ahead for a while, and was put right."""

from contextlib import AsyncExitStack

from client.events import Gap, MessageReceived
from tests.client.conftest import ALICE, BOB, World

AHEAD = 1_000  # seconds


async def test_what_was_seen_by_a_clock_that_ran_ahead_accuses_nobody(world: World, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("dinner", [BOB])
    await bob.receive()
    world.clock.now += AHEAD
    await bob.receive()  # nothing new, at a time that is yet to come
    world.clock.now -= AHEAD - 10
    await alice.send(chat.group_id, "at eight?")
    events = await bob.receive()
    assert [event for event in events if isinstance(event, Gap)] == []
    assert [event.message.text for event in events if isinstance(event, MessageReceived)] == ["at eight?"]
