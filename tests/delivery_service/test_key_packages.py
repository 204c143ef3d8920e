"""Key packages: only one's own, only valid ones, each handed out once, and claims are limited."""

import httpx
import msgspec
from mls_rs import Credential, Engine, accept_basic, generate_signature_key, inspect

from delivery_service.wire import CLAIMS_PER_HOUR, KEY_PACKAGES_LOW_WATER, OWN_CLAIMS_PER_HOUR

ALICE, BOB, CAROL = "+12025550142", "+12025550143", "+12025550144"


async def upload(device, *packages: bytes, last_resort: bytes | None = None) -> httpx.Response:
    content = msgspec.json.encode({"key_packages": packages, "last_resort": last_resort})
    return await device.call("PUT", "/v1/key-packages", content)


async def test_the_stock_tells_when_to_publish_more(world):
    bob = await world.device(BOB)
    answer = await bob.publish(3, last_resort=True)
    expected = {"available": 3, "low_water": KEY_PACKAGES_LOW_WATER, "last_resort": True, "rotate": False}
    assert answer.json() == expected
    alice = await world.device(ALICE)
    await alice.claim(BOB)
    assert (await bob.call("GET", "/v1/key-packages")).json() == {**expected, "available": 2}


async def test_the_stock_and_the_heads_tell_that_the_last_resort_was_handed_out(world):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    await bob.publish(0, last_resort=True)
    assert "rotate" not in (await bob.call("GET", "/v1/groups")).json()
    with world.app.state.service.wakeups.watch(bob.identity) as watcher:
        await alice.claim(BOB)
        assert watcher.joined
    assert (await bob.call("GET", "/v1/groups")).json()["rotate"]
    assert (await bob.call("GET", "/v1/key-packages")).json()["rotate"]
    assert not (await bob.publish(0, last_resort=True)).json()["rotate"]
    assert "rotate" not in (await bob.call("GET", "/v1/groups")).json()


async def test_a_device_sees_the_references_of_its_own_packages(world):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    await bob.publish(3, last_resort=True)
    await alice.publish(1)
    made = {
        inspect(claimed).key_package_references[0] for claimed in [*await alice.claim(BOB), *await bob.claim(ALICE)]
    }
    answer = (await bob.call("GET", "/v1/key-packages/references")).json()
    left = {msgspec.convert(text, bytes) for text in answer["references"]}
    assert len(left) == 3
    assert not left & made
    assert (await alice.call("GET", "/v1/key-packages/references")).json() == {"references": []}


async def test_a_repeated_upload_adds_nothing_even_after_a_claim(world):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    packages = bob.key_packages(2)
    await upload(bob, *packages)
    (claimed,) = await alice.claim(BOB)
    assert claimed in packages
    assert (await upload(bob, *packages)).json()["available"] == 1


async def test_a_claim_brings_one_package_of_each_device_and_never_ones_own(world, problem_word):
    first, second = await world.device(BOB, packages=2), await world.device(BOB, packages=1)
    alice = await world.device(ALICE)
    claimed = {inspect(package).key_package_references for package in await alice.claim(BOB)}
    assert len(claimed) == 2
    (own,) = await second.claim(BOB)
    leaf = inspect(own).proposed_credentials[0]
    assert leaf[1] == first.engine.signature_key
    assert problem_word(await alice.claim_answer(BOB)) == "no-key-package"
    assert problem_word(await alice.claim_answer(ALICE)) == "unknown-number"
    assert problem_word(await alice.claim_answer(CAROL)) == "unknown-number"


async def test_a_number_must_be_in_international_form(world, problem_word):
    alice = await world.device(ALICE)
    for number in ("12025550143", "+1 202 555 0143", "", "+", "+0", "+" + "1" * 16, "+١٢"):
        assert problem_word(await alice.claim_answer(number)) == "malformed"


