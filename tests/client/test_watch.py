"""A key or a number that is used elsewhere becomes visible to its owner, and nothing else raises an alarm."""

import json
import shutil
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.credentials.enrolment import EnrolmentClient
from client.defence.watch import INTERVAL, RETRY
from client.desk.desk import Desk
from client.desk.people_views import AlarmView
from client.errors import ChatError, UnreachableError
from client.events import Alarmed, Trouble
from client.services.delivery import DeliveryClient
from client.session import Session
from client.steps.device import make_engine
from client.storage.home import Home
from delivery_service.wire import OPENINGS_KEPT, KeyPackageUpload
from delivery_service.wire.ending import DataDeletion
from identity.binding import DeviceVerifier
from identity.certificates import TrustAnchors

from .conftest import ALICE, AUTHORITY, BOB, DELIVERY, World

DAY = 86_400


def desk_of(session: Session, world: World) -> Desk:
    return Desk(session, Home(Path(world.folder)), world.clock)


async def looked(session: Session, world: World) -> list[AlarmView]:
    """The alarms after both services were asked once more."""
    await session.maintain()
    return await desk_of(session, world).device.alarms()


def thief_of(session: Session, world: World) -> DeliveryClient:
    """A client with a copy of the device's key and chain."""
    account = session.account
    return DeliveryClient(DELIVERY, account.key, account.chain, clock=world.clock, transport=world.network)


async def certify_another(world: World) -> ec.EllipticCurvePrivateKey:
    """Whoever receives a code of Alice's number has it certified for a key of theirs."""
    key = ec.generate_private_key(ec.SECP256R1())
    async with EnrolmentClient(AUTHORITY, clock=world.clock, transport=world.network) as authority:
        anchors = await authority.anchors()
        opened = await authority.challenge(ALICE)
        await authority.certify(opened.challenge, world.codes.codes[ALICE], key, ALICE, anchors)
    return key


async def test_a_month_of_ordinary_use_raises_no_alarm(world, stack):
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("plans", [BOB])
    for day in range(30):
        world.clock.now += DAY
        await bob.receive()
        await alice.send(chat.group_id, f"day {day}")
        await alice.receive()
        await alice.maintain()
    assert await looked(alice, world) == []
    assert await looked(bob, world) == []
    assert (await desk_of(alice, world).device.status()).alarms == 0


