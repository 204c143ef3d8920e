"""A handshake that its group's members would refuse never becomes the winner of an epoch."""

import asyncio
import secrets

import msgspec
from mls_rs import Credential, Engine

from delivery_service.credentials import Credentials
from delivery_service.wire import MLS_TYPE, MSGPACK_TYPE, CommitBundle
from identity.base64url import encode_base64url

ALICE, BOB, CAROL = "+12025550142", "+12025550143", "+12025550144"


def path_of(group_id: bytes) -> str:
    return f"/v1/groups/{encode_base64url(group_id).decode()}"


async def post_bundle(device, group_id: bytes, commit: bytes, welcomes=(), group_info: bytes = b""):
    body = msgspec.msgpack.encode(CommitBundle(commit, list(welcomes), group_info))
    return await device.post(f"{path_of(group_id)}/commits", body, MSGPACK_TYPE)


async def two_members(world):
    alice, bob = await world.device(ALICE), await world.device(BOB, packages=2)
    group = await alice.create()
    await alice.add(group, BOB)
    joined, _ = await bob.join()
    return alice, bob, group, joined


async def still_at(device, group_id: bytes, head: int) -> None:
    """Nothing was appended, and the next valid commit is still accepted."""
    assert (await device.read(group_id)).head == head


def private_engine(device, roots) -> Engine:
    scalar = bytearray(device.key.private_numbers().private_value.to_bytes(32, "big"))
    credentials = Credentials(roots.anchors)
    chain = Credential.x509(device.chain)
    return Engine(2, chain, scalar, credentials.validate, credentials.succeed, encrypt_handshakes=True)


async def test_a_group_begins_with_its_founder_alone(world, problem_word):
    alice, bob = await world.device(ALICE), await world.device(BOB, packages=1)
    group = alice.engine.create(b"group", alice.now)
    foreign = await bob.post("/v1/groups", group.group_info(), MLS_TYPE)
    assert (foreign.status_code, problem_word(foreign)) == (403, "not-allowed")
    group.apply(group.commit(alice.now, path=True).secrets)
    late = await alice.post("/v1/groups", group.group_info(), MLS_TYPE)
    assert problem_word(late) == "not-allowed"
    long = alice.engine.create(b"x" * 256, alice.now)
    assert problem_word(await alice.post("/v1/groups", long.group_info(), MLS_TYPE)) == "not-allowed"
    assert (await alice.create(b"x" * 255)).epoch == 0


async def test_a_group_info_of_strangers_or_damaged_is_refused(world, strange_roots, problem_word):
    alice = await world.device(ALICE)
    info = alice.engine.create(b"group", alice.now).group_info()
    damaged = info[:-1] + bytes([info[-1] ^ 1])
    assert problem_word(await alice.post("/v1/groups", damaged, MLS_TYPE)) == "invalid-handshake"
    without_tree = alice.engine.create(b"group", alice.now).group_info(with_tree=False)
    assert problem_word(await alice.post("/v1/groups", without_tree, MLS_TYPE)) == "invalid-handshake"
    alice.use(strange_roots.chain(alice.key, ALICE, alice.now, 86_400), strange_roots.anchors)
    info = alice.engine.create(b"group", alice.now).group_info()
    assert problem_word(await alice.post("/v1/groups", info, MLS_TYPE)) == "credential-refused"


async def test_founding_a_group_is_repeatable(world, problem_word):
    alice = await world.device(ALICE)
    info, key = alice.engine.create(b"group", alice.now).group_info(), secrets.token_hex(16)
    first = await alice.post("/v1/groups", info, MLS_TYPE, key)
    assert (await alice.post("/v1/groups", info, MLS_TYPE, key)).content == first.content
    assert problem_word(await alice.post("/v1/groups", info, MLS_TYPE)) == "group-exists"
    other = alice.engine.create(b"group", alice.now).group_info()
    assert problem_word(await alice.post("/v1/groups", other, MLS_TYPE, key)) == "malformed"


