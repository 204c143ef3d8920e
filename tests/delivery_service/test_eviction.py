"""What the service proposes itself, what it takes from nobody, and what its observers refuse whoever signed it."""

import hashlib
from dataclasses import dataclass

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from mls_rs import Group, generate_signature_key

from delivery_service.errors import RefusedError, StartError
from delivery_service.external_sender import PURPOSE
from delivery_service.policy import Policy
from delivery_service.service import Service
from delivery_service.wire.duties import EVICTION_MARGIN
from identity.device import MEMBER_GRACE
from identity.groups.eviction import IDLE_LEAST, IDLE_MOST, Reason, ServiceSender, service_uri, with_sender
from identity.groups.rejected_commit import RejectedCommit
from tests.delivery_service.conftest import HOST, Device, path_of
from tests.external_proposal import (
    NEW_MEMBER_PROPOSAL,
    addition,
    context,
    external_proposal,
    external_psk,
    reinit,
    removal,
)

ALICE, BOB, CAROL = "+12025550142", "+12025550143", "+12025550144"
DAY = 86_400
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass
class Table:
    """A group that names the service, with Alice and Bob in it."""

    service: Service
    alice: Device
    bob: Device
    group: Group
    seq: int

    def signed(self, proposal: bytes, **changes) -> bytes:
        """What comes from nobody else: it is by the service's own key."""
        scalar = 1 + int.from_bytes(self.service.franking.secret(PURPOSE)) % (ORDER - 1)
        key = ec.derive_private_key(scalar, ec.SECP256R1())
        return external_proposal(key, self.group.group_id, self.group.epoch, proposal, **changes)

    async def judged(self, message: bytes) -> str:
        """Why the observer refuses a message; empty if it takes it."""
        _, observer = await self.service.observers.take(self.group.group_id)
        try:
            await self.service.observers.process(observer, message, self.alice.now)
        except RefusedError as error:
            return error.detail
        return ""

    async def run(self) -> int:
        """Let the service do its duty; how many proposals there are in the log since it began."""
        await self.service.evictions.run(self.service.now())
        await self.alice.open_session()
        entries = (await self.alice.read(self.group.group_id, self.seq)).entries
        return sum(entry.kind == "proposal" for entry in entries)


async def table(world, lifetime: int = 7 * DAY, idle: int | None = None) -> Table:
    service: Service = world.app.state.service
    alice, bob = await world.device(ALICE), await world.device(BOB, lifetime=lifetime)
    await bob.publish(1)
    group = await alice.create(context_extensions=with_sender((), service.sender.named, idle))
    added = await alice.add(group, BOB)
    return Table(service, alice, bob, group, added.seq)


async def test_a_lapsed_member_is_proposed_once_its_grace_is_over(world) -> None:
    at = await table(world)
    ends = 7 * DAY + MEMBER_GRACE + EVICTION_MARGIN
    world.clock.now += ends
    await at.alice.open_session()
    assert await at.run() == 0
    world.clock.now += DAY
    assert await at.run() == 1
    assert await at.run() == 1  # once in an epoch
    (entry,) = (await at.alice.read(at.group.group_id, at.seq)).entries
    proposal = at.group.process(entry.body, at.alice.now)
    assert (proposal.sender, proposal.external, proposal.authenticated_data) == (None, 0, b"lapsed")
    assert proposal.removed.identity == at.bob.identity
    pending = at.group.commit(at.alice.now)
    assert (await at.alice.commit(at.group, pending)).status_code == 201
    assert [each.identity for each in at.group.apply(pending.secrets).removed] == [at.bob.identity]


async def test_a_proposal_wakes_the_members_who_wait(world) -> None:
    at = await table(world)
    world.clock.now += 60 * DAY
    await at.alice.open_session()
    with at.service.wakeups.watch(at.alice.identity, (at.group.group_id,)) as watcher:
        assert await at.run() == 1
        assert watcher.heads == {at.group.group_id: at.seq + 1}


