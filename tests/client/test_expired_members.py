"""A member whose certificate ran out: who may still join, and what is said."""

from contextlib import AsyncExitStack

import pytest

from client.errors import GroupRefusedError
from client.events import ChatJoined, MessageReceived
from identity.binding import Verdict
from identity.number import TelephoneNumber

ALICE, BOB, CAROL = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4))
DAY = 86_400


async def test_nobody_is_added_beside_an_expired_member_and_the_refusal_says_why(world, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("sleepers", [BOB])
    await bob.receive()
    for _ in range(3):  # Alice is about, Bob sleeps for nine days
        world.clock.now += 3 * DAY
        await alice.receive()
    (carol,) = await world.people(stack, CAROL)
    with pytest.raises(GroupRefusedError, match=r"while \+1 202-555-0143 is a member .* expired|not valid now"):
        await alice.add(chat.group_id, [CAROL])
    assert CAROL not in await alice.members(chat.group_id)
    assert await carol.receive() == []

    await bob.receive()  # awake: renews, and puts the new certificate into the group
    await alice.receive()
    await alice.add(chat.group_id, [CAROL])
    joined = (await carol.receive())[0]
    assert isinstance(joined, ChatJoined)
    await bob.send(chat.group_id, "good morning")
    (received,) = (event.message for event in await carol.receive() if isinstance(event, MessageReceived))
    assert received.verification.verdict is Verdict.VERIFIED
