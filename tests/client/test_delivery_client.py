"""The delivery client against the real service: every address, sessions, refusals."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from mls_rs import Application

from client.errors import (
    CredentialRefusedError,
    NoKeyPackageError,
    NotFoundError,
    ServiceError,
    StaleEpochError,
)
from client.records.outbox import new_idempotency_key
from client.services.delivery import DeliveryClient
from delivery_service.wire import SESSION_LIFETIME, CommitBundle
from tests.client.delivery_scene import ALICE, BOB, HOST, NOW, Scene, running


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with running() as scene:
        yield scene


class Counting(httpx.AsyncBaseTransport):
    """Counts the requests to each path on their way to the service."""

    def __init__(self, scene: Scene) -> None:
        self.service = httpx.ASGITransport(scene.app)
        self.paths: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        return await self.service.handle_async_request(request)


async def test_two_devices_talk_through_every_address(scene: Scene) -> None:
    alice, bob = scene.device(ALICE), scene.device(BOB)
    assert (await alice.delivery.status()).host == HOST
    await bob.publish(2)
    assert (await bob.delivery.key_package_stock()).available == 2
    group = await alice.create()
    added = await alice.add(group, BOB)
    assert (added.seq, added.epoch) == (1, 0)
    assert (await bob.delivery.key_package_stock()).available == 1

    (welcome,) = (await bob.delivery.inbox(0)).items
    joined = bob.engine.join(welcome.welcome, bob.secrets, NOW)
    await bob.delivery.ack_inbox(welcome.position)
    assert (await bob.delivery.inbox(0)).items == []
    said = await alice.say(group, b"Watson, come here.")

    (entry,) = (await bob.delivery.entries(group.group_id, welcome.seq)).entries
    received = joined.process(entry.body, NOW)
    assert isinstance(received, Application)
    assert (entry.seq, received.data) == (said.seq, b"Watson, come here.")
    assert list((await bob.delivery.heads()).groups.values()) == [said.seq]


async def test_a_session_is_opened_once_for_many_calls(scene: Scene) -> None:
    transport = Counting(scene)
    alice = scene.device(ALICE, transport=transport)
    await asyncio.gather(*(alice.delivery.heads() for _ in range(5)))
    assert transport.paths.count("/v1/sessions") == 1


async def test_a_session_is_renewed_before_it_ends(scene: Scene) -> None:
    transport = Counting(scene)
    alice = scene.device(ALICE, transport=transport)
    await alice.delivery.heads()
    scene.clock.now += SESSION_LIFETIME - 10
    await alice.delivery.heads()
    assert transport.paths.count("/v1/sessions") == 2


async def test_after_a_restart_of_the_service_a_session_is_opened_again(scene: Scene) -> None:
    transport = Counting(scene)
    alice = scene.device(ALICE, transport=transport)
    granted = await alice.delivery.open_session()
    restarted = scene.service()
    async with restarted.router.lifespan_context(restarted):
        transport.service = httpx.ASGITransport(restarted)
        await alice.delivery.heads()
    assert transport.paths == ["/v1/sessions", "/v1/groups", "/v1/sessions", "/v1/groups"]
    assert granted.device.startswith("+12025550142/")


async def test_a_renewed_chain_opens_a_new_session(scene: Scene) -> None:
    transport = Counting(scene)
    alice = scene.device(ALICE, transport=transport)
    await alice.delivery.heads()
    alice.delivery.use_chain(alice.chain)
    await alice.delivery.heads()
    assert transport.paths.count("/v1/sessions") == 2


async def test_a_late_entry_is_told_the_epoch_and_the_head(scene: Scene) -> None:
    alice = scene.device(ALICE)
    group = await alice.create()
    late = group.encrypt(b"too late")
    pending = group.commit(NOW, path=True)
    await alice.delivery.commit(
        group.group_id, CommitBundle(pending.commit, list(pending.welcomes), pending.group_info), new_idempotency_key()
    )
    with pytest.raises(StaleEpochError) as caught:
        await alice.delivery.append(group.group_id, late, new_idempotency_key())
    assert (caught.value.epoch, caught.value.head, caught.value.code) == (1, 1, "stale-epoch")


async def test_the_same_entry_sent_twice_stands_once(scene: Scene) -> None:
    alice = scene.device(ALICE)
    group = await alice.create()
    message, key = group.encrypt(b"once"), new_idempotency_key()
    first = await alice.delivery.append(group.group_id, message, key)
    assert await alice.delivery.append(group.group_id, message, key) == first
    assert len((await alice.delivery.entries(group.group_id, 0)).entries) == 1


async def test_a_number_that_nobody_has_is_not_found(scene: Scene) -> None:
    with pytest.raises(NotFoundError) as caught:
        await scene.device(ALICE).delivery.claim_key_packages(BOB)
    assert (caught.value.code, caught.value.exit_code) == ("unknown-number", 5)


async def test_a_device_without_key_packages_is_told_so(scene: Scene) -> None:
    alice, bob = scene.device(ALICE), scene.device(BOB)
    await bob.publish(1)
    assert len(await alice.delivery.claim_key_packages(BOB)) == 1
    with pytest.raises(NoKeyPackageError):
        await alice.delivery.claim_key_packages(BOB)


async def test_groups_of_others_cannot_be_read(scene: Scene) -> None:
    alice, bob = scene.device(ALICE), scene.device(BOB)
    group = await alice.create()
    with pytest.raises(ServiceError) as caught:
        await bob.delivery.entries(group.group_id, 0)
    assert caught.value.code in ("not-a-member", "unknown-group")


async def test_a_chain_of_another_authority_is_refused(scene: Scene) -> None:
    stranger = Scene().device(ALICE, transport=httpx.ASGITransport(scene.app))
    with pytest.raises(CredentialRefusedError) as caught:
        await stranger.delivery.heads()
    assert (caught.value.code, caught.value.exit_code) == ("credential-refused", 8)


async def test_a_clock_that_is_wrong_is_named(scene: Scene) -> None:
    alice = scene.device(ALICE)
    wrong = DeliveryClient(
        f"http://{HOST}",
        alice.key,
        alice.chain,
        clock=lambda: NOW + 3_600,
        transport=httpx.ASGITransport(scene.app),
    )
    with pytest.raises(CredentialRefusedError) as caught:
        await wrong.heads()
    assert caught.value.code == "invalid-signature"
    assert "clock" in caught.value.hint


async def test_a_long_poll_ends_with_the_entry_it_waited_for(scene: Scene) -> None:
    alice = scene.device(ALICE)
    group = await alice.create()
    waiting = asyncio.create_task(alice.delivery.entries(group.group_id, 0, wait=20))
    await asyncio.sleep(0.05)
    said = await alice.say(group, b"here")
    batch = await asyncio.wait_for(waiting, 5)
    assert [entry.seq for entry in batch.entries] == [said.seq]
