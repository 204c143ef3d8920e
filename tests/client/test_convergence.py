"""Two clients commit at once, a thousand times: no fork, both converge, every intent is carried out or reported."""

import asyncio
import os
import random
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from client.errors import ChatError
from client.events import IntentSettled
from client.session import Session
from identity.number import TelephoneNumber

ROUNDS = 1_000
SEED = 20261123
ALICE, BOB, CAROL = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4))


@pytest.fixture
def tmp_path() -> AsyncIterator[Path]:
    """In memory where the system has such a folder: what is tested is order, not the disk."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


class Committing:
    """What one client does in a round, and what it was told about its intents."""

    def __init__(self, session: Session, group_id: bytes, random: random.Random) -> None:
        self.session = session
        self.group_id = group_id
        self.outcomes: Counter[str] = Counter()
        self._random = random

    async def act(self) -> None:
        with self.session.listening() as events:
            try:
                await self._one_thing()
            except ChatError as error:
                self.outcomes[error.code] += 1
            while not events.empty():
                event = events.get_nowait()
                if isinstance(event, IntentSettled):
                    self.outcomes[event.outcome] += 1

    async def _one_thing(self) -> None:
        carol_is_in = CAROL in await self.session.members(self.group_id)
        match self._random.choices(("refresh", "membership", "send"), (70, 20, 10))[0]:
            case "refresh":
                await self.session.refresh(self.group_id)
            case "membership" if carol_is_in:
                await self.session.remove(self.group_id, [CAROL])
            case "membership":
                await self.session.add(self.group_id, [CAROL])
            case "send":
                message = await self.session.send(self.group_id, "in between")
                assert message.state == "delivered"
                self.outcomes["sent"] += 1

    async def epoch(self) -> tuple[int, bytes]:
        chat = await self.session.find_chat(self.group_id.hex())
        return chat.epoch, await self.session.worker.run(self.session.steps.groups.authenticator, self.group_id)


async def test_two_clients_that_commit_at_once_always_converge(world, stack: AsyncExitStack) -> None:
    alice, bob, carol = await world.people(stack, ALICE, BOB, CAROL)
    chat = await alice.create_chat("race", [BOB])
    await bob.receive()
    seeded = random.Random(SEED)
    both = [Committing(session, chat.group_id, seeded) for session in (alice, bob)]
    await alice.receive()
    start, _ = await both[0].epoch()
    for number in range(ROUNDS):
        await asyncio.gather(*(each.act() for each in both))
        await asyncio.gather(*(each.session.receive() for each in both))
        mine, theirs = [await each.epoch() for each in both]
        assert mine == theirs, f"a fork in round {number}"
        world.clock.now += 100  # seconds; the service's hourly limits are not what is tested
        if number % 50 == 0:
            await carol.receive()
    outcomes = both[0].outcomes + both[1].outcomes
    # Each round each client did one thing, and heard what became of it.
    assert sum(outcomes.values()) == 2 * ROUNDS
    assert outcomes["refused"] == 0
    assert mine[0] - start == outcomes["done"]
    assert world.network.statuses[409] > ROUNDS / 4, "they hardly ever met"
    for session in (alice, bob):
        assert not [row for row in await session.history(chat.group_id, 10_000) if row.kind == "gap"]
    print(f"outcomes {dict(outcomes)}, refused as stale {world.network.statuses[409]}")
