"""People talk: real clients, the real authority and the real delivery service."""

from contextlib import AsyncExitStack

from client.chats import Standing
from client.events import ChatJoined, ChatNamed, MembersChanged, MessageDelivered, MessageReceived
from identity.binding import Verdict
from identity.number import TelephoneNumber

ALICE, BOB, CAROL = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4))


async def test_two_people_exchange_verified_messages(world, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("dinner", [BOB])
    message = await alice.send(chat.group_id, "hello")
    assert message.state == "delivered"
    events = await bob.receive()
    assert [type(event) for event in events] == [ChatJoined, ChatNamed, MessageReceived]
    received = events[-1].message
    assert (received.text, received.sender, received.chat) == ("hello", ALICE, "dinner")
    assert received.verification.verdict is Verdict.VERIFIED
    assert received.verification.number == ALICE
    answer = await bob.send(chat.group_id, "hello yourself")
    assert answer.state == "delivered"
    (event,) = await alice.receive()
    assert event.message.text == "hello yourself"
    assert event.message.verification.verdict is Verdict.VERIFIED
