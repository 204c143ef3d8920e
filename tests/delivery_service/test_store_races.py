"""Two replicas of the service on one PostgreSQL database: whatever they race for, it is as if one had come first."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TypeVar

import pytest

from delivery_service.errors import DeliveryError, OutdatedError, RefusedError
from delivery_service.quotas import NO_QUOTAS, Quotas
from delivery_service.storage.database import Database
from delivery_service.storage.postgresql import PostgresqlEngine
from delivery_service.storage.store import Store
from delivery_service.wire import Appended
from tests.delivery_service.stored import (
    ALICE,
    BOB,
    GROUP,
    NOW,
    Recorder,
    approach,
    claim,
    invite,
    new_commit,
    new_entry,
    new_group,
    package,
)

T = TypeVar("T")


@asynccontextmanager
async def replica(database: str) -> AsyncIterator[Store]:
    engine = PostgresqlEngine(Database(database, one_copy=True))
    engine.start(Recorder())
    try:
        yield Store(engine)
    finally:
        await engine.stop()


@pytest.fixture
async def stores(database: str) -> AsyncIterator[list[Store]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(replica(database)) for _ in range(2)]


async def outcomes(requests: Sequence[Awaitable[object]]) -> Counter[str]:
    """How often each outcome was had: `accepted`, or the word of the refusal."""
    answers = await asyncio.gather(*requests, return_exceptions=True)
    broken = [answer for answer in answers if isinstance(answer, Exception) and not isinstance(answer, RefusedError)]
    assert not broken
    return Counter(answer.word if isinstance(answer, RefusedError) else "accepted" for answer in answers)


async def word_or_answer(request: Awaitable[T]) -> T | str:
    try:
        return await request
    except RefusedError as error:
        return error.word


async def test_one_of_the_racing_commits_of_an_epoch_wins(stores):
    await stores[0].create_group(new_group())
    for epoch in range(12):
        racing = [stores[turn % 2].commit(new_commit(epoch)) for turn in range(6)]
        assert (await outcomes(racing))["accepted"] == 1
    assert [(await store.read(GROUP, ALICE, 0)).head for store in stores] == [12, 12]
    assert [entry.epoch for entry in (await stores[1].read(GROUP, ALICE, 0)).entries] == list(range(12))


async def test_messages_keep_their_order_and_epoch_while_commits_race_with_them(stores):
    await stores[0].create_group(new_group())
    epochs = 10
    accepted: list[Appended] = []

    async def chatter(store: Store) -> None:
        epoch = 0
        while epoch < epochs:
            answer = await word_or_answer(store.append(new_entry(epoch)))
            if isinstance(answer, Appended):
                accepted.append(answer)
            else:
                assert answer == "stale-epoch"
                epoch += 1

    async def rule(store: Store) -> None:
        for epoch in range(epochs):
            accepted.append(await store.commit(new_commit(epoch)))

    await asyncio.gather(*(chatter(store) for store in stores for _ in range(4)), rule(stores[0]))
    read = []
    while (batch := await stores[1].read(GROUP, ALICE, len(read))).entries:
        read += batch.entries
    assert [entry.seq for entry in read] == list(range(1, len(accepted) + 1))
    assert [(entry.seq, entry.epoch) for entry in read] == sorted((answer.seq, answer.epoch) for answer in accepted)
    assert [entry.epoch for entry in read] == sorted(entry.epoch for entry in read)


async def test_one_key_at_both_replicas_at_once_is_one_entry(stores):
    await stores[0].create_group(new_group())
    for turn in range(20):
        entry = new_entry()
        answers = await asyncio.gather(*(stores[each % 2].append(entry) for each in range(8)))
        assert set(answers) == {Appended(turn + 1, 0)}


async def test_one_commit_at_both_replicas_at_once_is_one_entry(stores):
    await stores[0].create_group(new_group())
    for epoch in range(6):
        commit = new_commit(epoch)
        answers = await asyncio.gather(*(store.commit(commit) for store in stores))
        assert set(answers) == {Appended(epoch + 1, epoch)}


async def test_a_group_is_founded_once(stores):
    for turn in range(6):
        group_id = b"group %d" % turn
        racing = [store.create_group(new_group(group_id, secrets.token_bytes(16))) for store in stores]
        assert await outcomes(racing) == {"accepted": 1, "group-exists": 1}


async def test_no_key_package_is_handed_out_twice(stores):
    packages = [package(secrets.token_bytes(16)) for _ in range(40)]
    await stores[0].add_key_packages(BOB, "+1", packages, None, NOW)
    answers = await asyncio.gather(*(claim(stores[turn % 2], "+1") for turn in range(48)), return_exceptions=True)
    handed = [body for answer in answers if isinstance(answer, list) for body in answer]
    refusals = Counter(answer.word for answer in answers if isinstance(answer, RefusedError))
    assert len(handed) == len(set(handed))
    assert len(handed) + refusals.total() == 48
    assert set(refusals) <= {"no-key-package", "overloaded"}
    assert len(handed) == 40 or "overloaded" in refusals


async def test_a_quota_holds_over_both_replicas(stores):
    targets = [f"+1{turn}" for turn in range(16)]
    for target in targets:
        await stores[0].add_key_packages(f"{target}/d".encode(), target, [], package(target.encode()), NOW)
    quotas = Quotas(5, None, None)
    racing = [stores[turn % 2].claim(approach(target=target), quotas) for turn, target in enumerate(targets)]
    counts = await outcomes(racing)
    assert counts["accepted"] <= 5
    for target in targets:
        assert await word_or_answer(stores[1].claim(approach(target=target), quotas)) in (
            "rate-limited",
            [b"package " + target.encode()],
        )
    known = [await word_or_answer(stores[0].claim(approach(target=each), Quotas(0, None, None))) for each in targets]
    assert sum(isinstance(answer, list) for answer in known) == 5


async def test_a_handshake_judged_beside_another_replica_s_is_outdated(stores):
    await stores[0].create_group(new_group())
    proposals = [replace(new_entry(), kind="proposal", observer=b"judged beside") for _ in stores]
    answers = await asyncio.gather(
        *(store.append(entry) for store, entry in zip(stores, proposals, strict=True)), return_exceptions=True
    )
    assert sorted(type(answer) for answer in answers if isinstance(answer, DeliveryError)) == [OutdatedError]
    assert [await store.observer(GROUP) for store in stores] == [(1, b"judged beside")] * 2


async def test_what_one_replica_answered_the_other_reads_at_once(stores):
    await stores[0].create_group(new_group())
    await invite(stores[1], BOB)
    for turn in range(20):
        seq = (await stores[turn % 2].append(new_entry(1, BOB))).seq
        assert (await stores[1 - turn % 2].read(GROUP, ALICE, seq - 1)).entries[-1].seq == seq


async def test_a_nonce_is_spent_at_one_of_the_replicas(stores):
    for turn in range(10):
        racing = [store.spend_nonce(ALICE, f"nonce {turn}", NOW) for store in stores]
        assert await outcomes(racing) == {"accepted": 1, "invalid-signature": 1}


async def test_grants_and_claims_do_not_pass_each_other(stores):
    """A claim is refused, or it came before the mode that forbids it: it never adds to what was forbidden before it."""
    await stores[0].add_key_packages(b"+2/d", "+2", [], package(b"last"), NOW)
    racing = [stores[0].set_mode("+2", "contacts", [])]
    racing += [stores[1].claim(approach(f"+3{turn}"), NO_QUOTAS) for turn in range(4)]
    await asyncio.gather(*racing, return_exceptions=True)
    assert (await outcomes([stores[0].claim(approach("+99"), NO_QUOTAS)])) == {"no-consent": 1}
