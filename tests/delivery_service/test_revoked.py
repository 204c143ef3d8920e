"""Certificates that lapse or are revoked: nothing of them is handed out, taken or kept, and nobody else is stopped."""

import asyncio
import hashlib
from dataclasses import dataclass, field

import httpx
import msgspec
import pytest
from cryptography import x509

from delivery_service.policy import Policy
from delivery_service.service import MEMBERS_HEAR, Service
from delivery_service.storage import duties
from delivery_service.wire import RETENTION
from identity.certificates import TrustAnchors
from identity.groups.eviction import with_sender
from identity.issuing import create_issuer, create_root
from identity.status.revocation import Reason, sign_crl
from identity.tn_auth_list import TelephoneNumberRange, TNAuthList
from tests.delivery_service.conftest import YEAR, Device, Roots

ALICE, BOB, CAROL = "+12025550142", "+12025550143", "+12025550144"
DAY = 86_400
LIFETIME = 7 * DAY
AT = "https://authority.example/v1/crl"
BY_URL = Policy(revocations=(AT,))


@dataclass
class Authority(httpx.AsyncBaseTransport):
    """Serves its list of revocations over HTTP, while it is `up`."""

    roots: Roots
    clock: object
    entries: dict[int, tuple[int, Reason]] = field(default_factory=dict)
    number: int = 0
    up: bool = True
    body: bytes | None = None
    asked: int = 0
    silent: bool = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.silent:
            await asyncio.Event().wait()
        if not self.up:
            raise httpx.ConnectError("the authority is down", request=request)
        body = self.signed() if self.body is None else self.body
        tag = hashlib.sha256(body).hexdigest()
        if request.headers.get("if-none-match") == tag:
            return httpx.Response(304, request=request)
        return httpx.Response(200, content=body, headers={"etag": tag}, request=request)

    def signed(self, number: int | None = None) -> bytes:
        number = self.number if number is None else number
        now = int(self.clock())
        return sign_crl(
            self.roots.issuer_key, self.roots.issuer, self.entries, number=number, now=now, lifetime=LIFETIME
        )

    def revoke(self, device: Device) -> None:
        serial = x509.load_der_x509_certificate(device.chain[0]).serial_number
        self.entries[serial] = int(self.clock()), Reason.cessation_of_operation
        self.number += 1


@pytest.fixture
async def scene(run_world):
    """A world whose service fetches the list of its authority."""
    authority = Authority(None, None)
    async with run_world(None, policy=BY_URL, transport=authority) as world:
        authority.roots, authority.clock = world.roots, world.clock
        yield world, authority


async def refreshed(world) -> Service:
    service: Service = world.app.state.service
    now = service.now()
    await service.lists.refresh(now)
    await service.end_revoked(now)
    return service


async def test_a_revoked_certificate_opens_no_session_and_ends_those_it_has(scene, problem_word) -> None:
    world, authority = scene
    alice, bob = await world.device(ALICE), await world.device(BOB)
    authority.revoke(bob)
    assert (await bob.call("GET", "/v1/groups")).status_code == 200  # the list is not here yet
    await refreshed(world)
    for answer in (
        await bob.call("GET", "/v1/groups"),
        await bob.http.send(bob.session_request()),
        await bob.publish(1),
        await bob.claim_answer(ALICE),
        await bob.post("/v1/groups", bob.engine.create(bytes(16), bob.now).group_info(), "message/mls"),
    ):
        assert problem_word(answer) == "certificate-revoked"
    assert (await alice.call("GET", "/v1/groups")).status_code == 200


async def test_what_a_revoked_device_waits_for_ends(scene, problem_word) -> None:
    world, authority = scene
    bob = await world.device(BOB)
    group = await bob.create()
    waiting = asyncio.create_task(bob.read_answer(group.group_id, wait=30))
    service: Service = world.app.state.service
    while not service.wakeups._by_device.get(bob.identity):
        await asyncio.sleep(0)
    authority.revoke(bob)
    await refreshed(world)
    assert (await waiting).status_code == 200
    assert problem_word(await bob.read_answer(group.group_id)) == "certificate-revoked"


async def test_key_packages_of_a_revoked_certificate_are_deleted_and_not_handed_out(scene, problem_word) -> None:
    world, authority = scene
    alice, bob, other = await world.device(ALICE), await world.device(BOB), await world.device(BOB)
    await bob.publish(2, last_resort=True)
    await other.publish(1)
    authority.revoke(bob)
    service = await refreshed(world)
    assert await service.engine.read(duties.packages, bob.identity) == []
    assert await service.store.references(bob.identity, bob.now) == []
    (package,) = await alice.claim(BOB)  # of the other device
    assert alice.engine.check_key_package(package, alice.now).identity == other.identity
    assert problem_word(await alice.claim_answer(BOB)) == "no-key-package"