async def test_a_group_that_does_not_name_the_service_is_never_looked_at_again(world) -> None:
    service: Service = world.app.state.service
    alice, bob = await world.device(ALICE), await world.device(BOB, packages=1, lifetime=7 * DAY)
    group = await alice.create()
    added = await alice.add(group, BOB)
    at = Table(service, alice, bob, group, added.seq)
    world.clock.now += 60 * DAY
    await alice.open_session()
    assert await at.run() == 0
    assert (await service.engine.read(lambda tx: tx.value("SELECT due_at FROM group_duties"))) > 10**15


async def test_a_rejected_proposal_is_made_again_in_the_next_epoch_a_day_later(world) -> None:
    at = await table(world)
    world.clock.now += 60 * DAY
    await at.alice.open_session()
    assert await at.run() == 1
    pending = at.group.commit(at.alice.now, path=True)  # she has not read it, and leaves it out
    assert (await at.alice.commit(at.group, pending)).status_code == 201
    at.group.apply(pending.secrets)
    assert await at.run() == 1
    world.clock.now += DAY
    await at.alice.open_session()
    assert await at.run() == 2


async def test_a_proposal_whose_epoch_was_taken_back_is_made_again_in_the_one_of_that_number(world) -> None:
    """Neither its place nor the proposals that were undone with it count in the epoch that is begun anew."""
    at = await table(world)
    world.clock.now += 60 * DAY
    await at.alice.open_session()
    at.bob.use(world.roots.chain(at.bob.key, BOB, at.bob.now, 7 * DAY), world.roots.anchors)
    await at.bob.open_session()
    for again in (False, True):
        pending = at.group.commit(at.alice.now, path=True)
        assert (await at.alice.commit(at.group, pending)).status_code == 201
        assert await at.run() == 1 + again
        if not again:
            entry = [each for each in (await at.alice.read(at.group.group_id)).entries if each.kind == "commit"][-1]
            digest = hashlib.sha256(entry.body).digest()
            signature = RejectedCommit(at.group.group_id, entry.epoch, entry.seq, digest).sign(at.bob.key)
            body = msgspec.json.encode({"seq": entry.seq, "commit": digest, "signature": signature})
            answer = await at.bob.call("POST", f"{path_of(at.group.group_id)}/rejections", body)
            assert answer.json()["rollback"], answer.text
            world.clock.now += DAY
            await at.alice.open_session()


async def test_what_the_service_writes_into_a_log_has_its_checksum_too(world) -> None:
    at = await table(world)
    world.clock.now += 60 * DAY
    await at.alice.open_session()
    assert await at.run() == 1
    query = "SELECT count(*) FROM log WHERE checksum IS NULL"
    assert await at.service.engine.read(lambda tx: tx.value(query)) == 0


async def test_an_idle_member_is_proposed_where_both_say_so(run_world) -> None:
    async with run_world(None, policy=Policy(idle=IDLE_LEAST)) as world:
        at = await table(world, lifetime=365 * DAY, idle=IDLE_LEAST)
        world.clock.now += IDLE_LEAST
        await at.alice.open_session()
        assert await at.run() == 0
        world.clock.now += 2 * DAY
        await at.alice.open_session()
        assert await at.run() == 1
        other = await at.alice.create(context_extensions=with_sender((), at.service.sender.named))
        await at.bob.open_session()
        await at.bob.publish(1)
        added = await at.alice.add(other, BOB)
        world.clock.now += 2 * IDLE_LEAST
        await at.alice.open_session()
        assert await Table(at.service, at.alice, at.bob, other, added.seq).run() == 0


async def test_a_group_waits_at_least_as_long_as_it_says_itself(run_world) -> None:
    async with run_world(None, policy=Policy(idle=IDLE_LEAST)) as world:
        at = await table(world, lifetime=365 * DAY, idle=IDLE_MOST)
        world.clock.now += 2 * IDLE_LEAST
        await at.alice.open_session()
        assert await at.run() == 0


