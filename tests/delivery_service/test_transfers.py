"""Turns for what is large: who is slow or has many gives way to who has none, and nobody else does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest

from delivery_service.errors import RefusedError
from delivery_service.transfers import GRACE, SLOWEST, Transfers

EACH, TOGETHER = 2, 4


class Peers:
    """Numbers that send bodies to turns whose clock stands still."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns = Transfers(EACH, TOGETHER, lambda: self.now)
        self.sent: list[asyncio.Queue[bytes | None]] = []
        self.tasks: list[asyncio.Task[bytes]] = []

    async def begin(self, number: str, octets: int = 0) -> int:
        """A body of which so many octets have come; its place here."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.sent.append(queue)
        self.tasks.append(asyncio.create_task(self._receive(number, queue)))
        if octets:
            queue.put_nowait(bytes(octets))
        for _ in range(5):
            await asyncio.sleep(0)
        return len(self.sent) - 1

    async def end(self, place: int) -> int:
        """The size of a body, whose end has come."""
        self.sent[place].put_nowait(None)
        return len(await self.tasks[place])

    async def _receive(self, number: str, queue: asyncio.Queue[bytes | None]) -> bytes:
        async def chunks() -> AsyncIterator[bytes]:
            while (chunk := await queue.get()) is not None:
                yield chunk

        with self.turns.of(number) as transfer:
            return await transfer.whole(chunks())


@pytest.fixture
async def peers() -> AsyncIterator[Peers]:
    peers = Peers()
    yield peers
    for task in peers.tasks:
        task.cancel()
    await asyncio.gather(*peers.tasks, return_exceptions=True)


async def overloaded(peers: Peers, place: int) -> bool:
    with pytest.raises(RefusedError) as caught:
        await peers.tasks[place]
    return caught.value.word == "overloaded"


async def test_a_number_has_so_many_turns_however_fast_it_is(peers):
    places = [await peers.begin("a", 10**6) for _ in range(EACH + 1)]
    assert await overloaded(peers, places[-1])
    assert [await peers.end(place) for place in places[:-1]] == [10**6] * EACH
    assert await peers.end(await peers.begin("a", 7)) == 7


async def test_the_slowest_of_who_has_many_gives_way_to_who_has_none(peers):
    held = [await peers.begin(number, octets) for number, octets in (("a", 9), ("a", 5), ("b", 7), ("b", 8))]
    newcomer = await peers.begin("c")
    assert await overloaded(peers, held[1])
    assert len(peers.turns) == TOGETHER
    assert await peers.end(newcomer) == 0
    assert [await peers.end(held[place]) for place in (0, 2, 3)] == [9, 7, 8]
    assert len(peers.turns) == 0


async def test_nobody_gives_way_to_who_would_have_as_many(peers):
    held = [await peers.begin(number) for number in ("a", "a", "b", "c")]
    assert await overloaded(peers, await peers.begin("b"))
    assert [await peers.end(place) for place in held] == [0] * TOGETHER


@pytest.mark.parametrize(
    ("seconds", "octets", "gives_way"),
    [
        (GRACE, 0, False),
        (GRACE + 0.5, int((GRACE + 0.5) * SLOWEST) - 1, True),
        (GRACE + 0.5, int((GRACE + 0.5) * SLOWEST), False),
    ],
)
async def test_who_is_slower_than_the_slowest_allowed_gives_way_after_its_grace(peers, seconds, octets, gives_way):
    slow = await peers.begin("slow", octets)
    others = [await peers.begin(number, 10**6) for number in ("b", "c", "d")]
    peers.now += seconds
    newcomer = await peers.begin("e", 3)
    if gives_way:
        assert await overloaded(peers, slow)
        assert await peers.end(newcomer) == 3
    else:
        assert await overloaded(peers, newcomer)
        assert await peers.end(slow) == octets
    assert [await peers.end(place) for place in others] == [10**6] * 3


async def test_a_body_that_has_arrived_keeps_its_turn_while_it_is_worked_on(peers):
    with ExitStack() as turns:
        for number in ("a", "a", "b", "b"):
            turns.enter_context(peers.turns.of(number))
        peers.now += 1000
        assert await overloaded(peers, await peers.begin("c"))
    assert await peers.end(await peers.begin("c")) == 0


async def test_a_body_whose_last_octets_come_as_its_turn_is_lost_is_refused(peers):
    """Its turn is another's already: nothing more may be done for it."""
    held = [await peers.begin(number) for number in ("a", "a", "b", "c")]
    peers.sent[held[0]].put_nowait(None)
    with peers.turns.of("d"):
        lost = await asyncio.gather(*(peers.tasks[place] for place in held[:1]), return_exceptions=True)
    assert isinstance(lost[0], RefusedError)


async def test_who_gives_up_waiting_is_not_said_to_be_slow(peers):
    place = await peers.begin("a")
    peers.tasks[place].cancel()
    with pytest.raises(asyncio.CancelledError):
        await peers.tasks[place]
    assert len(peers.turns) == 0
