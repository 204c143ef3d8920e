"""Linking a second device from the first, both ends over the real authority; every way in which it can end."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from client.credentials.link_channel import LinkChannel
from client.credentials.link_code import LinkCode, new_link_code, parse_link_code
from client.credentials.link_here import Keep, Linked, link_here
from client.credentials.link_messages import Ready
from client.credentials.meeting import Meeting
from client.desk.desk import Desk
from client.desk.device_views import LinkView
from client.errors import AccountExistsError, ClientError, LinkError, UnreachableError
from client.events import MessageReceived
from client.session import Session
from client.storage.home import Home
from identity.authority.links.wire import MAILBOX_LIFETIME
from identity.number import TelephoneNumber

from .conftest import ALICE, AUTHORITY, BOB, CHEAP, PASSPHRASE, World


class NewDevice:
    """The new device, and the person before it."""

    def __init__(self, world: World, folder: str = "tablet", *, agrees: bool = True) -> None:
        self.world = world
        self.home = world.folder / folder
        self.agrees_to_it = agrees
        self.digits: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.asked: list[TelephoneNumber] = []
        self.heard_last = asyncio.Event()

    def compare(self, digits: str) -> None:
        self.digits.set_result(digits)

    async def agrees(self, number: TelephoneNumber, authority: str) -> bool:
        self.asked.append(number)
        return self.agrees_to_it

    async def protect(self, keep: Keep) -> None:
        await keep(PASSPHRASE)

    def hear(self, words: str) -> None:
        if words == "Coming into the chats":
            self.heard_last.set()

    async def link(self, code: LinkCode, transport: httpx.AsyncBaseTransport | None = None) -> Linked:
        return await link_here(
            self.home,
            code,
            self,
            authority=code.authority or AUTHORITY,
            name="Alice's tablet",
            cost=CHEAP,
            clock=self.world.clock,
            transport=transport or self.world.network,
            jitter=0,
        )

    async def opened(self, stack: AsyncExitStack) -> Session:
        opening = Session.open(self.home, PASSPHRASE, clock=self.world.clock, transport=self.world.network, jitter=0)
        return await stack.enter_async_context(opening)

    @property
    def has_account(self) -> bool:
        return Home(self.home).anchors.exists()


def desk_of(session: Session, world: World) -> Desk:
    return Desk(session, Home(Path(world.folder)), world.clock)


async def until(desk: Desk, *states: str) -> LinkView:
    view = await desk.devices.linking()
    while view.state not in states:
        view = await desk.devices.linking(view.step)
    return view


async def linked(world: World, session: Session, device: NewDevice) -> tuple[LinkView, Linked]:
    desk = desk_of(session, world)
    shown = await desk.devices.link()
    linking = asyncio.create_task(device.link(parse_link_code(shown.uri)))
    comparing = await until(desk, "comparing", "ended")
    assert comparing.comparison == await device.digits
    await desk.devices.agree(True)
    done = await until(desk, "done", "ended")
    return done, await linking


async def test_a_code_brings_a_second_device_into_every_chat(world: World, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    plans, direct = await alice.create_chat("plans", [BOB]), await alice.create_chat(None, [BOB])
    await bob.receive()
    for chat in (plans, direct):
        await desk_of(bob, world).people.accept(chat.group_id.hex())
    await desk_of(alice, world).people.name(BOB.e164, "Bob")
    await desk_of(alice, world).chats.timer(plans.group_id.hex(), 3600)

    done, result = await linked(world, alice, NewDevice(world))

    assert (done.state, done.name, done.chats, done.left_out) == ("done", "Alice's tablet", 2, [])
    assert (result.account.number, result.chats, result.left_out, result.finished) == (ALICE, 2, 0, True)
    tablet = await NewDevice(world).opened(stack)
    assert {chat.name for chat in await tablet.chats()} == {"plans", str(BOB)}
    there = await desk_of(tablet, world).chats.all()
    assert {(chat.chat, chat.timer) for chat in there} == {("plans", 3600), ("Bob", 0)}
    await tablet.send(direct.group_id, "from the tablet")
    assert [event.message.text for event in await bob.receive() if isinstance(event, MessageReceived)]
    rows = await bob.history(direct.group_id)
    assert [row.text for row in rows if row.kind == "notice"][-1] == f"{ALICE} added another device."


async def test_neither_device_takes_the_other_for_a_thief(world: World, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)
    await alice.maintain()
    await linked(world, alice, NewDevice(world))
    tablet = await NewDevice(world).opened(stack)
    for session in (alice, tablet):
        await session.maintain()
        assert await desk_of(session, world).device.alarms() == []
        devices = await desk_of(session, world).devices.all(ask=True)
        assert [(device.this, device.state, device.met) for device in devices] == [
            (True, "valid", True),
            (False, "valid", True),
        ]


async def test_a_third_device_knows_both_others(world: World, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)
    await linked(world, alice, NewDevice(world))
    await linked(world, alice, NewDevice(world, "laptop"))
    laptop = await NewDevice(world, "laptop").opened(stack)
    assert len(await desk_of(laptop, world).devices.all()) == 3


async def test_a_removed_device_has_its_certificate_revoked(world: World, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)
    await linked(world, alice, NewDevice(world))
    desk = desk_of(alice, world)
    _, other = await desk.devices.all(ask=True)

    await desk.devices.remove(other.key[:8])

    assert [device.this for device in await desk.devices.all(ask=True)] == [True]
    assert len(await alice.devices.held()) == 1
    await alice.maintain()
    assert await desk.device.alarms() == []


@pytest.mark.parametrize("lost", [False, True])
async def test_a_lost_devices_key_counts_for_nothing_and_a_removed_ones_for_what_it_signed_before(
    world: World, stack: AsyncExitStack, lost: bool
) -> None:
    (alice,) = await world.people(stack, ALICE)
    _, result = await linked(world, alice, NewDevice(world))
    desk = desk_of(alice, world)
    (_, other) = await desk.devices.all()
    before = int(world.clock())
    world.clock.now += 60

    await desk.devices.remove(other.key, lost=lost)
    await alice.refresh_revocations()

    status = alice.steps.revocations.status(result.account.chain, int(world.clock()))
    assert status.withdrew(int(world.clock()))
    assert (status.key_lost, status.withdrew(before)) == (lost, lost)


async def test_the_removal_is_finished_when_the_authority_can_be_reached_again(
    world: World, stack: AsyncExitStack
) -> None:
    (alice,) = await world.people(stack, ALICE)
    await linked(world, alice, NewDevice(world))
    desk = desk_of(alice, world)
    _, other = await desk.devices.all()
    world.network.down.add("authority.test")
    await desk.devices.remove(other.key)
    world.network.down.clear()
    assert len(await alice.devices.held()) == 2
    world.clock.now += 61

    await alice.sync()

    assert len(await alice.devices.held()) == 1


# --- each way in which it can end


async def refused(attempt: asyncio.Task[Linked]) -> ClientError:
    with pytest.raises(ClientError) as caught:
        await attempt
    assert caught.value.hint
    return caught.value


async def certificates(session: Session) -> int:
    return len(await session.devices.held())


async def test_a_wrong_code_meets_nobody(world: World, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)
    shown = parse_link_code((await desk_of(alice, world).devices.link()).uri)
    wrong = LinkCode((*shown.symbols[:-1], shown.symbols[-1] ^ 1), shown.authority)
    device = NewDevice(world)
    error = await refused(asyncio.create_task(device.link(wrong)))
    assert error.code == "link-unknown"
    assert not device.has_account
    assert (await desk_of(alice, world).devices.cancel()).state == "ended"


async def test_an_old_code_meets_nobody(world: World, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)
    desk = desk_of(alice, world)
    shown = await desk.devices.link()
    world.clock.now += MAILBOX_LIFETIME
    error = await refused(asyncio.create_task(NewDevice(world).link(parse_link_code(shown.uri))))
    assert error.code == "link-unknown"
    await desk.devices.cancel()


async def test_the_person_says_no_on_the_first_device(world: World, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)
    desk, device = desk_of(alice, world), NewDevice(world)
    shown = await desk.devices.link()
    linking = asyncio.create_task(device.link(parse_link_code(shown.uri)))
    await until(desk, "comparing")
    await desk.devices.agree(False)
    ended = await until(desk, "ended")
    assert (ended.error, ended.code) == ("link-refused", "")
    error = await refused(linking)
    assert error.code == "link-ended"
    assert "said no" in str(error)
    assert (await certificates(alice), device.has_account) == (1, False)


async def test_the_first_device_cancels_while_its_code_is_shown(world: World, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)
    desk = desk_of(alice, world)
    shown = await desk.devices.link()
    assert (await desk.devices.cancel()).error == "link-cancelled"
    error = await refused(asyncio.create_task(NewDevice(world).link(parse_link_code(shown.uri))))
    assert error.code in ("link-closed", "link-unknown")
    assert (await desk.devices.link()).state == "waiting", "another one can begin"
    await desk.devices.cancel()


async def test_somebody_else_has_used_the_code_first(world: World, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)
    desk = desk_of(alice, world)
    code = parse_link_code((await desk.devices.link()).uri)
    thief, owner = NewDevice(world, "thief"), NewDevice(world)
    stealing = asyncio.create_task(thief.link(code))
    await until(desk, "comparing")

    error = await refused(asyncio.create_task(owner.link(code)))

    assert error.code == "link-closed"
    assert "somebody else may have seen the code" in error.hint
    assert not owner.digits.done(), "the owner's device shows nothing that could be compared"
    await desk.devices.agree(False)
    await refused(stealing)
    assert await certificates(alice) == 1


async def test_it_is_not_the_number_that_the_new_device_was_to_have(world: World, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)
    desk, device = desk_of(alice, world), NewDevice(world, agrees=False)
    shown = await desk.devices.link()
    linking = asyncio.create_task(device.link(parse_link_code(shown.uri)))
    await until(desk, "comparing")
    await desk.devices.agree(True)

    assert (await refused(linking)).code == "link-declined"

    ended = await until(desk, "ended")
    assert "said no on the new device" in ended.why
    assert device.asked == [ALICE]
    assert (await certificates(alice), device.has_account) == (1, False)
    assert len(await desk.devices.all()) == 1


async def test_a_folder_with_an_account_takes_no_other(world: World, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)
    await world.enrol(BOB)
    device = NewDevice(world, BOB.digits)
    shown = await desk_of(alice, world).devices.link()
    with pytest.raises(AccountExistsError):
        await device.link(parse_link_code(shown.uri))
    await desk_of(alice, world).devices.cancel()


async def test_the_network_fails_for_a_moment_on_either_side(world: World, stack: AsyncExitStack) -> None:
    alice, _ = await world.people(stack, ALICE, BOB)
    await alice.create_chat("plans", [BOB])
    desk, device = desk_of(alice, world), NewDevice(world)
    shown = await desk.devices.link()
    linking = asyncio.create_task(device.link(parse_link_code(shown.uri)))
    await until(desk, "comparing")
    world.network.down.add("authority.test")
    await device.digits
    world.network.down.clear()
    await desk.devices.agree(True)
    assert (await until(desk, "done", "ended")).state == "done"
    assert (await linking).chats == 1


async def test_the_first_device_takes_back_what_it_granted_and_the_new_one_undoes_it(
    world: World, stack: AsyncExitStack
) -> None:
    (alice,) = await world.people(stack, ALICE)
    desk, device = desk_of(alice, world), NewDevice(world)
    held = Held(world.network, "/v1/key-packages")
    shown = await desk.devices.link()
    linking = asyncio.create_task(device.link(parse_link_code(shown.uri), held))
    await until(desk, "comparing")
    await desk.devices.agree(True)
    await held.reached.wait()  # the new device has its certificate, and has not said that it is ready
    assert await certificates(alice) == 2

    await desk.devices.cancel()
    held.go_on.set()

    error = await refused(linking)
    assert "its certificate was given back" in str(error) or "given back" in str(error)
    assert not Home(device.home).database.exists()
    assert await certificates(alice) == 1
    assert len(await desk.devices.all()) == 1


async def test_the_new_device_is_late_and_comes_in_by_itself(world: World, stack: AsyncExitStack) -> None:
    alice, _ = await world.people(stack, ALICE, BOB)
    await alice.create_chat("plans", [BOB])
    desk, device = desk_of(alice, world), NewDevice(world)
    held = Held(world.network, "/v1/key-packages")
    shown = await desk.devices.link()
    linking = asyncio.create_task(device.link(parse_link_code(shown.uri), held))
    await until(desk, "comparing")
    await desk.devices.agree(True)
    await held.reached.wait()
    await alice.linking.close()  # the program on the first device ends
    held.go_on.set()
    await device.heard_last.wait()
    linking.cancel()  # and the person at the new one waits for nothing
    await asyncio.wait((linking,))
    world.clock.now += 3601

    await alice.sync()

    tablet = await device.opened(stack)
    await tablet.receive()
    assert len(await tablet.chats()) == 1
    (_, other) = await desk.devices.all()
    assert (other.left_out, len(other.chats)) == ([], 1)


class Held(httpx.AsyncBaseTransport):
    """Holds back the first upload to an address until it may go on."""

    def __init__(self, network: httpx.AsyncBaseTransport, path: str) -> None:
        self._network = network
        self._path = path
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PUT" and request.url.path == self._path:
            self.reached.set()
            await self.go_on.wait()
        return await self._network.handle_async_request(request)


async def test_it_is_cancelled_on_the_new_device(world: World, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)
    desk, device = desk_of(alice, world), NewDevice(world)
    shown = await desk.devices.link()
    linking = asyncio.create_task(device.link(parse_link_code(shown.uri)))
    await until(desk, "comparing")
    linking.cancel()
    await asyncio.wait((linking,))

    await desk.devices.agree(True)

    ended = await until(desk, "ended")
    assert ended.error == "link-slot-taken"
    assert ended.hint
    assert (await certificates(alice), device.has_account, len(await desk.devices.all())) == (1, False, 1)


class Losing(httpx.AsyncBaseTransport):
    """Loses the answer that holds the last box, after the service has given it away."""

    def __init__(self, network: httpx.AsyncBaseTransport, nth: int) -> None:
        self._network = network
        self._left = nth

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._network.handle_async_request(request)
        if request.method == "POST" and request.url.path.startswith("/v1/links/") and response.status_code == 200:
            self._left -= 1
            if not self._left:
                raise httpx.ReadError("the connection broke", request=request)
        return response


async def test_the_answer_that_says_that_all_is_done_is_lost_and_nothing_is_undone(
    world: World, stack: AsyncExitStack
) -> None:
    alice, _ = await world.people(stack, ALICE, BOB)
    await alice.create_chat("plans", [BOB])
    desk, device = desk_of(alice, world), NewDevice(world)
    shown = await desk.devices.link()
    linking = asyncio.create_task(device.link(parse_link_code(shown.uri), Losing(world.network, 3)))
    await until(desk, "comparing")
    await desk.devices.agree(True)
    assert (await until(desk, "done", "ended")).state == "done"
    result = await linking
    assert (result.finished, result.chats) == (False, 1)
    assert await certificates(alice) == 2


async def test_the_answer_that_grants_the_number_is_lost_and_nothing_is_kept(
    world: World, stack: AsyncExitStack
) -> None:
    (alice,) = await world.people(stack, ALICE)
    desk, device = desk_of(alice, world), NewDevice(world)
    shown = await desk.devices.link()
    linking = asyncio.create_task(device.link(parse_link_code(shown.uri), Losing(world.network, 2)))
    await until(desk, "comparing")
    await desk.devices.agree(True)
    assert (await refused(linking)).code == "link-closed"
    assert (await certificates(alice), device.has_account) == (1, False)
    await desk.devices.cancel()
    assert len(await desk.devices.all()) == 1


async def test_a_box_waits_for_the_network_and_the_person_is_told(world: World) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    code = new_link_code(AUTHORITY)
    first, new = (LinkChannel(code.secret) for _ in range(2))
    where = {"clock": world.clock, "transport": world.network}
    async with (
        Meeting(AUTHORITY, first, "first", troubled=heard.put_nowait, **where) as speaker,
        Meeting(AUTHORITY, new, "new", **where) as listener,
    ):
        world.network.down.add("authority.test")
        saying = asyncio.create_task(speaker.say(Ready()))
        assert (await heard.get()).startswith("https://authority.test cannot be reached")
        world.network.down.clear()
        await saying
        while await heard.get():
            pass
        assert await listener.heard(Ready, wait=False) == Ready()


async def test_one_device_is_linked_at_a_time(world: World, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)
    desk = desk_of(alice, world)
    with pytest.raises(LinkError, match="no device is being linked"):
        await desk.devices.linking()
    with pytest.raises(LinkError, match="no device waits"):
        await desk.devices.agree(True)
    await desk.devices.link()
    with pytest.raises(LinkError, match="already"):
        await desk.devices.link()
    await desk.devices.cancel()


async def test_without_network_no_code_is_shown(world: World, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)
    world.network.down.add("authority.test")
    with pytest.raises(UnreachableError):
        await desk_of(alice, world).devices.link()
    with pytest.raises(UnreachableError):
        await NewDevice(world).link(new_link_code(AUTHORITY))
