"""Three devices of one number: what one does is understood by those that had no part in it."""

import asyncio
from contextlib import AsyncExitStack, suppress

import pytest

from client.errors import ClientError, LinkError
from client.events import Trouble
from client.session import Session

from .conftest import ALICE, BOB, World
from .test_devices import accepted, desk_of, own_device
from .test_devices import key_of as spki_hash_of
from .test_devices import own_key as key_of
from .test_linking import NewDevice, linked

LISTED = 3601  # seconds after which the list of revocations is fetched again


async def three(world: World, stack: AsyncExitStack) -> tuple[Session, Session, Session]:
    """Alice's devices, all in a chat with Bob."""
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("plans", [BOB])
    await accepted(world, bob, chat.group_id)
    tablet = await own_device(world, stack, alice)
    laptop = await own_device(world, stack, alice, "laptop")
    await tablet.receive()
    return alice, tablet, laptop


async def alarms(world: World, session: Session) -> list[str]:
    return [each.kind for each in await desk_of(session, world).device.alarms()]


@pytest.mark.parametrize("asked", [False, True])
async def test_a_device_that_was_away_takes_no_later_one_for_a_thief(
    world: World, stack: AsyncExitStack, asked: bool
) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("plans", [BOB])
    await accepted(world, bob, chat.group_id)
    await linked(world, alice, NewDevice(world))
    tablet = await NewDevice(world).opened(stack)
    await tablet.receive()
    world.clock.now += 3601

    await linked(world, alice, NewDevice(world, "laptop"))
    await (desk_of(tablet, world).device.watch() if asked else tablet.receive())

    assert await alarms(world, tablet) == []
    assert len([each for each in await desk_of(tablet, world).devices.all() if each.met]) == 3


async def test_without_a_chat_in_common_the_alarm_says_that_a_device_of_ones_own_vouched(
    world: World, stack: AsyncExitStack
) -> None:
    (alice,) = await world.people(stack, ALICE)
    await linked(world, alice, NewDevice(world))
    tablet = await NewDevice(world).opened(stack)
    await tablet.receive()
    world.clock.now += 3601

    await linked(world, alice, NewDevice(world, "laptop"))
    await tablet.receive()

    (alarm,) = await desk_of(tablet, world).device.alarms()
    assert "on the word of a device that had it already" in alarm.words
    assert "you have just linked" in alarm.advice


async def test_a_device_that_was_away_comes_into_chats_that_were_begun_meanwhile(
    world: World, stack: AsyncExitStack
) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("plans", [BOB])
    await accepted(world, bob, chat.group_id)
    tablet = await own_device(world, stack, alice)
    world.clock.now += 8 * 86_400
    await alice.receive()
    await bob.receive()
    fresh = await bob.create_chat("begun meanwhile", [ALICE])
    mine = await alice.create_chat("mine", [BOB])
    told = 0
    for pause in (3601, 61, 61, 61):
        world.clock.now += pause
        told += len([event for event in await alice.receive() if isinstance(event, Trouble)])
    assert told == 0
    (waiting,) = [each for each in await desk_of(alice, world).devices.all() if not each.this]
    assert {each.chat for each in waiting.left_out} == {"begun meanwhile", "mine"}
    assert "use it once" in waiting.left_out[0].why

    await tablet.receive()
    world.clock.now += 3601
    await alice.receive()
    await tablet.receive()

    assert {fresh.group_id, mine.group_id} <= {each.group_id for each in await tablet.chats()}
    assert (await tablet.find_chat(mine.group_id.hex())).name == "mine"


async def test_a_removed_device_keeps_no_other_one_from_beginning_chats(world: World, stack: AsyncExitStack) -> None:
    alice, tablet, laptop = await three(world, stack)

    await alice.devices.remove(key_of(laptop))
    world.clock.now += LISTED
    await tablet.receive()
    fresh = await tablet.create_chat("new", [BOB])

    assert [str(each) for each in await tablet.members(fresh.group_id)] == [str(ALICE), str(ALICE), str(BOB)]


async def test_a_removed_device_comes_into_no_chat_of_another_one_at_once(world: World, stack: AsyncExitStack) -> None:
    alice, tablet, laptop = await three(world, stack)

    await alice.devices.remove(key_of(laptop))
    await tablet.receive()
    fresh = await tablet.create_chat("new", [BOB])

    assert [str(each) for each in await tablet.members(fresh.group_id)] == [str(ALICE), str(ALICE), str(BOB)]


