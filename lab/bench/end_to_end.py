"""From sending to a verified receive, over the real services; and how much of that the binding takes."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from types import ModuleType
from typing import Any

from client.steps import arriving, sending
from identity.binding import Verdict
from lab.bench.rows import Aim, Row
from lab.casting import cast
from lab.people import Person
from lab.readings import reading, verdict
from lab.stage import Stage
from lab.world import World

MESSAGES, QUICK_MESSAGES = 300, 20
WARM_UP = 10
TEXT = "Train at 7:12, platform 3. Then breakfast on the train."
SHARE = Aim("ratio", "at most", 0.15)


def run(quick: bool = False) -> list[Row]:
    """Alice sends, Bob receives, one after the other, in a group of four; stores are encrypted and durable."""
    return asyncio.run(_run(QUICK_MESSAGES if quick else MESSAGES))


async def _run(messages: int) -> list[Row]:
    async with World() as world:
        stage = await cast(world)
        alice, bob, _ = stage.people
        with timed(sending, "attest_message") as attesting, timed(arriving, "verify_message") as verifying:
            whole = [await send_and_receive(alice, bob, stage.group) for _ in range(WARM_UP + messages)]
        carried = [await _carry(stage) for _ in range(messages)]
    binding = [sum(pair) for pair in zip(attesting, verifying, strict=True)]
    elapsed, computing = (median(times) for times in zip(*whole[WARM_UP:], strict=True))
    note = "the rest: two encrypted durable stores, MLS, and the requests that say what is new"
    share_note = "computing, not waiting: the share of the elapsed time is smaller still"
    return [
        Row("send to verified receive", elapsed, "ms", 4, "ciphertext posted and read", median(carried), note=note),
        Row(
            "the binding's share of its CPU time",
            median(binding[WARM_UP:]),
            "ms",
            4,
            "CPU, clients and service",
            computing,
            SHARE,
            share_note,
        ),
    ]


async def send_and_receive(alice: Person, bob: Person, group_id: bytes) -> tuple[float, float]:
    """Elapsed and CPU milliseconds of the whole process: both clients and the services."""
    started, computed = time.perf_counter(), time.process_time()
    message = await alice.session.send(group_id, TEXT)
    events = await bob.session.receive()
    spent = 1000 * (time.perf_counter() - started), 1000 * (time.process_time() - computed)
    found = reading(events, group_id, message.seq)
    if verdict(found) is not Verdict.VERIFIED:
        raise RuntimeError("a message was not verified")
    return spent


async def _carry(stage: Stage) -> float:
    """Post and read an entry as an own member's bare engine does it: no proof, no store, no second client."""
    mallory, group_id = stage.mallory, stage.group
    await mallory.listen(group_id)
    ciphertext = mallory.encrypt(group_id, bytes(1_000))
    started = time.perf_counter()
    seq = await mallory.post(group_id, ciphertext)
    await mallory.delivery.entries(group_id, seq - 1)
    return 1000 * (time.perf_counter() - started)


@contextmanager
def timed(owner: ModuleType | type, name: str) -> Iterator[list[float]]:
    """Measure every call of a function where it is called, of a module or a class, in milliseconds."""
    original, spent = getattr(owner, name), []

    def measured(*arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        result = original(*arguments, **named)
        spent.append(1000 * (time.perf_counter() - started))
        return result

    setattr(owner, name, measured)
    try:
        yield spent
    finally:
        setattr(owner, name, original)