async def test_between_a_new_list_and_its_purge_nothing_is_handed_out_either(scene, problem_word) -> None:
    world, authority = scene
    alice, bob = await world.device(ALICE), await world.device(BOB, packages=1)
    authority.revoke(bob)
    await world.app.state.service.lists.refresh(alice.now)
    assert problem_word(await alice.claim_answer(BOB)) == "no-key-package"


async def test_key_packages_that_lapse_with_their_certificate_are_deleted(world, problem_word) -> None:
    alice, bob = await world.device(ALICE), await world.device(BOB, lifetime=DAY)
    await bob.publish(2, last_resort=True)  # they say that they last for 90 days
    world.clock.now += DAY + 1
    await alice.open_session()
    assert problem_word(await alice.claim_answer(BOB)) == "no-key-package"
    service: Service = world.app.state.service
    await service.store.expire_before(alice.now - RETENTION, alice.now)
    assert await service.engine.read(duties.packages, bob.identity) == []


async def test_an_upload_of_an_older_revoked_certificate_is_refused(scene, problem_word) -> None:
    """The same key may have another certificate that still counts."""
    world, authority = scene
    bob = await world.device(BOB)
    old = bob.key_packages(1)
    authority.revoke(bob)
    bob.use(world.roots.chain(bob.key, BOB, bob.now, YEAR), world.roots.anchors)
    await refreshed(world)
    await bob.open_session()
    content = msgspec.json.encode({"key_packages": old})
    assert problem_word(await bob.call("PUT", "/v1/key-packages", content)) == "certificate-revoked"
    assert (await bob.publish(1)).status_code == 200


async def test_a_commit_by_a_leaf_with_a_revoked_certificate_is_refused(scene, problem_word) -> None:
    world, authority = scene
    bob = await world.device(BOB)
    group = await bob.create()
    authority.revoke(bob)
    bob.use(world.roots.chain(bob.key, BOB, bob.now, YEAR), world.roots.anchors)
    await refreshed(world)
    await bob.open_session()
    assert problem_word(await bob.commit(group, group.commit(bob.now, path=True))) == "certificate-revoked"
    renewed = group.commit(bob.now, identity=bob.engine)  # it may put the new one into its leaf
    assert (await bob.commit(group, renewed)).status_code == 201


async def test_a_commit_that_brings_a_revoked_certificate_in_is_refused(scene, problem_word) -> None:
    world, authority = scene
    alice, bob = await world.device(ALICE), await world.device(BOB, packages=1)
    group = await alice.create()
    packages = await alice.claim(BOB)
    authority.revoke(bob)
    await refreshed(world)
    answer = await alice.commit(group, group.commit(alice.now, add=packages))
    assert problem_word(answer) == "invalid-handshake"
    assert "leave +1 202-555-0143 out" in answer.json()["detail"]


async def test_a_group_is_looked_at_when_a_members_certificate_is_revoked(scene) -> None:
    world, authority = scene
    alice, bob = await world.device(ALICE), await world.device(BOB, packages=1)
    service: Service = world.app.state.service
    group = await alice.create(context_extensions=with_sender((), service.sender.named))
    await alice.add(group, BOB)
    await service.evictions.run(alice.now)
    assert service.evictions.proposed == 0
    authority.revoke(bob)
    await refreshed(world)
    assert service.evictions.proposed == 0  # members have not heard of it, and would leave it out
    world.clock.now += MEMBERS_HEAR
    await service.end_revoked(service.now())
    assert service.evictions.proposed == 1  # not only with the hourly duties
    await alice.open_session()
    entries = (await alice.read(group.group_id)).entries
    assert group.process(entries[-1].body, alice.now).authenticated_data == b"revoked"


async def test_while_the_list_cannot_be_had_the_last_one_counts_and_the_status_says_so(scene, problem_word) -> None:
    world, authority = scene
    alice, bob = await world.device(ALICE), await world.device(BOB)
    authority.revoke(bob)
    service = await refreshed(world)
    fresh = (await world.http.get("/v1/status")).json()["revocations"]
    assert fresh == {"sources": 1, "lists": 1, "next_update": alice.now + LIFETIME, "failed_since": 0}
    authority.up = False
    authority.revoke(alice)
    world.clock.now += LIFETIME + 1
    assert not await service.lists.refresh(service.now())
    await alice.open_session()  # what the list does not name is served, also when it is over
    assert problem_word(await bob.http.send(bob.session_request())) == "certificate-revoked"
    stale = (await world.http.get("/v1/status")).json()["revocations"]
    assert stale == {**fresh, "failed_since": service.now()}
    authority.up = True
    await refreshed(world)
    assert problem_word(await alice.http.send(alice.session_request())) == "certificate-revoked"


