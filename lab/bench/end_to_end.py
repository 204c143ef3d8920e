"""From sending to a verified receive, over the real services; and how much of that the binding takes."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from types import ModuleType
from typing import Any

from client import receiving, sending
from client.delivery import DeliveryClient
from client.outbox import new_idempotency_key
from identity.binding import Verdict, Verification
from lab.bench.rows import Aim, Row
from lab.casting import GROUP_NAME, MALLORY, enrol_friends, make_group
from lab.readings import reading
from lab.stage import Person
from lab.world import World

MESSAGES, QUICK_MESSAGES = 300, 20
WARM_UP = 10
TEXT = "Train at 7:12, platform 3. Then breakfast on the train."
SHARE = Aim("ratio", "at most", 0.15)


def run(quick: bool = False) -> list[Row]:
    """Alice sends, Bob receives, one after the other, in a group of three; stores are encrypted and durable."""
    return asyncio.run(_run(QUICK_MESSAGES if quick else MESSAGES))


async def _run(messages: int) -> list[Row]:
    async with World() as world:
        alice, bob, carol = await enrol_friends(world)
        group_id = await make_group(alice, [bob, carol], GROUP_NAME)
        with timed(sending, "attest") as attesting, timed(receiving, "verify_message") as verifying:
            whole = [await _send_and_receive(alice, bob, group_id) for _ in range(WARM_UP + messages)][WARM_UP:]
        carried = [await _carry(world, octets) for octets in [bytes(1_000)] * messages]
    binding = [sum(pair) for pair in zip(attesting[-messages:], verifying[-messages:], strict=True)]
    total = median(whole)
    return [
        Row("send to verified receive", total, "ms", 3, "the same octets, posted and read only", median(carried)),
        Row("binding's share (attest + verify)", median(binding), "ms", 3, "send to verified receive", total, SHARE),
    ]


async def _send_and_receive(alice: Person, bob: Person, group_id: bytes) -> float:
    started = time.perf_counter()
    message = await alice.session.send(group_id, TEXT)
    return started


@contextmanager
def timed(module: ModuleType, name: str) -> Iterator[list[float]]:
    """Measure every call of a module's function where it is called, in milliseconds."""
    original, spent = getattr(module, name), []

    def measured(*arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        result = original(*arguments, **named)
        spent.append(1000 * (time.perf_counter() - started))
        return result

    setattr(module, name, measured)
    try:
        yield spent
    finally:
        setattr(module, name, original)
