"""What a log tells of this number: certificates that nobody here asked for, and none of one's own."""

import httpx
from cryptography.hazmat.primitives.asymmetric import ec

from client.credentials.enrolment import EnrolmentClient
from client.defence.watch import INTERVAL
from client.session import Session
from identity.certificates import TrustAnchors

from .conftest import ALICE, AUTHORITY, BOB, World
from .log_scene import (
    DAY,
    Meddler,
    certify_another,
    desk_of,
    hide_holdings,
    looked,
    seen,
)


async def test_a_certificate_that_the_authority_conceals_shows_in_the_log(world, stack):
    (alice,) = await world.people(stack, ALICE)
    assert await looked(alice, world) == []
    hide_holdings(Meddler(world))
    world.clock.now += DAY
    await certify_another(world, BOB)
    assert await looked(alice, world) == []
    await certify_another(world)

    (alarm,) = await looked(alice, world)

    assert alarm.kind == "certificate"
    assert alarm.words == (
        "Your number was certified for another key by Ringtrue development authority, and not for this device "
        "(log “Ringtrue development log”)."
    )
    assert "ask your operator" in alarm.advice
    world.clock.now += INTERVAL
    assert [each.id for each in await looked(alice, world)] == [alarm.id]


async def test_what_both_the_authority_and_the_log_tell_is_one_alarm(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await looked(alice, world)
    await certify_another(world)
    assert [each.kind for each in await looked(alice, world)] == ["certificate"]


async def test_another_device_of_ones_own_is_no_alarm_once_it_is_known(world, stack):
    (alice,) = await world.people(stack, ALICE)
    hide_holdings(Meddler(world))
    key = await certify_another(world)
    (alarm,) = await looked(alice, world)
    await desk_of(alice, world).device.acknowledge(alarm.id, mine=True)

    await again(world, key)

    assert await looked(alice, world) == []


async def again(world: World, key: ec.EllipticCurvePrivateKey) -> None:
    """Certify a key once more."""
    world.clock.now += DAY
    async with EnrolmentClient(AUTHORITY, clock=world.clock, transport=world.network) as authority:
        opened = await authority.challenge(ALICE)
        code = world.codes.codes[ALICE]
        await authority.certify(opened.challenge, code, key, ALICE, await authority.anchors())


async def test_a_certificate_from_before_the_enrolment_is_told_as_that(world, stack):
    meddler = Meddler(world)
    await certify_another(world)
    world.clock.now += 600
    hide_holdings(meddler)
    (alice,) = await world.people(stack, ALICE)
    (alarm,) = await looked(alice, world)
    assert "from before this device was enrolled" in alarm.words


async def test_who_had_the_number_long_ago_is_no_alarm(world, stack):
    await certify_another(world)
    world.clock.now += 30 * DAY
    (alice,) = await world.people(stack, ALICE)
    assert await looked(alice, world) == []


async def renew_elsewhere(alice: Session, world: World) -> None:
    """Whoever has a copy of Alice's key and chain renews her certificate."""
    account = alice.account
    async with EnrolmentClient(AUTHORITY, clock=world.clock, transport=world.network) as authority:
        await authority.renew(account.key, account.chain, TrustAnchors.from_pem(account.anchors))


async def test_a_renewal_that_the_authority_conceals_shows_in_the_log(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await looked(alice, world)
    hide_holdings(Meddler(world))
    world.clock.now += DAY
    await renew_elsewhere(alice, world)

    (alarm,) = await looked(alice, world)

    assert alarm.kind == "renewal"
    assert alarm.words == (
        "The log of certificates “Ringtrue development log” has one for this device's key that it did not ask for."
    )


async def test_a_renewal_that_both_tell_of_is_one_alarm(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await looked(alice, world)
    world.clock.now += DAY
    await renew_elsewhere(alice, world)
    assert [each.kind for each in await looked(alice, world)] == ["renewal"]
    world.clock.now += DAY
    await renew_elsewhere(alice, world)
    assert [each.kind for each in await looked(alice, world)] == ["renewal", "renewal"]


async def test_a_renewal_whose_answer_was_lost_is_known_in_the_log_too(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await looked(alice, world)
    meddler = Meddler(world)
    hide_holdings(meddler)
    world.clock.now += 5 * DAY
    lost = 0

    async def losing(request: httpx.Request) -> httpx.Response:
        nonlocal lost
        await meddler.honest(request)
        lost += 1
        raise httpx.ReadError("the answer was lost", request=request)

    meddler.answers["/acme/certificate/"] = losing
    await alice.maintain()
    del meddler.answers["/acme/certificate/"]
    assert lost > 0
    before = seen(alice).head.size
    world.clock.now += DAY
    assert await looked(alice, world) == []
    assert seen(alice).head.size > before
