"""A last-resort key package that was used is replaced at once, and so are the keys of the leaves that came by it."""

from contextlib import AsyncExitStack

from client.defence.admission import Consent
from client.session import Session
from identity.number import TelephoneNumber

ALICE, BOB, CAROL = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4))
HOUR = 3_600


async def bobs_last_resort(alice: Session, bob: Session) -> bytes:
    """Alice uses Bob's one-time key packages up, and adds him by the last resort."""
    for _ in range((await bob.delivery.key_package_stock()).available):
        await alice.delivery.claim_key_packages(BOB)
    chat = await alice.create_chat("late", [BOB])
    return chat.group_id


async def references(session: Session) -> set[bytes]:
    rows = await session.worker.run(session.steps.store.rows, "SELECT reference FROM key_package WHERE last_resort")
    return {reference for (reference,) in rows}


async def encryption_keys(session: Session, group_id: bytes) -> bytes:
    return await session.worker.run(lambda: session.steps.groups.copy(group_id).tree_hash())


async def accept(session: Session, group_id: bytes) -> None:
    await session.worker.run(session.steps.chats.set_consent, group_id, Consent.INBOX, ALICE.e164)


async def test_it_is_replaced_with_the_next_synchronisation(world, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    before = await references(bob)
    await bobs_last_resort(alice, bob)
    assert (await bob.delivery.heads()).rotate
    await bob.receive()  # no hour has passed since the last look
    assert len(await references(bob) - before) == 1
    assert not (await bob.delivery.heads()).rotate
    stock = await bob.delivery.key_package_stock()
    assert (stock.last_resort, stock.rotate) == (True, False)


async def test_its_leaf_gets_new_keys_early_in_a_chat_that_was_accepted(world, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    group_id = await bobs_last_resort(alice, bob)
    await bob.receive()
    before = await encryption_keys(bob, group_id)
    world.clock.now += HOUR
    await bob.receive()  # a chat by a stranger: nobody is told that somebody is there
    assert await encryption_keys(bob, group_id) == before
    await accept(bob, group_id)
    world.clock.now += HOUR
    await bob.receive()
    after = await encryption_keys(bob, group_id)
    assert after != before
    await alice.receive()
    assert await encryption_keys(alice, group_id) == after
    world.clock.now += HOUR
    await bob.receive()  # once
    assert await encryption_keys(bob, group_id) == after


async def test_who_came_by_a_one_time_package_makes_no_such_commit(world, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("in time", [BOB])
    await bob.receive()
    await accept(bob, chat.group_id)
    before = await encryption_keys(bob, chat.group_id)
    world.clock.now += HOUR
    await bob.receive()
    assert await encryption_keys(bob, chat.group_id) == before


async def test_an_old_one_is_replaced_though_nobody_used_it(world, stack: AsyncExitStack) -> None:
    (bob,) = await world.people(stack, BOB)
    before = await references(bob)
    service = world.network.services["delivery.test"].app.state.service
    await service.engine.write(lambda tx: tx.run("UPDATE key_packages SET stored_at = 0 WHERE state = 3"))
    world.clock.now += HOUR
    await bob.receive()
    assert len(await references(bob) - before) == 1
    assert not (await bob.delivery.key_package_stock()).rotate
