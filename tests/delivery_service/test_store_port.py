"""What every engine behind the store port promises."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from delivery_service.errors import OutdatedError, RefusedError, StartError, StoreError
from delivery_service.quotas import NO_QUOTAS, Quotas
from delivery_service.storage.database import Database
from delivery_service.storage.engine import Engine
from delivery_service.storage.postgresql import PostgresqlEngine
from delivery_service.storage.sqlite import SqliteEngine, check_sqlite
from delivery_service.storage.store import Store
from delivery_service.storage.transaction import Transaction
from delivery_service.storage.values import (
    Change,
    KeptOpening,
    NewWelcome,
    Notified,
    Stock,
    Waiting,
)
from delivery_service.wire import (
    CONTACT_REQUEST_LIFETIME,
    CONTACT_REQUEST_PAUSE,
    KEY_PACKAGES_PER_DEVICE,
    OPENINGS_KEPT,
    Appended,
    ContactRequested,
    Reachability,
)
from tests.delivery_service.stored import (
    ALICE,
    BOB,
    CAROL,
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
    refused,
)


@pytest.fixture
def changes() -> Recorder:
    return Recorder()


@pytest.fixture(params=["memory", "folder", "postgresql"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path, changes: Recorder) -> AsyncIterator[Engine]:
    opened: Engine
    if request.param == "postgresql":
        opened = PostgresqlEngine(Database(request.getfixturevalue("database"), one_copy=True))
    else:
        opened = SqliteEngine(None if request.param == "memory" else tmp_path)
    opened.start(changes)
    yield opened
    await opened.stop()


@pytest.fixture
def store(engine: Engine) -> Store:
    return Store(engine)


async def test_entries_get_numbers_without_gaps(store):
    await store.create_group(new_group())
    answers = await asyncio.gather(*(store.append(new_entry()) for _ in range(600)))
    assert sorted(answer.seq for answer in answers) == list(range(1, 601))


async def test_only_the_current_epoch_is_appended(store):
    await store.create_group(new_group())
    await store.commit(new_commit(0))
    for epoch in (0, 2):
        error = await refused(store.append(new_entry(epoch)))
        assert (error.word, error.members) == ("stale-epoch", {"epoch": 1, "head": 1})
    assert await store.append(new_entry(1)) == Appended(2, 1)


async def test_a_handshake_is_stored_only_after_the_observer_that_judged_it(store):
    await store.create_group(new_group())
    proposal = replace(new_entry(), kind="proposal", observer=b"observer with the first")
    await store.append(proposal)
    with pytest.raises(OutdatedError):
        await store.append(replace(new_entry(), kind="proposal", observer=b"observer with the second alone"))
    with pytest.raises(OutdatedError):
        await store.commit(new_commit(0))
    assert await store.observer(GROUP) == (1, b"observer with the first")
    assert await store.observer(GROUP, 1) == (1, None)
    second = replace(new_entry(), kind="proposal", observer=b"observer with both", judged=1)
    assert await store.append(second) == Appended(2, 0)
    assert await store.observer(GROUP) == (2, b"observer with both")


async def test_what_a_handshake_is_judged_by_comes_with_whether_it_can_be_appended(store):
    await store.create_group(new_group())
    first, commit = replace(new_entry(), kind="proposal", observer=b"observer with the first"), new_commit()
    assert await store.to_judge(first) == (0, new_group().observer)
    assert await store.append(first) == await store.to_judge(first) == Appended(1, 0)
    second = replace(new_entry(), kind="proposal")
    assert [await store.to_judge(second, known) for known in (0, 1)] == [(1, b"observer with the first"), (1, None)]
    assert (await refused(store.to_judge(new_entry(key=first.key)))).word == "malformed"
    await store.commit(replace(commit, entry=replace(commit.entry, judged=1)))
    assert (await refused(store.to_judge(second))).word == "stale-epoch"
    assert (await refused(store.to_judge(replace(new_entry(1), device=b"nobody's")))).word == "not-a-member"
    assert (await refused(store.to_judge(replace(second, group_id=b"other")))).word == "unknown-group"


async def test_one_of_many_racing_threads_wins_each_epoch(store):
    await store.create_group(new_group())
    loop = asyncio.get_running_loop()

    def attempt(epoch: int) -> str:
        try:
            asyncio.run_coroutine_threadsafe(store.commit(new_commit(epoch)), loop).result(20)
        except RefusedError as error:
            return error.word
        return "accepted"

    def race() -> list[Counter[str]]:
        with ThreadPoolExecutor(8) as pool:
            return [Counter(pool.map(attempt, [epoch] * 8)) for epoch in range(25)]

    for outcome in await asyncio.to_thread(race):
        assert outcome == {"accepted": 1, "stale-epoch": 7}
    assert (await store.read(GROUP, ALICE, 0)).head == 25


async def test_a_repeat_gets_the_first_answer_even_after_the_epoch_passed(store):
    await store.create_group(new_group())
    entry, commit = new_entry(), new_commit()
    first = [await store.append(entry), await store.commit(commit)]
    assert [await store.append(entry), await store.commit(commit)] == first
    assert await store.earlier_answer(entry) == first[0]
    assert (await store.read(GROUP, ALICE, 0)).head == 2


async def test_a_used_key_with_another_body_is_refused(store):
    await store.create_group(new_group())
    entry = new_entry()
    await store.append(entry)
    assert (await refused(store.append(new_entry(key=entry.key)))).word == "malformed"
    commit = new_commit()
    same_key = replace(commit, entry=replace(commit.entry, key=entry.key))
    assert (await refused(store.commit(same_key))).word == "malformed"


async def test_founding_a_group_can_be_repeated_but_not_taken_over(store):
    assert await store.create_group(new_group()) == Appended(0, 0)
    await store.append(new_entry())
    assert await store.create_group(new_group()) == Appended(0, 0)
    assert (await refused(store.create_group(new_group(key=b"K" * 16)))).word == "group-exists"
    assert (await refused(store.create_group(new_group(digest=b"D" * 32)))).word == "malformed"


async def test_only_members_append_and_only_those_who_were_members_read(store):
    await store.create_group(new_group())
    assert (await refused(store.append(new_entry(device=BOB)))).word == "not-a-member"
    assert (await refused(store.read(GROUP, BOB, 0))).word == "not-a-member"
    assert (await refused(store.read(b"other", BOB, 0))).word == "unknown-group"
    assert (await refused(store.append(replace(new_entry(), group_id=b"other")))).word == "unknown-group"
    assert (await refused(store.observer(b"other"))).word == "unknown-group"


async def test_a_commit_delivers_its_welcomes_and_moves_members_at_once(store, changes):
    await store.create_group(new_group())
    assert await invite(store, BOB) == Appended(1, 0)
    items, head = await store.inbox(BOB, 0)
    assert [(item.position, item.group_id, item.seq, item.welcome) for item in items] == [(1, GROUP, 1, b"welcome")]
    assert head == 1
    assert (await store.heads(BOB)).current == {GROUP}
    assert (await store.observer(GROUP))[1] == b"observer of epoch 1"
    assert changes[-1] == Change(GROUP, 1, frozenset((BOB,)))

    await store.commit(new_commit(1, removed=frozenset((BOB,))))
    assert changes[-1] == Change(GROUP, 2, left=frozenset((BOB,)))
    await store.append(new_entry(2))
    batch = await store.read(GROUP, BOB, 0)
    assert ([entry.seq for entry in batch.entries], batch.head, batch.current) == ([2], 2, False)


@pytest.mark.parametrize("case", ["unknown package", "unclaimed package", "uninvited device", "device without Welcome"])
async def test_a_commit_with_wrong_welcomes_changes_nothing(store, case):
    await store.create_group(new_group())
    await store.add_key_packages(BOB, "+12025550143", [package(b"r" * 16)], None, NOW)
    if case != "unclaimed package":
        await claim(store, "+12025550143")
    reference = b"x" * 16 if case == "unknown package" else b"r" * 16
    welcomes = () if case == "device without Welcome" else (NewWelcome(b"welcome", (reference,)),)
    added = frozenset() if case == "uninvited device" else frozenset((BOB,))
    error = await refused(store.commit(new_commit(welcomes=welcomes, added=added)))
    assert error.word == "invalid-handshake"
    assert (await store.heads(ALICE)).groups == {GROUP: 0}
    assert (await store.observer(GROUP))[1] == b"observer of epoch 0"
    assert await store.inbox(BOB, 0) == ([], 0)


async def test_a_device_whose_key_changes_keeps_its_place(store):
    await store.create_group(new_group())
    await store.append(new_entry())
    await store.commit(new_commit(renamed=((ALICE, CAROL),)))
    assert [entry.seq for entry in (await store.read(GROUP, CAROL, 0)).entries] == [1, 2]
    assert [entry.seq for entry in (await store.read(GROUP, ALICE, 0)).entries] == [1, 2]
    assert (await refused(store.append(new_entry(1)))).word == "not-a-member"
    assert await store.append(new_entry(1, CAROL)) == Appended(3, 1)


async def test_each_one_time_key_package_is_claimed_once(store):
    packages = [package(bytes([number]) * 16) for number in range(20)]
    assert await store.add_key_packages(BOB, "+1", packages, None, NOW) == Stock(20, False)
    answers = await asyncio.gather(*(claim(store, "+1") for _ in range(20)))
    assert sorted(body for (body,) in answers) == sorted(package.body for package in packages)
    assert (await refused(claim(store, "+1"))).word == "no-key-package"
    assert await store.add_key_packages(BOB, "+1", packages, None, NOW) == Stock(0, False)


async def test_the_last_resort_package_is_used_when_no_other_is_left(store):
    await store.add_key_packages(BOB, "+1", [package(b"once")], package(b"last"), NOW)
    bodies = [(await claim(store, "+1"))[0] for _ in range(3)]
    assert bodies == [b"package once", b"package last", b"package last"]
    await store.add_key_packages(BOB, "+1", [], package(b"newer"), NOW)
    assert await claim(store, "+1") == [b"package newer"]
    assert await store.stock(BOB, NOW) == Stock(0, True, rotate=True)


async def test_a_claim_takes_one_package_of_each_other_device_that_is_still_valid(store):
    await store.add_key_packages(BOB, "+1", [package(b"bob")], None, NOW)
    await store.add_key_packages(CAROL, "+1", [package(b"old", NOW - 1), package(b"carol", NOW)], None, NOW)
    await store.add_key_packages(ALICE, "+1", [package(b"alice")], None, NOW)
    assert sorted(await claim(store, "+1")) == [b"package bob", b"package carol"]
    assert (await refused(claim(store, "+2"))).word == "unknown-number"


async def test_the_stock_of_a_device_is_bounded(store):
    packages = [package(number.to_bytes(16, "big")) for number in range(KEY_PACKAGES_PER_DEVICE)]
    assert await store.add_key_packages(BOB, "+1", packages, None, NOW) == Stock(KEY_PACKAGES_PER_DEVICE, False)
    error = await refused(store.add_key_packages(BOB, "+1", [package(b"one more")], None, NOW))
    assert (error.word, error.members["limit_name"]) == ("too-large", "KEY_PACKAGES_PER_DEVICE")


async def test_a_nonce_is_spent_once_for_each_device(store):
    await store.spend_nonce(ALICE, "nonce", NOW)
    await store.spend_nonce(BOB, "nonce", NOW)
    assert (await refused(store.spend_nonce(ALICE, "nonce", NOW))).word == "invalid-signature"
    await store.expire_before(0, NOW + 1)
    await store.spend_nonce(ALICE, "nonce", NOW)


async def test_one_stored_welcome_serves_all_whom_it_names(store):
    await store.create_group(new_group())
    for device in (BOB, CAROL):
        await store.add_key_packages(device, "+1", [package(device)], None, NOW)
    await claim(store, "+1")
    added = frozenset((BOB, CAROL))
    await store.commit(new_commit(welcomes=(NewWelcome(b"both", (BOB, CAROL)),), added=added))
    await store.acknowledge(BOB, 1)
    assert await store.inbox(BOB, 0) == ([], 1)
    assert [item.welcome for item in (await store.inbox(CAROL, 0))[0]] == [b"both"]
    await store.acknowledge(CAROL, 99)
    assert await store.inbox(CAROL, 0) == ([], 1)


async def test_old_entries_expire_and_readers_behind_are_told(store):
    await store.create_group(new_group())
    await invite(store, BOB)
    await asyncio.gather(*(store.append(replace(new_entry(1), at_ms=(NOW + age) * 1000)) for age in range(1200)))
    assert await store.expire_before(NOW + 1100, NOW) == 1101
    error = await refused(store.read(GROUP, ALICE, 0))
    assert (error.word, error.members) == ("gone", {"floor": 1102})
    assert (await store.read(GROUP, ALICE, 1101)).entries[0].seq == 1102
    assert (await store.inbox(BOB, 0))[0] == []
    assert await store.expire_before(NOW + 9999, NOW) == 100
    assert (await store.read(GROUP, ALICE, 1201)).entries == []
    assert await store.append(new_entry(1)) == Appended(1202, 1)


async def test_the_references_are_of_what_can_be_claimed(store):
    packages = [package(name) for name in (b"1", b"2", b"3")]
    await store.add_key_packages(BOB, "+1", packages, package(b"last"), NOW)
    await store.add_key_packages(CAROL, "+2", [package(b"4"), package(b"lapsed", NOW - 1)], None, NOW)
    assert await store.references(BOB, NOW) == [b"1", b"2", b"3", b"last"]
    await store.add_key_packages(BOB, "+1", [], package(b"later"), NOW)
    assert await store.references(BOB, NOW) == [b"1", b"2", b"3", b"later"]
    assert await store.references(CAROL, NOW) == [b"4"]
    assert await store.references(ALICE, NOW) == []


async def test_openings_are_counted_for_each_device_and_the_last_ones_kept(store):
    for count in range(OPENINGS_KEPT + 5):
        await store.note_opening(ALICE, b"%d" % count, NOW + count)
    await store.note_opening(BOB, b"bob", NOW)
    kept = await store.openings(ALICE)
    assert [each.number for each in kept] == list(range(6, OPENINGS_KEPT + 6))
    assert kept[-1] == KeptOpening(OPENINGS_KEPT + 5, NOW + OPENINGS_KEPT + 4, b"%d" % (OPENINGS_KEPT + 4))
    assert await store.openings(BOB) == [KeptOpening(1, NOW, b"bob")]
    assert await store.openings(CAROL) == []


async def test_old_openings_expire_and_the_count_goes_on(store):
    for count in range(3):
        await store.note_opening(ALICE, b"%d" % count, NOW + count)
    await store.expire_before(NOW + 2, NOW)
    assert [each.number for each in await store.openings(ALICE)] == [3]
    await store.note_opening(ALICE, b"next", NOW + 9)
    assert [each.number for each in await store.openings(ALICE)] == [3, 4]


async def test_a_poisoned_request_fails_alone(store):
    await store.create_group(new_group())
    poison = replace(new_entry(), at_ms=2**63)
    entries = [new_entry() for _ in range(20)]
    answers = await asyncio.gather(*map(store.append, [*entries[:10], poison, *entries[10:]]), return_exceptions=True)
    assert isinstance(answers[10], StoreError)
    assert sorted(answer.seq for answer in answers if isinstance(answer, Appended)) == list(range(1, 21))


async def test_requests_beyond_the_queue_are_refused_at_once(store):
    await store.create_group(new_group())
    body = bytes(8 * 1024 * 1024)
    answers = await asyncio.gather(*(store.append(new_entry(body=body)) for _ in range(6)), return_exceptions=True)
    refusals = [answer for answer in answers if isinstance(answer, RefusedError)]
    assert [error.word for error in refusals] == ["overloaded"] * 2
    assert (await store.append(new_entry())).seq == 5


async def test_nothing_is_lost_over_a_restart_and_a_folder_has_one_service(tmp_path, changes):
    opened = SqliteEngine(tmp_path)
    opened.start(changes)
    first = Store(opened)
    await first.create_group(new_group())
    entry = new_entry()
    answer = await first.append(entry)
    with pytest.raises(StartError, match="another delivery service"):
        SqliteEngine(tmp_path).start(changes)
    await opened.stop()
    with pytest.raises(StoreError):
        await first.append(new_entry())
    opened = SqliteEngine(tmp_path)
    opened.start(changes)
    second = Store(opened)
    assert await second.append(entry) == answer
    assert [kept.body for kept in (await second.read(GROUP, ALICE, 0)).entries] == [entry.body]
    await opened.stop()


async def test_a_request_whose_caller_went_away_is_still_announced(store, changes):
    await store.create_group(new_group())
    task = asyncio.create_task(store.append(new_entry()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await store.append(new_entry())
    assert [change.seq for change in changes] == [0, 1, 2]


def test_a_sqlite_that_can_corrupt_its_log_is_refused():
    check_sqlite("3.51.3")
    with pytest.raises(StartError, match="WAL-reset"):
        check_sqlite("3.51.2")


async def test_a_refusal_that_comes_after_a_change_undoes_it(store, engine):
    await store.create_group(new_group())

    def careless(tx: Transaction) -> None:
        tx.run("UPDATE groups SET epoch = 7")
        raise RefusedError("malformed", "too late")

    answers = await asyncio.gather(
        store.append(new_entry()), engine.write(careless), store.append(new_entry()), return_exceptions=True
    )
    assert isinstance(answers[1], StoreError)
    assert [answer.seq for answer in (answers[0], answers[2])] == [1, 2]


async def reachable(store: Store, number: str = "+2") -> None:
    await store.add_key_packages(number.encode() + b"/d", number, [], package(b"last of " + number.encode()), NOW)


async def test_a_number_is_open_and_grants_nobody_until_it_chooses(store, changes):
    await reachable(store)
    assert await store.reachability("+2") == Reachability("open", [], [])
    await store.decide("+2", "+3", "grant")
    assert await store.reachability("+2") == Reachability("open", [], [])
    await store.set_mode("+2", "contacts", ["+4", "+3"])
    assert await store.reachability("+2") == Reachability("contacts", ["+3", "+4"], [])
    await store.decide("+2", "+3", "block")
    assert await store.reachability("+2") == Reachability("contacts", ["+4"], ["+3"])
    await store.decide("+2", "+3", "revoke")
    await store.set_mode("+2", "ask", ["+5"])
    assert await store.reachability("+2") == Reachability("ask", ["+4", "+5"], [])
    await store.set_mode("+2", "open", [])
    assert await store.reachability("+2") == Reachability("open", [], [])
    assert Notified(frozenset({"+2"})) in changes


async def test_a_claim_needs_a_grant_where_the_mode_asks_for_one(store):
    await reachable(store)
    await store.set_mode("+2", "ask", [])
    error = await refused(store.claim(approach(), NO_QUOTAS))
    assert (error.word, error.members) == ("no-consent", {"mode": "ask"})
    assert await store.claim(approach("+2"), NO_QUOTAS) == [b"package last of +2"]
    await store.decide("+2", "+3", "grant")
    assert await store.claim(approach(), NO_QUOTAS) == [b"package last of +2"]


async def test_a_request_waits_is_answered_once_and_told_to_both(store, changes):
    await reachable(store)
    await store.set_mode("+2", "ask", [])
    lasting = NOW + CONTACT_REQUEST_LIFETIME
    assert await store.ask(approach(), b"proof", NO_QUOTAS) == ContactRequested(False, lasting)
    assert changes[-1] == Notified(frozenset({"+2"}))
    assert await store.waiting("+2", NOW) == Waiting([(NOW, b"proof")], [], 2)
    assert await store.waiting("+2", lasting) == Waiting([], [], 2)
    error = await refused(store.ask(approach(at=NOW + 1), b"another", NO_QUOTAS))
    assert (error.word, error.members) == ("already-asked", {"retry_after": CONTACT_REQUEST_PAUSE - 1})
    await store.decide("+2", "+3", "grant")
    assert changes[-1] == Notified(frozenset({"+2", "+3"}))
    assert await store.waiting("+2", NOW) == Waiting([], [], 3)
    assert await store.waiting("+3", NOW) == Waiting([], ["+2"], 1)
    assert (await store.heads(b"+3/any device")).requests == 1
    assert (await store.ask(approach(), b"proof", NO_QUOTAS)).granted
    await store.expire_before(NOW - 1, NOW + CONTACT_REQUEST_PAUSE)
    assert await store.waiting("+3", NOW) == Waiting([], [], 1)


async def test_requests_are_refused_unseen_where_nobody_may_ask_and_kept_unseen_of_the_blocked(store):
    await reachable(store)
    await store.set_mode("+2", "contacts", [])
    assert (await refused(store.ask(approach(), b"proof", NO_QUOTAS))).word == "no-consent"
    assert (await refused(store.ask(approach("+2"), b"proof", NO_QUOTAS))).word == "not-allowed"
    assert (await refused(store.ask(approach(target="+9"), b"proof", NO_QUOTAS))).word == "unknown-number"
    await store.set_mode("+2", "ask", [])
    await store.decide("+2", "+3", "block")
    head = (await store.waiting("+2", NOW)).head
    assert not (await store.ask(approach(), b"proof", NO_QUOTAS)).granted
    assert await store.waiting("+2", NOW) == Waiting([], [], head)
    assert (await refused(store.ask(approach(), b"proof", NO_QUOTAS))).word == "already-asked"


async def test_first_contacts_are_counted_by_number_issuer_and_target_and_no_pair_twice(store):
    for number in ("+2", "+4", "+5"):
        await reachable(store, number)
    for quotas, second, limit in (
        (Quotas(1, None, None), approach(target="+4"), "FIRST_CONTACTS_PER_DAY"),
        (Quotas(None, 1, None), approach("+6", "+4"), "FIRST_CONTACTS_PER_ISSUER_HOUR"),
        (Quotas(None, None, 1), approach("+6", issuer=b"another"), "FIRST_CONTACTS_PER_TARGET_DAY"),
    ):
        assert await store.claim(approach(), quotas)
        assert await store.claim(approach(), quotas)
        error = await refused(store.claim(second, quotas))
        assert (error.word, error.members["limit_name"], error.members["limit"]) == ("rate-limited", limit, 1)
        assert error.members["retry_after"] in (3600, 86_400)
        assert await store.claim(approach("+7", "+5", issuer=b"third"), quotas)
    await store.expire_before(NOW + 1, NOW + 1)
    assert await store.claim(approach(target="+4", at=NOW + 1), Quotas(1, 1, 1))


async def test_a_grant_of_the_target_or_an_answer_is_no_first_contact(store):
    for number in ("+2", "+3"):
        await reachable(store, number)
    await store.claim(approach(), NO_QUOTAS)
    assert await store.claim(approach("+2", "+3"), Quotas(0, 0, 0))
    await store.set_mode("+2", "ask", ["+8"])
    assert await store.claim(approach("+8"), Quotas(0, 0, 0))
    await store.set_mode("+7", "contacts", ["+3"])
    assert (await refused(store.claim(approach("+7", "+3"), Quotas(0, 0, 0)))).word == "rate-limited"


async def test_open_grants_what_waits(store):
    await reachable(store)
    await store.set_mode("+2", "ask", [])
    await store.ask(approach(), b"proof", NO_QUOTAS)
    await store.set_mode("+2", "open", [])
    assert (await store.waiting("+3", NOW)).granted == ["+2"]