async def test_a_damaged_commit_is_refused_and_the_group_goes_on(world, problem_word):
    alice, _, group, _ = await two_members(world)
    pending = group.commit(alice.now, path=True)
    # The last 66 octets are the confirmation tag and the membership tag: MACs that only members can check.
    for position in (-80, -130, len(pending.commit) // 2):
        damaged = bytearray(pending.commit)
        damaged[position] ^= 1
        answer = await post_bundle(alice, group.group_id, bytes(damaged), (), pending.group_info)
        assert problem_word(answer) in {"invalid-handshake", "malformed"}, position
    await still_at(alice, group.group_id, 1)
    assert (await alice.commit(group, pending)).status_code == 201


async def test_the_group_info_must_be_that_of_the_new_epoch(world, problem_word):
    alice, _, group, _ = await two_members(world)
    old_info = group.group_info()
    pending, other = group.commit(alice.now, path=True), group.commit(alice.now, path=True)
    for info, word in (
        (old_info, "invalid-handshake"),
        (other.group_info, "invalid-handshake"),
        (alice.engine.create(b"other", alice.now).group_info(), "invalid-handshake"),
        (pending.commit, "invalid-handshake"),
        (b"", "malformed"),
    ):
        assert problem_word(await post_bundle(alice, group.group_id, pending.commit, (), info)) == word
    await still_at(alice, group.group_id, 1)
    assert (await alice.commit(group, pending)).status_code == 201


async def test_a_handshake_is_sent_by_the_member_who_made_it(world, problem_word):
    alice, bob, group, _ = await two_members(world)
    pending = group.commit(alice.now, path=True)
    assert problem_word(await bob.commit(group, pending)) == "not-allowed"
    proposal = group.propose_update(alice.now)
    assert problem_word(await bob.append(group.group_id, proposal)) == "not-allowed"
    await still_at(alice, group.group_id, 1)
    assert (await alice.commit(group, pending)).status_code == 201


async def test_external_commits_are_refused(world, problem_word):
    alice, _, group, _ = await two_members(world)
    carol = await world.device(CAROL)
    _, commit, info = carol.engine.external_join(group.group_info(), carol.now)
    answer = await post_bundle(carol, group.group_id, commit, (), info)
    assert (answer.status_code, problem_word(answer)) == (403, "not-allowed")
    await still_at(alice, group.group_id, 1)


async def test_encrypted_handshakes_are_refused(world, problem_word):
    alice = await world.device(ALICE)
    group = private_engine(alice, world.roots).create(b"group", alice.now)
    assert (await alice.post("/v1/groups", group.group_info(), MLS_TYPE)).status_code == 201
    pending = group.commit(alice.now, path=True)
    assert problem_word(await post_bundle(alice, b"group", pending.commit, (), pending.group_info)) == "not-allowed"
    assert problem_word(await alice.append(b"group", pending.commit)) == "not-allowed"
    assert problem_word(await alice.append(b"group", group.propose_update(alice.now))) == "not-allowed"
    await still_at(alice, b"group", 0)


async def test_each_kind_has_its_address(world, problem_word):
    alice, _, group, _ = await two_members(world)
    pending = group.commit(alice.now, path=True)
    assert problem_word(await alice.append(group.group_id, pending.commit)) == "not-allowed"
    message = group.encrypt(b"hello")
    assert problem_word(await post_bundle(alice, group.group_id, message, (), pending.group_info)) == "not-allowed"
    assert problem_word(await alice.append(group.group_id, group.group_info())) == "not-allowed"
    assert problem_word(await alice.append(b"another", message)) == "malformed"
    answer = await post_bundle(alice, group.group_id, pending.commit, [pending.commit], pending.group_info)
    assert problem_word(answer) == "malformed"


async def test_welcomes_must_name_exactly_the_devices_that_are_added(world, problem_word):
    alice, _, group, _ = await two_members(world)
    carol = await world.device(CAROL, packages=2)
    claimed = await alice.claim(CAROL)
    pending = group.commit(alice.now, add=claimed)
    parts = (alice, group.group_id, pending.commit)
    assert problem_word(await post_bundle(*parts, (), pending.group_info)) == "invalid-handshake"
    twice = [*pending.welcomes, *pending.welcomes]
    assert problem_word(await post_bundle(*parts, twice, pending.group_info)) == "invalid-handshake"
    unclaimed = group.commit(alice.now, add=carol.key_packages(1))
    answer = await post_bundle(alice, group.group_id, unclaimed.commit, unclaimed.welcomes, unclaimed.group_info)
    assert problem_word(answer) == "invalid-handshake"
    assert (await carol.inbox()).items == []
    assert (await alice.commit(group, pending)).status_code == 201
    assert len((await carol.inbox()).items) == 1


async def test_a_certificate_that_lapsed_before_the_commit_is_refused(world, problem_word):
    alice, _ = await world.device(ALICE), await world.device(BOB, packages=1, lifetime=300)
    group = await alice.create()
    pending = group.commit(alice.now, add=await alice.claim(BOB))
    world.clock.now += 301
    assert problem_word(await alice.commit(group, pending)) == "credential-refused"
    await still_at(alice, group.group_id, 0)


async def test_a_lost_answer_is_repeated_for_commits_also_from_a_cold_start(world):
    alice, _, group, _ = await two_members(world)
    key = secrets.token_hex(16)
    pending = group.commit(alice.now, path=True)
    first = await alice.commit(group, pending, key)
    again = await alice.commit(group, pending, key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert (await alice.read(group.group_id)).head == 2


async def test_a_client_that_hangs_up_does_not_disturb_its_group(world):
    alice, bob, group, joined = await two_members(world)
    for _ in range(5):
        pending = group.commit(alice.now, path=True)
        key = secrets.token_hex(16)
        hasty = asyncio.create_task(alice.commit(group, pending, key))
        await asyncio.sleep(0.002)
        hasty.cancel()
        await asyncio.wait([hasty])
        assert (await alice.commit(group, pending, key)).status_code == 201
        group.apply(pending.secrets)
    for entry in (await bob.read(group.group_id, 1)).entries:
        joined.process(entry.body, bob.now)
    assert joined.epoch_authenticator() == group.epoch_authenticator()


async def test_committing_devices_race_and_never_fork(world):
    alice, bob, group, joined = await two_members(world)
    cursors = {alice: 1, bob: 1}
    views = {alice: group, bob: joined}
    for _ in range(8):
        pendings = {device: view.commit(device.now, path=True) for device, view in views.items()}
        answers = await asyncio.gather(*(device.commit(views[device], pendings[device]) for device in views))
        assert sorted(answer.status_code for answer in answers) == [201, 409]
        for device, answer in zip(list(views), answers, strict=True):
            entries = (await device.read(group.group_id, cursors[device])).entries
            if answer.status_code == 201:
                views[device].apply(pendings[device].secrets)
            else:
                views[device].process(entries[0].body, device.now)
            cursors[device] = entries[-1].seq
        assert group.epoch_authenticator() == joined.epoch_authenticator()


async def test_observers_beyond_the_memory_are_loaded_again(world):
    world.app.state.service.observers._limit = 1
    alice = await world.device(ALICE)
    groups = [await alice.create() for _ in range(3)]
    for _ in range(2):
        for group in groups:
            pending = group.commit(alice.now, path=True)
            assert (await alice.commit(group, pending)).status_code == 201
            group.apply(pending.secrets)
    assert len(world.app.state.service.observers._kept) == 1