async def test_without_any_list_nobody_is_refused(run_world) -> None:
    async with run_world(None, policy=BY_URL, transport=Authority(None, None, up=False)) as world:
        bob = await world.device(BOB)
        await refreshed(world)
        assert (await bob.call("GET", "/v1/groups")).status_code == 200
        assert (await world.http.get("/v1/status")).json()["revocations"]["lists"] == 0


async def test_an_older_list_does_not_take_a_revocation_back(scene, problem_word) -> None:
    world, authority = scene
    bob = await world.device(BOB)
    before = authority.signed()
    authority.revoke(bob)
    await refreshed(world)
    authority.body = before
    await refreshed(world)
    assert problem_word(await bob.http.send(bob.session_request())) == "certificate-revoked"


async def test_a_list_by_somebody_else_says_nothing(scene) -> None:
    world, authority = scene
    bob = await world.device(BOB)
    stranger_key, stranger = create_issuer(
        world.roots.issuer_key,
        world.roots.issuer,
        "a stranger",
        TNAuthList((TelephoneNumberRange("12025550100", 100),)),
        bob.now,
        YEAR,
    )
    serial = x509.load_der_x509_certificate(bob.chain[0]).serial_number
    entries = {serial: (bob.now, Reason.key_compromise)}
    authority.body = sign_crl(stranger_key, stranger, entries, number=9, now=bob.now, lifetime=LIFETIME)
    await refreshed(world)
    assert (await bob.call("GET", "/v1/groups")).status_code == 200


@pytest.mark.parametrize("body", [b"", b"not a list", bytes(5 * 1024 * 1024)])
async def test_what_is_no_list_changes_nothing(scene, body: bytes) -> None:
    world, authority = scene
    bob = await world.device(BOB)
    authority.body = body
    await refreshed(world)
    assert (await bob.call("GET", "/v1/groups")).status_code == 200


async def test_a_restart_goes_by_the_list_that_was_kept(run_world, tmp_path, problem_word) -> None:
    authority = Authority(None, None)
    async with run_world(tmp_path / "data", policy=BY_URL, transport=authority) as world:
        authority.roots, authority.clock = world.roots, world.clock
        bob = await world.device(BOB)
        authority.revoke(bob)
        await refreshed(world)
    authority.up = False
    async with run_world(tmp_path / "data", policy=BY_URL, transport=authority) as world:
        bob.http = world.http
        assert problem_word(await bob.http.send(bob.session_request())) == "certificate-revoked"


async def test_after_a_restart_a_session_ends_while_the_authority_is_silent(run_world, tmp_path, problem_word) -> None:
    authority = Authority(None, None)
    async with run_world(tmp_path / "data", policy=BY_URL, transport=authority) as world:
        authority.roots, authority.clock = world.roots, world.clock
        bob = await world.device(BOB)
        authority.revoke(bob)
        await refreshed(world)
    authority.silent = True
    async with run_world(tmp_path / "data", policy=BY_URL, transport=authority) as world, asyncio.timeout(60):
        bob.http = world.http
        while (answer := await bob.call("GET", "/v1/groups")).status_code == 200:
            pass
        assert problem_word(answer) == "certificate-revoked"


async def test_a_list_can_come_from_a_file(run_world, tmp_path, problem_word) -> None:
    place = tmp_path / "list.crl"
    async with run_world(None, policy=Policy(revocations=(str(place),))) as world:
        authority = Authority(world.roots, world.clock)
        bob = await world.device(BOB)
        await refreshed(world)
        assert (await world.http.get("/v1/status")).json()["revocations"]["failed_since"] == bob.now
        authority.revoke(bob)
        place.write_bytes(authority.signed())
        await refreshed(world)
        assert problem_word(await bob.call("GET", "/v1/groups")) == "certificate-revoked"


async def test_the_list_of_a_root_ends_what_its_issuer_certified(run_world, problem_word) -> None:
    now = 1_800_000_000
    root_key, root = create_root("Root with a list", now, 10 * YEAR)
    numbers = TNAuthList((TelephoneNumberRange("12025550100", 100),))
    roots = Roots(TrustAnchors((root,)), *create_issuer(root_key, root, "its issuer", numbers, now, 9 * YEAR))
    authority = Authority(None, lambda: now)
    entries = {roots.issuer.serial_number: (now, Reason.ca_compromise)}
    authority.body = sign_crl(root_key, root, entries, number=1, now=now, lifetime=LIFETIME)
    async with run_world(None, policy=BY_URL, transport=authority, roots=roots) as world:
        await world.app.state.service.lists.refresh(now)
        bob = Device(roots, BOB, world.http, world.clock, YEAR)
        assert problem_word(await bob.http.send(bob.session_request())) == "certificate-revoked"