async def test_the_number_certified_for_another_key_is_an_alarm(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await alice.maintain()
    world.clock.now += DAY
    await certify_another(world)

    with alice.listening() as events:
        (alarm,) = await looked(alice, world)
        told = [events.get_nowait() for _ in range(events.qsize())]

    assert Alarmed(1) in told
    assert alarm.kind == "certificate"
    assert alarm.words == (
        "Your number was certified for another key, by a code that was sent to it, and not for this device."
    )
    assert alarm.at.timestamp() == world.clock.now
    assert "ask your operator" in alarm.advice
    assert (await desk_of(alice, world).device.status()).alarms == 1
    world.clock.now += INTERVAL
    assert [each.id for each in await looked(alice, world)] == [alarm.id]


async def test_a_certificate_from_before_the_enrolment_is_told_as_that(world, stack):
    await certify_another(world)
    world.clock.now += 600
    (alice,) = await world.people(stack, ALICE)

    (alarm,) = await looked(alice, world)

    assert "since before this device was enrolled" in alarm.words


async def test_an_alarm_stays_until_it_is_put_away_and_comes_no_second_time(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await certify_another(world)
    (alarm,) = await looked(alice, world)
    await stack.aclose()
    async with world.open(ALICE) as alice:
        desk = desk_of(alice, world)
        assert [each.id for each in await desk.device.alarms()] == [alarm.id]
        assert await desk.device.acknowledge(alarm.id) == []
        assert await looked(alice, world) == []
        (put_away,) = await desk.device.alarms(everything=True)
        assert put_away.acknowledged is not None
        with pytest.raises(ChatError, match="no alarm"):
            await desk.device.acknowledge(99)


async def test_another_device_of_ones_own_is_put_away_as_that(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await certify_another(world)
    (alarm,) = await looked(alice, world)
    desk = desk_of(alice, world)

    await desk.device.acknowledge(alarm.id, mine=True)

    assert await looked(alice, world) == []
    assert [key.named for key in await desk.people.keys(ALICE.e164)] == [True, True]


async def test_renewals_are_known_even_if_their_answer_was_lost(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await alice.maintain()
    world.clock.now += 5 * DAY
    lost = world.network.services["authority.test"]

    class LosesAnswers(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await lost.handle_async_request(request)
            if "/finalize" in request.url.path or "/certificate/" in request.url.path:
                raise httpx.ReadError("the answer was lost", request=request)
            return response

    world.network.services["authority.test"] = LosesAnswers()
    await alice.maintain()
    world.network.services["authority.test"] = lost
    world.clock.now += 300

    assert await looked(alice, world) == []


async def test_a_certificate_for_the_own_key_that_nobody_here_asked_for_is_an_alarm(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await alice.maintain()
    world.clock.now += DAY
    account = alice.account
    async with EnrolmentClient(AUTHORITY, clock=world.clock, transport=world.network) as authority:
        await authority.renew(account.key, account.chain, TrustAnchors.from_pem(account.anchors))

    (alarm,) = await looked(alice, world)

    assert alarm.kind == "renewal"
    assert "Enrol again in a new folder" in alarm.advice


async def test_a_session_that_the_key_opened_elsewhere_is_an_alarm(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await alice.maintain()
    world.clock.now += 100
    async with thief_of(alice, world) as thief:
        await thief.open_session()
        world.clock.now += 100
        await thief.open_session()

    (alarm,) = await looked(alice, world)

    assert alarm.kind == "session"
    assert alarm.words.startswith("2 sessions at the delivery service were opened with this device's key")
    assert alarm.at.timestamp() == world.clock.now
    world.clock.now += INTERVAL
    assert len(await looked(alice, world)) == 1


async def test_who_has_a_copy_of_the_key_cannot_delete_the_traces_of_it(world, stack):
    """Deleting what the service keeps of the device leaves the count of its sessions, and the last of them."""
    (alice,) = await world.people(stack, ALICE)
    assert await looked(alice, world) == []
    for _ in range(2):
        world.clock.now += INTERVAL + 1
        async with thief_of(alice, world) as thief:
            await thief.delete_data(DataDeletion("device"))
        (alarm,) = await looked(alice, world)
        assert "opened with this device's key" in alarm.words
        await alice.worker.run(alice.steps.watch.acknowledge, alarm.id, alice.now(), mine=False)


async def test_deleting_ones_own_data_is_no_alarm(world, stack):
    (alice,) = await world.people(stack, ALICE)
    for _ in range(3):
        assert await looked(alice, world) == []
        world.clock.now += INTERVAL + 1
        await alice.delete_service_data(number=True)
    assert await looked(alice, world) == []


async def test_sessions_that_own_ones_have_pushed_out_of_the_list_are_counted(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await alice.maintain()
    async with thief_of(alice, world) as thief:
        for _ in range(3):
            await thief.open_session()
    for _ in range(OPENINGS_KEPT):
        await alice.delivery.open_session()

    (alarm,) = await looked(alice, world)

    assert alarm.words.startswith("3 sessions")


async def test_own_sessions_beyond_the_list_are_no_alarm(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await alice.maintain()
    for _ in range(OPENINGS_KEPT + 20):
        await alice.delivery.open_session()
    assert await looked(alice, world) == []


async def test_a_session_whose_answer_never_came_is_still_ones_own(world, stack):
    """The nonces are kept before the request is sent, so that a crash in between makes nothing look foreign."""
    (alice,) = await world.people(stack, ALICE)
    await alice.maintain()
    honest = world.network.services["delivery.test"]

    class LosesAnswers(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await honest.handle_async_request(request)
            raise httpx.ReadError("the answer was lost", request=request)

    world.network.services["delivery.test"] = LosesAnswers()
    with pytest.raises(UnreachableError):
        await alice.delivery.open_session()
    world.network.services["delivery.test"] = honest
    await stack.aclose()  # and the process ends
    async with world.open(ALICE) as alice:
        assert len(await alice.delivery.openings()) >= 2
        assert await looked(alice, world) == []


async def test_a_key_package_that_this_device_did_not_make_is_an_alarm(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await alice.maintain()
    engine = make_engine(alice.account, DeviceVerifier(TrustAnchors.from_pem(alice.account.anchors)))
    made = engine.key_package(int(world.clock()), lifetime=DAY)
    async with thief_of(alice, world) as thief:
        await thief.upload_key_packages(KeyPackageUpload([made.message]))

    alarms = await looked(alice, world)

    assert sorted(each.kind for each in alarms) == ["key-package", "session"]
    (alarm,) = [each for each in alarms if each.kind == "key-package"]
    assert alarm.words == "The delivery service hands out 1 key package that this device did not make."


async def test_a_last_resort_package_that_was_used_is_still_ones_own(world, stack):
    alice, bob = await world.people(stack, ALICE, BOB)
    for name in range(22):  # more than the one-time packages
        await bob.create_chat(f"chat {name}", [ALICE])
        await alice.receive()
    assert (await alice.delivery.key_package_stock()).available == 0
    assert await looked(alice, world) == []


async def test_an_own_message_that_the_store_does_not_know_is_an_alarm(world):
    async with AsyncExitStack() as stack:
        alice, bob = await world.people(stack, ALICE, BOB)
        chat = await alice.create_chat("copies", [BOB])
        await bob.receive()
    shutil.copytree(world.home(BOB), world.folder / "copy")
    async with world.open(BOB) as bob:
        await bob.send(chat.group_id, "sent after the copy was made")
    shutil.rmtree(world.home(BOB))
    shutil.copytree(world.folder / "copy", world.home(BOB))
    async with world.open(BOB) as bob:
        await bob.receive()
        alarms = await desk_of(bob, world).device.alarms()
        assert "message" in [each.kind for each in alarms]
        (alarm,) = [each for each in alarms if each.kind == "message"]
        assert "sent with this device's key, and not by this program as it is stored here" in alarm.words
        assert "old copy" in alarm.advice


async def test_a_service_that_does_not_answer_is_asked_again_a_little_later(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await alice.maintain()
    await certify_another(world)
    world.clock.now += INTERVAL + 1
    world.network.down.add("authority.test")
    troubles = [each.reason for each in await alice.receive() if isinstance(each, Trouble)]
    assert not [reason for reason in troubles if "used elsewhere" in reason]
    world.network.down.clear()
    world.clock.now += RETRY - 1
    await alice.receive()
    assert await desk_of(alice, world).device.alarms() == []
    world.clock.now += INTERVAL
    await alice.receive()
    assert len(await desk_of(alice, world).device.alarms()) == 1


async def test_a_store_of_an_earlier_version_takes_what_is_there_as_its_own(world, stack):
    (alice,) = await world.people(stack, ALICE)
    await alice.maintain()
    for table in ("own_certificate", "own_opening", "own_key_package", "watch_look"):
        await alice.worker.run(alice.steps.store.execute, f"DELETE FROM {table}")
    assert await looked(alice, world) == []
    async with thief_of(alice, world) as thief:
        await thief.open_session()
    assert [each.kind for each in await looked(alice, world)] == ["session"]


class Answers(httpx.AsyncBaseTransport):
    """Answers one path with any octets, and the rest honestly."""

    def __init__(self, honest: httpx.AsyncBaseTransport, path: str) -> None:
        self._honest = honest
        self._path = path
        self.body = b""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != self._path:
            return await self._honest.handle_async_request(request)
        return httpx.Response(200, stream=httpx.ByteStream(self.body))


numbers = st.integers(-(2**70), 2**70) | st.sampled_from([0, 1, 2, 1_795_000_000, 2**53, 2**63 - 1])
digests = st.sampled_from(["00" * 32, "ab" * 32, "ab" * 16, "", "\x1b[31m", "../.."]) | st.text(max_size=40)
openings = st.fixed_dictionaries({"number": numbers, "at": numbers, "nonce": digests})
holdings = st.fixed_dictionaries(
    {
        "fingerprint": digests,
        "key": digests,
        "issued_at": numbers,
        "by": st.sampled_from(["code", "renewal", "love"]),
        "not_after": numbers,
    }
)
ANSWERS = [
    ("delivery.test", "/v1/openings", "openings", openings),
    ("delivery.test", "/v1/key-packages/references", "references", st.sampled_from(["AAAA", "?", ""])),
    ("authority.test", "/v1/holdings", "certificates", holdings),
]
hostile = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest_asyncio.fixture
async def alice(world, stack) -> Session:
    (alice,) = await world.people(stack, ALICE)
    await alice.maintain()
    return alice


@pytest.mark.parametrize(("host", "path", "name", "items"), ANSWERS)
@given(data=st.data())
@hostile
async def test_whatever_a_service_answers_is_compared_or_refused(world, alice, host, path, name, items, data):
    honest = world.network.services[host]
    answers = world.network.services[host] = Answers(honest, path)
    answers.body = data.draw(st.binary(max_size=60) | st.lists(items, max_size=3).map(lambda some: _json(name, some)))
    try:
        alarms = await looked(alice, world)
    finally:
        world.network.services[host] = honest
    for alarm in alarms:
        assert alarm.words.isprintable()
        assert 0 <= alarm.at.timestamp() <= world.clock.now + DAY


def _json(name: str, items: list[object]) -> bytes:
    return json.dumps({name: items}).encode()