@pytest.mark.parametrize("key", [True, False])
async def test_check_1_a_group_names_this_service_or_nobody(world, problem_word, key: bool) -> None:
    alice = await world.device(ALICE)
    own = world.app.state.service.sender.named
    other = ServiceSender(own.uri, generate_signature_key(2)[1]) if key else ServiceSender(service_uri("a.b"), own.key)
    group = alice.engine.create(bytes(16), alice.now, context_extensions=with_sender((), other))
    answer = await alice.post("/v1/groups", group.group_info(), "message/mls")
    assert problem_word(answer) == "credential-refused"
    assert "names this service" in answer.json()["detail"]


async def test_check_2_nobody_changes_who_may_propose(world, problem_word) -> None:
    at = await table(world)
    for extensions in ((), with_sender((), at.service.sender.named, IDLE_LEAST)):
        pending = at.group.commit(at.alice.now, context_extensions=extensions)
        answer = await at.alice.commit(at.group, pending)
        assert problem_word(answer) == "not-allowed"
        assert "never changes" in answer.json()["detail"]


@pytest.mark.parametrize("kind", ["add", "context", "psk", "reinit", "nobody", "another sender", "new member"])
async def test_check_3_nothing_but_a_removal_by_the_service_comes_from_outside(world, kind: str) -> None:
    at = await table(world)
    carol = await world.device(CAROL)
    (package,) = carol.key_packages(1)
    assert await at.judged(at.signed(removal(1))) == ""
    message = {
        "add": lambda: at.signed(addition(package)),
        "context": lambda: at.signed(context(*with_sender((), at.service.sender.named))),
        "psk": lambda: at.signed(external_psk(b"key")),
        "reinit": lambda: at.signed(reinit(bytes(16))),
        "nobody": lambda: at.signed(removal(7)),
        "another sender": lambda: at.signed(removal(1), sender=b"\x02" + (1).to_bytes(4)),
        "new member": lambda: at.signed(addition(package), sender=bytes([NEW_MEMBER_PROPOSAL])),
    }[kind]()
    assert await at.judged(message) != ""


@pytest.mark.parametrize("data", [b"", b"Lapsed", b"lapsed ", b"because", b"\xff"])
async def test_check_4_an_unknown_reason_is_refused(world, data: bytes) -> None:
    at = await table(world)
    assert "no reason that is known" in await at.judged(at.signed(removal(1), data=data))


async def test_a_removal_by_another_key_or_for_another_epoch_is_refused(world) -> None:
    at = await table(world)
    key = ec.generate_private_key(ec.SECP256R1())
    assert await at.judged(external_proposal(key, at.group.group_id, at.group.epoch, removal(1))) != ""
    assert await at.judged(at.signed(removal(1))) == ""
    assert await at.judged(external_proposal(key, at.group.group_id, at.group.epoch + 1, removal(1))) != ""


async def test_the_services_own_proposal_comes_from_nobody_through_its_door(world, problem_word) -> None:
    """Whoever posts it: an entry by no member is the service's alone to make."""
    at = await table(world)
    answer = await at.alice.append(at.group.group_id, at.signed(removal(1)))
    assert problem_word(answer) == "not-allowed"
    assert (await at.alice.read(at.group.group_id, at.seq)).entries == []


async def test_a_rule_of_the_group_stands_above_the_services(world) -> None:
    at = await table(world)
    async with at.service.observers.lock(at.group.group_id):
        await at.service.evictions.propose(at.group.group_id, 9, Reason.LAPSED, at.service.now())
    assert at.service.evictions.proposed == 0
    assert await at.judged(at.signed(removal(1))) == ""


@pytest.mark.parametrize(
    "policy",
    [Policy(idle=IDLE_LEAST - 1), Policy(idle=IDLE_MOST + 1), Policy(retention=DAY - 1), Policy(retention=366 * DAY)],
)
def test_what_is_out_of_bounds_does_not_start(policy: Policy) -> None:
    with pytest.raises(StartError):
        policy.check()


async def test_the_key_stays_the_same_over_restarts_and_at_every_replica(run_world, tmp_path) -> None:
    async with run_world(tmp_path / "data") as world:
        first = world.app.state.service.sender.named
    async with run_world(tmp_path / "data") as world:
        assert world.app.state.service.sender.named == first
    assert first.uri == service_uri(HOST)
