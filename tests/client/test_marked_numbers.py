"""Numbers that are marked as sending no messages: their holder is told before anybody has to refuse what they write."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from client.desk.desk import Desk
from client.errors import ChatError
from client.storage.home import Home
from identity.authority.folder import open_store
from identity.authority.markings import Markings
from identity.number_attributes import NumberAttributes

from .conftest import ALICE, BOB, World


def mark(world: World, attributes: NumberAttributes) -> None:
    store = open_store(Path(world.folder) / "authority")
    with store.transaction():
        Markings(store).mark(ALICE.e164, attributes)
    store.close()


async def test_a_number_that_sends_no_messages_reads_and_is_told_that_nobody_takes_what_it_writes(
    world: World, stack: AsyncExitStack
) -> None:
    mark(world, NumberAttributes(do_not_originate_messaging=True))
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("switchboard", [BOB])
    await bob.receive()

    with pytest.raises(ChatError, match="sends no messages") as refused:
        await alice.send(chat.group_id, "hello")

    assert refused.value.code == "no-messages"
    assert "operator" in refused.value.hint
    assert [row.kind for row in await alice.history(chat.group_id)] == ["notice"], "no name that others would refuse"
    desk = Desk(bob, Home(Path(world.folder)), world.clock)
    await desk.people.accept(chat.group_id.hex())
    assert [row.kind for row in await bob.history(chat.group_id)] == ["notice"], "nothing came that had to be refused"
    await bob.send(chat.group_id, "I need a line")
    await alice.receive()
    assert [row.text for row in await alice.history(chat.group_id)][-1] == "I need a line"


async def test_a_number_that_makes_no_calls_writes_as_any_other(world: World, stack: AsyncExitStack) -> None:
    mark(world, NumberAttributes(do_not_originate=True))
    alice, _ = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("switchboard", [BOB])
    assert (await alice.send(chat.group_id, "hello")).state == "delivered"
