"""What people see when the delivery service comes back from an older copy of itself."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from client.defence.lies import SEEN_WORDS, Lie
from client.doctor import look_at_logs
from client.events import Gap
from client.finding import Finding
from client.session import Session
from delivery_service.app import create_app
from delivery_service.backup import back_up, restore
from identity.certificates import TrustAnchors
from tests.client.conftest import ALICE, AUTHORITY, BOB, CAROL, World


class Restorable:
    """The world's delivery service in a folder of its own, backed up and restored at will."""

    def __init__(self, world: World, folder: Path, anchors: TrustAnchors) -> None:
        self.world, self.folder, self.anchors = world, folder, anchors
        self.copies = 0
        self.running = AsyncExitStack()

    async def start(self) -> None:
        app = create_app(self.folder, self.anchors, host="delivery.test", clock=self.world.clock)
        await self.running.enter_async_context(app.router.lifespan_context(app))
        self.world.network.services["delivery.test"] = httpx.ASGITransport(app)

    def back_up(self) -> Path:
        self.copies += 1
        target = self.folder.with_name(f"backup {self.copies}")
        back_up(self.folder, target, int(self.world.clock()))
        return target

    async def restore(self, backup: Path) -> None:
        await self.running.aclose()
        self.folder = self.folder.with_name(f"restored {self.copies}")
        restore(backup, self.folder)
        await self.start()


@pytest.fixture
async def service(world: World, tmp_path: Path) -> AsyncIterator[Restorable]:
    async with httpx.AsyncClient(transport=world.network, base_url=AUTHORITY) as http:
        anchors = TrustAnchors.from_pem((await http.get("/v1/anchors.pem")).content)
    service = Restorable(world, tmp_path / "delivery", anchors)
    await service.start()
    yield service
    await service.running.aclose()


def texts(events: list[object]) -> list[str]:
    return [event.message.text for event in events if type(event).__name__ == "MessageReceived"]


def told(events: list[object]) -> list[str]:
    return [str(event.code) for event in events if isinstance(event, Gap)]


async def shown(session: Session, group_id: bytes) -> list[str]:
    return [message.text for message in await session.history(group_id)]


async def test_everybody_is_told_and_the_chat_goes_on(world, stack: AsyncExitStack, service: Restorable) -> None:
    alice, bob, carol = await world.people(stack, ALICE, BOB, CAROL)
    chat = await alice.create_chat("dinner", [BOB, CAROL])
    await alice.send(chat.group_id, "kept")
    assert texts(await bob.receive()) == texts(await carol.receive()) == ["kept"]
    backup = service.back_up()
    await alice.send(chat.group_id, "lost to Carol")
    assert texts(await bob.receive()) == ["lost to Carol"]
    await service.restore(backup)

    for session in (alice, bob, carol):
        assert told(await session.receive()) == [Lie.RESTORED]
    await carol.send(chat.group_id, "are you there?")
    for session in (alice, bob):
        events = await session.receive()
        assert (texts(events), told(events)) == (["are you there?"], [])
    await bob.send(chat.group_id, "yes")
    assert told(await alice.receive()) == told(await carol.receive()) == []
    for session in (alice, bob, carol):
        lines = await shown(session, chat.group_id)
        assert sum("restored from a backup" in line for line in lines) == 1
        assert lines[-2:] == ["are you there?", "yes"]
        assert (await session.find_chat("dinner")).standing.is_member
    assert "lost to Carol" not in await shown(carol, chat.group_id)


async def test_the_doctor_says_in_words_what_was_seen_and_that_nothing_is_to_be_done(world, stack, service) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    await alice.create_chat("dinner", [BOB])
    await bob.receive()
    for _ in range(2):
        await service.restore(service.back_up())
        await bob.receive()
    (seen,) = await bob.worker.run(look_at_logs, bob.steps)
    assert seen == Finding(
        "log",
        True,
        "dinner: nothing is to be done. Seen so far: "
        "the service was restored from a backup, and lost what it took after that (twice).",
    )


def test_whatever_a_service_may_be_caught_at_has_words_for_the_doctor() -> None:
    assert set(SEEN_WORDS) == set(Lie)


async def test_a_sender_is_told_that_what_was_delivered_may_be_missing_at_others(world, stack, service) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("dinner", [BOB])
    await bob.receive()
    backup = service.back_up()
    assert (await alice.send(chat.group_id, "hello")).state == "delivered"
    await service.restore(backup)
    assert told(await alice.receive()) == [Lie.RESTORED]
    assert "yours may be missing at others" in (await shown(alice, chat.group_id))[-1]
    events = await bob.receive()
    assert (texts(events), told(events)) == ([], [Lie.RESTORED])


async def test_a_member_whose_change_was_forgotten_is_told_that_the_chat_ends(world, stack, service) -> None:
    alice, bob, _ = await world.people(stack, ALICE, BOB, CAROL)
    chat = await alice.create_chat("dinner", [BOB])
    await bob.receive()
    backup = service.back_up()
    await alice.add(chat.group_id, [CAROL])
    await bob.receive()
    await service.restore(backup)
    events = await alice.receive()
    assert told(events) == ["gone"]
    assert not (await alice.find_chat("dinner")).standing.is_member
    assert any("restored from a backup" in line for line in await shown(alice, chat.group_id))
    await alice.create_chat("dinner again", [BOB])
    assert any(type(event).__name__ == "ChatJoined" for event in await bob.receive())


async def test_key_packages_are_made_anew_and_nobody_is_alarmed(world, stack, service: Restorable) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    backup = service.back_up()
    await alice.create_chat("one", [BOB])
    await bob.receive()
    world.clock.now += 3600
    await service.restore(backup)
    for session in (alice, bob):
        await session.maintain()
    chat = await alice.create_chat("two", [BOB])
    await alice.send(chat.group_id, "hello")
    assert "hello" in texts(await bob.receive())
    world.clock.now += 86_400
    for session in (alice, bob):
        await session.maintain()
        assert [event for event in await session.receive() if type(event).__name__ == "Alarmed"] == []