async def test_a_strange_certificate_of_ones_number_can_be_revoked(world: World, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)
    await alice.maintain()
    thief = await stack.enter_async_context(world.holder(ALICE, "thief"))
    await alice.maintain()
    assert await alarms(world, alice) == ["certificate"]

    await desk_of(alice, world).devices.remove(key_of(thief), lost=True)

    assert len(await alice.devices.held()) == 1


async def test_a_removal_that_waits_for_the_authority_is_shown(world: World, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)
    tablet = await own_device(world, stack, alice)
    world.network.down.add("authority.test")

    left = [each for each in await desk_of(alice, world).devices.remove(key_of(tablet)) if not each.this]

    assert [(each.key, each.words) for each in left] == [
        (key_of(tablet), "removed by you; the authority has not revoked its certificate yet")
    ]
    world.network.down.clear()
    world.clock.now += 61
    await alice.sync()
    assert [each.this for each in await desk_of(alice, world).devices.all()] == [True]


async def test_two_devices_that_remove_each_other_complain_once_an_hour(world: World, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)
    tablet = await own_device(world, stack, alice)
    laptop = await own_device(world, stack, alice, "laptop")
    world.network.down.add("authority.test")
    await alice.devices.remove(key_of(laptop))
    world.network.down.clear()
    await tablet.devices.remove(key_of(alice))

    told = 0
    for _ in range(10):
        world.clock.now += 61
        with alice.listening() as events:
            with suppress(ClientError):
                await alice.sync()
            while not events.empty():
                event = events.get_nowait()
                told += isinstance(event, Trouble) and "removed device" in event.reason
    assert told <= 1


async def test_a_removed_device_is_told_a_way_that_works(world: World, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)
    tablet = await own_device(world, stack, alice)
    await alice.devices.remove(key_of(tablet))
    world.clock.now += LISTED
    troubles = [event for event in await tablet.receive() if isinstance(event, Trouble)]
    (revoked,) = [event.error for event in troubles if event.code == "certificate-revoked"]
    assert "RINGTRUE_HOME" in revoked.hint


@pytest.mark.parametrize("asked", [False, True])
async def test_a_device_that_is_ready_days_after_it_was_linked_comes_into_every_chat(
    world: World, stack: AsyncExitStack, asked: bool
) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    old = await alice.create_chat("old", [BOB])
    await accepted(world, bob, old.group_id)
    tablet = await stack.enter_async_context(world.holder(ALICE, "tablet"))
    await alice.worker.run(alice.steps.siblings.grant, spki_hash_of(tablet), "tablet", int(world.clock()))
    world.clock.now += 2 * 86_400
    await alice.receive()
    assert len(await alice.members(old.group_id)) == 2

    if asked:
        await desk_of(alice, world).devices.all(ask=True)
    else:
        await alice.create_chat("new", [BOB])
    world.clock.now += 3601
    await alice.receive()

    assert len(await alice.members(old.group_id)) == 3


async def test_of_two_codes_that_are_wanted_at_once_one_is_shown(world: World, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)
    both = [desk_of(alice, world).devices.link(), desk_of(alice, world).devices.link()]
    answers = await asyncio.gather(*both, return_exceptions=True)
    assert [each.code for each in answers if isinstance(each, LinkError)] == ["linking"]
    await alice.linking.cancel()


async def test_without_network_one_chat_is_tried_and_not_all(world: World, stack: AsyncExitStack) -> None:
    alice, _ = await world.people(stack, ALICE, BOB)
    for name in ("one", "two", "three"):
        await alice.create_chat(name, [BOB])
    tablet = await stack.enter_async_context(world.holder(ALICE, "tablet"))
    identity = await alice.worker.run(alice.steps.siblings.grant, spki_hash_of(tablet), "", int(world.clock()))
    await alice.worker.run(alice.steps.siblings.ready, identity, int(world.clock()))
    world.network.down.add("delivery.test")
    with alice.listening() as events:
        await alice.devices.extend()
        assert events.qsize() == 1
    assert len(await alice.worker.run(alice.steps.siblings.missing)) == 3