async def test_only_valid_packages_of_the_own_device_are_kept(world, strange_roots, problem_word):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    assert problem_word(await upload(alice, *bob.key_packages(1))) == "not-allowed"
    package = alice.key_packages(1)[0]
    assert problem_word(await upload(alice, package[:-1])) == "malformed"
    damaged = package[:-1] + bytes([package[-1] ^ 1])
    assert problem_word(await upload(alice, damaged)) == "invalid-handshake"
    assert problem_word(await upload(alice, last_resort=damaged)) == "invalid-handshake"
    group_info = alice.engine.create(b"group", alice.now).group_info()
    assert problem_word(await upload(alice, group_info)) == "malformed"
    alice.use(strange_roots.chain(alice.key, ALICE, alice.now, 86_400), strange_roots.anchors)
    assert problem_word(await upload(alice, *alice.key_packages(1))) == "credential-refused"
    assert (await alice.call("GET", "/v1/key-packages")).json()["available"] == 0


async def test_packages_of_another_cipher_suite_or_a_basic_credential_are_refused(world, problem_word):
    alice = await world.device(ALICE)
    for suite, word in ((1, "not-allowed"), (2, "credential-refused")):
        private, _ = generate_signature_key(suite)
        engine = Engine(suite, Credential.basic(b"alice"), private, accept_basic)
        package = engine.key_package(alice.now, lifetime=1000).message
        assert problem_word(await upload(alice, package)) == word


async def test_packages_lapse_with_their_lifetime_and_with_their_certificate(world, problem_word):
    alice, bob = await world.device(ALICE), await world.device(BOB, lifetime=5000)
    await upload(bob, *bob.key_packages(1, lifetime=1000), *bob.key_packages(1, lifetime=9000))
    world.clock.now += 1001
    await alice.open_session()
    await bob.open_session()
    assert len(await alice.claim(BOB)) == 1
    assert (await upload(bob, *bob.key_packages(1, lifetime=9000))).json()["available"] == 1
    world.clock.now += 4500
    await alice.open_session()
    assert problem_word(await alice.claim_answer(BOB)) == "no-key-package"


async def test_claims_are_limited_for_the_claiming_number_and_refill(world, problem_word):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    await bob.publish(1, last_resort=True)
    for _ in range(CLAIMS_PER_HOUR):
        assert (await alice.claim_answer(BOB)).status_code == 200
    answer = await alice.claim_answer(CAROL)
    assert (answer.status_code, problem_word(answer)) == (429, "rate-limited")
    assert answer.json()["limit"] == CLAIMS_PER_HOUR
    assert int(answer.headers["retry-after"]) == answer.json()["retry_after"] == 61

    world.clock.now += 61
    assert (await alice.claim_answer(BOB)).status_code == 200


async def test_claims_for_ones_own_other_devices_count_by_themselves(world, problem_word):
    first, second, carol = await world.device(BOB), await world.device(BOB), await world.device(CAROL)
    await second.publish(1, last_resort=True)
    for _ in range(OWN_CLAIMS_PER_HOUR):
        assert (await first.claim_answer(BOB)).status_code == 200
    answer = await first.claim_answer(BOB)
    assert problem_word(answer) == "rate-limited"
    assert answer.json()["limit_name"] == "OWN_CLAIMS_PER_HOUR"
    assert problem_word(await first.claim_answer(CAROL)) == "unknown-number", "others are asked as before"
    assert (await carol.claim_answer(BOB)).status_code == 200, "nothing of the number's own limit is used up"


async def test_the_own_devices_are_reached_whomever_else_the_number_lets_through(world):
    first, second = await world.device(BOB), await world.device(BOB, packages=1)
    mode = msgspec.json.encode({"mode": "contacts", "granted": []})
    assert (await second.call("PUT", "/v1/contact-mode", mode)).status_code == 200
    assert (await first.claim_answer(BOB)).status_code == 200


async def test_claims_are_limited_for_the_target_over_all_claimants(world, problem_word):
    bob = await world.device(BOB)
    await bob.publish(CLAIMS_PER_HOUR + 1)
    claimants = [await world.device(ALICE), await world.device(CAROL)]
    for turn in range(CLAIMS_PER_HOUR):
        assert (await claimants[turn % 2].claim_answer(BOB)).status_code == 200
    assert [problem_word(await claimant.claim_answer(BOB)) for claimant in claimants] == ["no-key-package"] * 2
    assert problem_word(await claimants[0].claim_answer(ALICE)) == "unknown-number"
