"""A client that slept for weeks, over real HTTP: it comes back by itself, or says what is to be done."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from pathlib import Path

import pytest
import pytest_asyncio

from client.enrolling import enrol
from client.errors import CertificateEndedError
from client.events import ChatJoined, Gap, MembersChanged, MessageReceived, Trouble
from client.records.chats import Standing
from client.records.message import Kind
from client.session import Session
from delivery_service.wire import RETENTION
from identity.authority.issuer import ISSUER_LIFETIME, ISSUER_RENEWAL
from identity.authority.wire import RENEWAL_GRACE, ChallengeOpened
from identity.binding import Verdict
from identity.number import TelephoneNumber
from lab.world import COST, PASSPHRASE, World

SLEEPER = TelephoneNumber.from_digits("12025550109")
ALICE, CAROL, DAVE = "+12025550101", "+12025550103", "+12025550104"
DAY = 86_400
LIFE = 7  # days


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    async with World() as world:
        yield world


async def enrol_sleeper(world: World) -> None:
    async def read_code(_: ChallengeOpened) -> str:
        return world.codes.codes[SLEEPER]

    await enrol(
        home(world),
        PASSPHRASE,
        SLEEPER,
        authority=world.authority_url,
        delivery=world.delivery_url,
        ask_code=read_code,
        cost=COST,
        clock=world.clock,
    )


def home(world: World) -> Path:
    return world.folder / "sleeper"


def wake(world: World) -> AbstractAsyncContextManager[Session]:
    return Session.open(home(world), PASSPHRASE, clock=world.clock, jitter=0)


async def days(world: World, count: int, *awake: Session) -> None:
    """Days pass, in which these people look in, and the service forgets what is old."""
    for _ in range(count):
        world.clock.advance(DAY)
        for session in awake:
            await session.receive()
        now = int(world.clock())
        await world.service.store.expire_before(now - RETENTION, now)


async def verdicts(session: Session, group_id: bytes) -> dict[str, Verdict]:
    rows = await session.history(group_id)
    return {row.text: row.verification.verdict for row in rows if row.kind is Kind.RECEIVED and row.verification}


async def test_a_month_of_sleep_over_the_authoritys_own_renewal_is_caught_up_without_anybodys_help(
    world: World,
) -> None:
    world.clock.advance(ISSUER_LIFETIME - ISSUER_RENEWAL - 10 * DAY)
    await enrol_sleeper(world)
    alice, carol, dave = [await world.person(name, name) for name in (ALICE, CAROL, DAVE)]
    async with wake(world) as sleeper:
        await sleeper.maintain()
        group = (await alice.create_chat("climbing", [SLEEPER, carol.account.number])).group_id
        await sleeper.receive()
        await sleeper.send(group, "good night")
        old_chain, old_end = sleeper.account.chain, sleeper.account.validity()[1]
    await carol.receive()
    await alice.receive()

    await days(world, 2, alice, carol, dave)
    new = (await alice.create_chat("new", [SLEEPER])).group_id  # a package that ends while its Welcome waits
    await alice.send(new, "while you sleep")
    for week in range(4):
        await days(world, 7, alice, carol, dave)
        await alice.send(group, f"week {week}")
        await carol.send(group, f"answer {week}")
    await alice.add(group, [dave.account.number])  # beside the sleeper's leaf, whose certificate has ended
    await alice.receive()

    assert old_end + 22 * DAY < world.clock() < old_end + 24 * DAY
    async with wake(world) as sleeper:
        events = await sleeper.receive()
        assert not [event for event in events if isinstance(event, Gap | Trouble)]
        assert [event.group_id for event in events if isinstance(event, ChatJoined)] == [new]
        assert sleeper.account.chain != old_chain
        assert sleeper.account.chain[1] != old_chain[1], "the authority has renewed its own certificate"
        stock = await sleeper.delivery.key_package_stock()
        assert stock.available >= stock.low_water
        assert stock.last_resort
        heard = await verdicts(sleeper, group)
        assert len(heard) == 8
        assert set(heard.values()) <= {Verdict.VERIFIED, Verdict.DELAYED, Verdict.STALE}
        assert await verdicts(sleeper, new) == {"while you sleep": Verdict.STALE}

        for group_id in (group, new):
            await sleeper.send(group_id, "good morning")
    for reader in (alice, carol, dave):
        events = await reader.receive()
        assert (SLEEPER,) in [event.renewed for event in events if isinstance(event, MembersChanged)]
        received = [event.message for event in events if isinstance(event, MessageReceived)]
        mornings = [message.verification for message in received if message.text == "good morning"]
        assert {each.verdict for each in mornings if each} == {Verdict.VERIFIED}
        assert len(mornings) == (2 if reader is alice else 1)


async def test_a_client_that_follows_from_the_start_renews_first(world: World) -> None:
    await enrol_sleeper(world)
    alice = await world.person("Alice", ALICE)
    async with wake(world) as sleeper:
        await sleeper.maintain()
        group = (await alice.create_chat("climbing", [SLEEPER])).group_id
        await sleeper.receive()
    await days(world, 28, alice)
    await alice.send(group, "awake?")
    async with wake(world) as sleeper, aclosing(sleeper.follow()) as events:
        async for event in events:
            assert not isinstance(event, Gap | Trouble)
            if isinstance(event, MessageReceived) and event.message.text == "awake?":
                break
        assert sleeper.account.validity()[1] > world.clock()


async def test_what_the_log_no_longer_holds_is_said_and_being_added_again_heals_it(world: World) -> None:
    await enrol_sleeper(world)
    alice = await world.person("Alice", ALICE)
    async with wake(world) as sleeper:
        await sleeper.maintain()
        group = (await alice.create_chat("climbing", [SLEEPER])).group_id
        await sleeper.receive()
    await days(world, 1, alice)
    await alice.send(group, "lost to the sleeper")
    await days(world, RETENTION // DAY + 4, alice)
    async with wake(world) as sleeper:
        await sleeper.receive()
        (chat,) = await sleeper.chats()
        assert chat.standing is Standing.LOST
        assert "add it again" in (await sleeper.history(group))[-1].text
        await alice.add_again(group, SLEEPER)
        await alice.send(group, "here you are")
        await sleeper.receive()
        assert (await sleeper.chats())[0].standing is Standing.ACTIVE
        assert await verdicts(sleeper, group) == {"here you are": Verdict.VERIFIED}


async def test_who_was_removed_and_forgotten_meanwhile_is_told(world: World) -> None:
    await enrol_sleeper(world)
    alice, carol = [await world.person(name, name) for name in (ALICE, CAROL)]
    async with wake(world) as sleeper:
        await sleeper.maintain()
        group = (await alice.create_chat("climbing", [SLEEPER, carol.account.number])).group_id
        await sleeper.receive()
    await days(world, 1, alice)
    await alice.remove(group, [SLEEPER])
    await days(world, RETENTION // DAY + 4, alice)
    async with wake(world) as sleeper:
        await sleeper.receive()
        (chat,) = await sleeper.chats()
        assert chat.standing is Standing.LOST
        assert "was never a member" in (await sleeper.history(group))[-1].text


async def test_after_too_long_a_sleep_the_number_is_to_be_proved_again(world: World) -> None:
    await enrol_sleeper(world)
    async with wake(world) as sleeper:
        await sleeper.maintain()
        key = sleeper.account.point()
    world.clock.advance(LIFE * DAY + RENEWAL_GRACE)
    async with wake(world) as sleeper:
        with pytest.raises(CertificateEndedError) as ended:
            await sleeper.receive()
    assert "38 days ago" in str(ended.value)
    assert f"ringtrue enroll {SLEEPER.e164}" in ended.value.hint
    await enrol_sleeper(world)
    async with AsyncExitStack() as stack:
        sleeper = await stack.enter_async_context(wake(world))
        await sleeper.receive()
        assert sleeper.account.point() == key
