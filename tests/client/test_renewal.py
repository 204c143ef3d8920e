"""When a certificate is renewed and when groups get it: no storms, nothing lost, nothing asked for in vain."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest

from client.credentials.renewal import (
    DAILY_SHARE,
    QUIET_REST,
    READERS_REST,
    OwnLeaf,
    message_waits,
    pause,
    renewal_at,
)
from client.defence.admission import Consent
from client.events import MembersChanged, Trouble
from client.records.message import Kind
from client.session import Session
from identity.authority.wire import RENEWAL_GRACE
from identity.binding import Verdict
from identity.device import MEMBER_GRACE
from identity.number import TelephoneNumber

ALICE, BOB, CAROL = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4))
HOUR, DAY = 3_600, 86_400
START, END = 1_795_000_000, 1_795_000_000 + 7 * DAY
KEYS = [n.to_bytes(65) for n in range(1_000)]  # a draw takes any octets for a key; these are always the same


def test_devices_of_one_minute_renew_in_the_course_of_28_hours() -> None:
    moments = [renewal_at(START, END, key) for key in KEYS]
    assert min(moments) >= START + 7 * DAY // 2
    assert max(moments) <= END - 7 * DAY // 3
    hours = Counter(moment // HOUR for moment in moments)
    assert len(hours) >= 28
    assert max(hours.values()) < 80  # of 1,000 in 28 hours: 36 on average
    minutes = Counter(moment // 60 for moment in moments)
    assert max(minutes.values()) < 10


def test_a_refusing_authority_is_asked_more_and_more_seldom_but_eight_times_until_the_end() -> None:
    assert [pause(failures, 2 * DAY) for failures in (1, 2, 3, 4, 20)] == [HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR, 6 * HOUR]
    assert pause(20, 3 * HOUR) == HOUR


def test_a_message_waits_for_the_new_certificate_in_the_last_quarter_of_the_old_one() -> None:
    assert not message_waits(START, END, END - 7 * DAY // 4)
    assert message_waits(START, END, END - 7 * DAY // 4 + 1)


def due(now: int, *, used: int = 0, heard: int = 0) -> list[bytes]:
    return [key for key in KEYS if OwnLeaf(b"group", START, END, used, heard).is_due(key, now)]


def test_who_writes_in_a_group_puts_the_new_certificate_in_before_the_old_one_ends() -> None:
    used = START + DAY
    assert not due(END - 7 * DAY // 4 - 1, used=used)
    halfway = len(due(END - 7 * DAY // 4 + 16 * HOUR, used=used))
    assert 300 < halfway < 700
    assert len(due(END - 7 * DAY // 24, used=used)) == len(KEYS)
    assert not due(END, used=START - 1)  # wrote in an earlier life of the certificate


@pytest.mark.parametrize(("heard", "rest"), [(END + 1, READERS_REST), (0, QUIET_REST)])
def test_who_only_reads_waits_and_then_a_quarter_of_them_comes_each_day(heard: int, rest: int) -> None:
    assert not due(END + 1, heard=heard)
    assert not due(END + rest - 1, heard=heard)
    left = set(KEYS)
    for day in range(10):
        share = len(left & set(due(END + rest + day * DAY, heard=heard))) / len(left)
        assert 0.5 / DAILY_SHARE < share < 1.6 / DAILY_SHARE
        left -= set(due(END + rest + day * DAY, heard=heard))
    assert END + rest + 10 * DAY < END + MEMBER_GRACE


def test_an_expired_member_can_still_renew_for_as_long_as_others_accept_it() -> None:
    assert 0 < MEMBER_GRACE <= RENEWAL_GRACE <= 45 * DAY


async def test_a_renewal_makes_no_commit_in_any_group(world, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chats = [await alice.create_chat(f"chat {n}", [BOB]) for n in range(5)]
    await bob.receive()
    before = [chat.epoch for chat in await alice.chats()]
    old = alice.account.chain
    world.clock.now += 5 * DAY
    await alice.receive()
    assert alice.account.chain != old
    assert [chat.epoch for chat in await alice.chats()] == before
    assert len(before) == len(chats)


async def test_only_the_group_in_use_gets_the_new_certificate_before_the_old_one_ends(
    world, stack: AsyncExitStack
) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    used = (await alice.create_chat("used", [BOB])).group_id
    idle = (await bob.create_chat("idle", [ALICE])).group_id
    await bob.receive()
    await alice.receive()
    world.clock.now += DAY
    await alice.send(used, "here")
    renewed = []
    for _ in range(7 * 24 - 24 - 8):  # hours, until the last part of the first certificate's life
        world.clock.now += HOUR
        await alice.receive()
        changes = [event for event in await bob.receive() if isinstance(event, MembersChanged)]
        renewed += [event.group_id for event in changes if event.renewed == (ALICE,)]
    assert renewed == [used]
    assert idle in {chat.group_id for chat in await alice.chats()}


async def test_a_quiet_group_gets_a_new_certificate_before_it_keeps_others_out(world, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    await bob.worker.run(bob.steps.groups.contacts.accept, ALICE)
    chat = await alice.create_chat("quiet", [BOB])
    await bob.receive()
    for _ in range(7 + MEMBER_GRACE // DAY):
        world.clock.now += DAY
        for session in (alice, bob):
            await session.receive()
    await world.people(stack, CAROL)
    await alice.add(chat.group_id, [CAROL])
    assert CAROL in await alice.members(chat.group_id)
    commits = (await alice.worker.run(alice.steps.chats.known, chat.group_id)).epoch
    assert commits <= 2 + 2 * 2  # the two that added somebody, and at most two of each


def statements_of_upkeep(session: Session, now: int) -> list[str]:
    statements: list[str] = []
    session.steps.store.connection.set_trace_callback(statements.append)
    session.steps.groups.leaves.want_due(session.account.chain[0], session.account.point(), now)
    session.steps.store.connection.set_trace_callback(None)
    return [each for each in statements if not each.startswith("--")]


async def test_strangers_do_not_learn_by_a_commit_that_somebody_is_there(world, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    await alice.create_chat("quiet", [BOB])
    for _ in range(7 + MEMBER_GRACE // DAY):
        world.clock.now += DAY
        await bob.receive()
    assert [(chat.consent, chat.epoch) for chat in await bob.chats()] == [(Consent.REQUEST, 1)]


async def test_upkeep_takes_as_many_statements_with_many_groups_due_as_with_few(world, stack: AsyncExitStack) -> None:
    alice, _ = await world.people(stack, ALICE, BOB)
    for size in (2, 6):
        for n in range(size):
            chat = await alice.create_chat(f"chat {size} {n}", [BOB])
            await alice.send(chat.group_id, "in use")
        end = alice.account.validity()[1]
        world.clock.now = end - 2 * DAY
        await alice.maintain()  # renews
        world.clock.now = end - 7 * DAY // 24  # all that are in use are due
        assert len(await alice.worker.run(statements_of_upkeep, alice, int(world.clock()))) == 2
        assert len(await alice.worker.run(alice.steps.intents.groups)) == size
        await alice.receive()


class Refusing(httpx.AsyncBaseTransport):
    """An authority that certifies nobody for a while; what it is only asked to tell, it tells."""

    def __init__(self, world) -> None:
        self.honest = world.network.services["authority.test"]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET" or request.url.path == "/v1/holdings":
            return await self.honest.handle_async_request(request)
        body = {"type": "urn:ringtrue:authority:number-withdrawn", "title": "withdrawn", "status": 403, "detail": "no"}
        headers = {"content-type": "application/problem+json"}
        return httpx.Response(403, headers=headers, stream=httpx.ByteStream(msgspec.json.encode(body)))


def failures(session: Session) -> int:
    row = session.steps.store.row("SELECT failures FROM renewal_refusal")
    return 0 if row is None else int(row[0])


async def test_a_refused_renewal_is_told_and_asked_for_again_more_and_more_seldom(world, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)
    old = alice.account.chain
    refusing = world.network.services["authority.test"] = Refusing(world)
    world.clock.now += 5 * DAY
    (trouble,) = [event for event in await alice.receive() if isinstance(event, Trouble)]
    assert "could not be renewed" in trouble.reason
    for _ in range(12):
        world.clock.now += HOUR
        await alice.receive()
    assert await alice.worker.run(failures, alice) == 1 + 3  # one hour, two and four later
    await alice.maintain()  # a person asks
    assert await alice.worker.run(failures, alice) == 5
    world.network.services["authority.test"] = refusing.honest
    world.clock.now += 12 * HOUR
    await alice.receive()
    assert alice.account.chain != old
    assert await alice.worker.run(failures, alice) == 0


async def test_an_authority_out_of_reach_is_asked_again_as_soon_as_it_is_back(world, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)
    old = alice.account.chain
    world.network.down.add("authority.test")
    world.clock.now += 5 * DAY
    await alice.receive()
    assert await alice.worker.run(failures, alice) == 0
    world.network.down.clear()
    world.clock.now += HOUR
    await alice.receive()
    assert alice.account.chain != old


async def test_a_message_waits_for_a_commit_that_another_member_overtook(world, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("contested", [BOB])
    await bob.receive()
    world.clock.now += 6 * DAY
    await alice.receive()
    await bob.receive()
    await asyncio.gather(alice.send(chat.group_id, "mine"), bob.send(chat.group_id, "ours"))
    for _ in range(2):
        received = [await session.receive() for session in (alice, bob)]
    texts = {
        row.text: row.verification.verdict
        for session in (alice, bob)
        for row in await session.history(chat.group_id)
        if row.kind is Kind.RECEIVED and row.verification is not None
    }
    assert texts == {"mine": Verdict.VERIFIED, "ours": Verdict.VERIFIED}, received
