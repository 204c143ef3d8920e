"""An open account stays as large as it is: what is done leaves nothing in the process, and caches are bounded."""

import asyncio
import gc
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from client.events import MessageReceived
from client.exchange import HOLE_PAUSE
from client.records import history
from client.session import Session
from tests.client.conftest import ALICE, BOB, CAROL, World
from tests.client.test_lying_service import Liar, liar

__all__ = ["liar"]  # a fixture

ROUNDS = 4


def held() -> Counter[str]:
    """How many of our objects there are, by class: those of the clients and of what they are made of."""
    gc.collect()
    kinds = (type(each) for each in gc.get_objects())
    return Counter(kind.__qualname__ for kind in kinds if str(kind.__module__).startswith(("client.", "identity.")))


async def a_round(alice: Session, bob: Session, group_id: bytes) -> None:
    """Messages both ways, new keys, a member who comes and goes, a refusal, and everything read and looked at."""
    for sender, reader in ((alice, bob), (bob, alice)):
        await sender.send(group_id, "a few words")
        await sender.refresh(group_id)
        assert [event for event in await reader.receive() if isinstance(event, MessageReceived)]
        await reader.history(group_id)
    await alice.add(group_id, [CAROL])
    await bob.receive()
    await bob.remove(group_id, [CAROL])
    await alice.receive()


async def test_traffic_leaves_nothing_in_the_process(world: World, stack: AsyncExitStack) -> None:
    alice, bob, _ = await world.people(stack, ALICE, BOB, CAROL)
    chat = await alice.create_chat("for ever", [BOB])
    await bob.receive()
    for _ in range(2):
        await a_round(alice, bob, chat.group_id)
    before, tasks = held(), len(asyncio.all_tasks())
    for _ in range(ROUNDS):
        world.clock.now += 600
        await a_round(alice, bob, chat.group_id)
    grown = held() - before
    assert {kind: count for kind, count in grown.items() if count >= ROUNDS} == {}
    assert len(asyncio.all_tasks()) == tasks


async def test_what_was_left_out_is_remembered_only_until_it_may_be_asked_for_again(
    world: World, liar: Liar, stack: AsyncExitStack
) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("holes", [BOB])
    await bob.receive()
    lost: set[int] = set()
    liar.lie = lambda entries: [entry for entry in entries if entry.seq not in lost]
    for _ in range(3):
        for text in ("one", "two", "three"):
            await alice.send(chat.group_id, text)
        lost.add((await alice.history(chat.group_id))[-1].seq - 1)
        await bob.receive()
        assert [place for _, place in bob._exchange._asked] == sorted(lost)
        lost.clear()  # what is asked for once more comes after all
        world.clock.now += HOLE_PAUSE
        await alice.send(chat.group_id, "four")
        assert sum(isinstance(event, MessageReceived) for event in await bob.receive()) == 2
        world.clock.now += HOLE_PAUSE


async def test_chains_are_remembered_up_to_a_limit(
    world: World, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "CHAINS_LIMIT", 1)
    people = await world.people(stack, ALICE, BOB, CAROL)
    alice, *others = people
    chat = await alice.create_chat("three", [BOB, CAROL])
    for person in people:
        await person.receive()
        await person.send(chat.group_id, "here")
    await alice.receive()
    for _ in range(2):
        rows = [row for row in await alice.history(chat.group_id) if row.verification is not None]
        chains = [row.verification.evidence.chain for row in rows]
        assert chains == [person.account.chain for person in others]
        assert alice.steps.history._chain.cache_info().currsize == 1
