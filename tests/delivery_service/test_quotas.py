"""First contacts cost a quota of the number, of its issuer and of the target; everything after them costs nothing."""

from contextlib import AsyncExitStack

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate, load_der_x509_certificate

from delivery_service import wire
from delivery_service.errors import RefusedError
from delivery_service.quotas import DAY, HOUR, QUOTAS, Quotas
from delivery_service.sessions import issuer_of
from delivery_service.storage.sqlite import SqliteEngine
from delivery_service.storage.store import Store
from delivery_service.storage.values import Approach, NewKeyPackage
from identity.issuing import create_issuer, create_root
from identity.tn_auth_list import TelephoneNumberRange, TNAuthList

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256's group
ALICE, BOB, CAROL, DAVE, ERIN = (f"+1202555014{digit}" for digit in range(2, 7))
NOW = 1_800_000_000


def limited(answer, name: str, quota: int) -> int:
    """The answer names the quota; returns the seconds until it allows one more."""
    assert answer.status_code == 429, answer.text
    problem = answer.json()
    assert (problem["limit_name"], problem["limit"]) == (name, quota)
    assert int(answer.headers["retry-after"]) == problem["retry_after"]
    return problem["retry_after"]


async def reachable(world, *numbers: str) -> list:
    return [await world.device(number, packages=5) for number in numbers]


def test_the_quotas_of_the_service_are_those_of_the_wire_module():
    assert (
        Quotas(wire.FIRST_CONTACTS_PER_DAY, wire.FIRST_CONTACTS_PER_ISSUER_HOUR, wire.FIRST_CONTACTS_PER_TARGET_DAY)
        == QUOTAS
    )


async def test_a_number_makes_so_many_first_contacts_a_day(run_world, tmp_path):
    async with run_world(tmp_path, Quotas(2, None, None)) as world:
        alice, bob, *_ = await reachable(world, ALICE, BOB, CAROL, DAVE)
        await alice.claim(BOB)
        await alice.claim(CAROL)
        assert limited(await alice.claim_answer(DAVE), "FIRST_CONTACTS_PER_DAY", 2) == DAY
        for number in (BOB, CAROL, BOB):  # who was reached before costs nothing
            await alice.claim(number)
        assert len(await bob.claim(DAVE)) == 1
        world.clock.now += DAY
        await alice.open_session()
        assert len(await alice.claim(DAVE)) == 1


async def test_who_goes_on_claiming_stays_acquainted_whoever_else_uses_up_the_target_s_quota(run_world, tmp_path):
    async with run_world(tmp_path, Quotas(None, None, 1)) as world:
        alice, carol, _ = await reachable(world, ALICE, CAROL, BOB)
        await alice.claim(BOB)
        for _ in range(2):
            world.clock.now += wire.RETENTION - DAY
            service = world.app.state.service
            await service.store.expire_before(service.now() - wire.RETENTION, service.now())
            await alice.open_session()
            await alice.claim(BOB)
        await carol.open_session()
        await carol.claim(BOB)  # which is the only first contact of that day
        world.clock.now += HOUR
        await alice.open_session()
        assert len(await alice.claim(BOB)) == 1
        limited(await (await world.device(DAVE)).claim_answer(BOB), "FIRST_CONTACTS_PER_TARGET_DAY", 1)


async def test_two_numbers_have_two_quotas_and_two_devices_of_one_number_have_one(run_world, tmp_path):
    async with run_world(tmp_path, Quotas(1, None, None)) as world:
        await reachable(world, BOB, CAROL)
        first, second, other = await world.device(ALICE), await world.device(ALICE), await world.device(DAVE)
        await first.claim(BOB)
        limited(await second.claim_answer(CAROL), "FIRST_CONTACTS_PER_DAY", 1)
        assert len(await other.claim(CAROL)) == 1


async def test_the_numbers_of_an_issuer_make_so_many_first_contacts_an_hour(run_world, tmp_path):
    async with run_world(tmp_path, Quotas(None, 2, None)) as world:
        await reachable(world, BOB, CAROL)
        alice, dave, erin = [await world.device(number) for number in (ALICE, DAVE, ERIN)]
        await alice.claim(BOB)
        await dave.claim(BOB)
        assert limited(await erin.claim_answer(CAROL), "FIRST_CONTACTS_PER_ISSUER_HOUR", 2) == HOUR
        world.clock.now += HOUR
        await erin.open_session()
        assert len(await erin.claim(CAROL)) == 1


def twin_of(certificate: Certificate) -> bytes:
    """The same certificate with a second signature, which anybody can make of the first."""
    r, s = decode_dss_signature(certificate.signature)
    signatures = certificate.signature, encode_dss_signature(r, ORDER - s)
    first, second = (b"\x03%c\x00%b" % (len(each) + 1, each) for each in signatures)
    inside = certificate.public_bytes(Encoding.DER)[4 : -len(first)] + second
    return b"\x30\x82" + len(inside).to_bytes(2) + inside


def test_an_issuer_is_known_by_what_a_root_has_signed():
    authority = TNAuthList((TelephoneNumberRange("12025550100", 100),))
    root_key, root = create_root("Root", NOW, 10 * DAY)
    _, issuer = create_issuer(root_key, root, "Issuer", authority, NOW, 9 * DAY)
    _, other = create_issuer(root_key, root, "Issuer", authority, NOW, 9 * DAY)
    leaf, own, another = (each.public_bytes(Encoding.DER) for each in (root, issuer, other))
    assert issuer_of([leaf, own]) == issuer_of([b"another leaf", own]) == issuer_of([leaf, b"one below", own])
    assert issuer_of([leaf, another]) != issuer_of([leaf, own])
    twin = twin_of(issuer)
    root.public_key().verify(load_der_x509_certificate(twin).signature, issuer.tbs_certificate_bytes, ECDSA(SHA256()))
    assert twin != own
    assert issuer_of([leaf, twin]) == issuer_of([leaf, own])
    assert issuer_of([leaf]) == issuer_of([own])


async def test_a_number_is_reached_by_so_many_new_numbers_a_day_and_by_those_it_knows_for_ever(run_world, tmp_path):
    async with run_world(tmp_path, Quotas(None, None, 1)) as world:
        bob, _ = await reachable(world, BOB, CAROL)
        alice, dave = await world.device(ALICE, packages=1), await world.device(DAVE)
        await alice.claim(BOB)
        assert limited(await dave.claim_answer(BOB), "FIRST_CONTACTS_PER_TARGET_DAY", 1) == DAY
        assert len(await alice.claim(BOB)) == 1
        assert len(await bob.claim(ALICE)) == 1  # who was reached may answer
        assert len(await dave.claim(CAROL)) == 1
        await bob.choose("ask", DAVE)
        assert len(await dave.claim(BOB)) == 1  # a granted number is no first contact


async def test_a_request_costs_what_a_claim_costs_and_the_claim_after_it_nothing(run_world, tmp_path):
    async with run_world(tmp_path, Quotas(1, None, None)) as world:
        bob, carol = await reachable(world, BOB, CAROL)
        alice = await world.device(ALICE)
        await bob.choose("ask")
        await carol.choose("ask")
        assert (await alice.ask(BOB)).status_code == 201
        limited(await alice.ask(CAROL), "FIRST_CONTACTS_PER_DAY", 1)
        assert (await carol.contact_requests()).asked == []
        await bob.decide(ALICE, "grant")
        assert len(await alice.claim(BOB)) == 1


async def test_whoever_grants_everybody_is_acquainted_with_nobody(run_world, tmp_path):
    async with run_world(tmp_path, Quotas(1, None, None)) as world:
        await reachable(world, BOB, CAROL)
        alice = await world.device(ALICE)
        assert (await alice.choose("contacts", BOB, CAROL)).status_code == 200
        await alice.claim(BOB)
        limited(await alice.claim_answer(CAROL), "FIRST_CONTACTS_PER_DAY", 1)


async def test_a_refused_claim_costs_no_quota(run_world, tmp_path, problem_word):
    async with run_world(tmp_path, Quotas(1, 1, 1)) as world:
        (bob,) = await reachable(world, BOB)
        alice, carol = await world.device(ALICE), await world.device(CAROL)
        await bob.choose("contacts")
        assert [problem_word(await alice.claim_answer(BOB)) for _ in range(3)] == ["no-consent"] * 3
        assert problem_word(await alice.claim_answer(DAVE)) == "unknown-number"
        await bob.choose("open")
        assert len(await alice.claim(BOB)) == 1
        assert problem_word(await carol.claim_answer(BOB)) == "rate-limited"


async def test_a_thousand_messages_to_whom_one_knows_cost_no_quota(run_world, tmp_path):
    async with run_world(None, Quotas(2, 2, 2)) as world:
        alice, *_ = await reachable(world, ALICE, BOB, CAROL)
        group = await alice.create()
        await alice.add(group, BOB)
        for _ in range(1_000):
            await alice.say(group, b"as often as one likes")
        assert len(await alice.claim(CAROL)) == 1


async def test_quotas_survive_a_restart(run_world, tmp_path):
    quotas = Quotas(1, None, None)
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(run_world(tmp_path, quotas))
        await reachable(world, BOB, CAROL)
        alice = await world.device(ALICE)
        await alice.claim(BOB)
    async with run_world(tmp_path, quotas) as world:
        again = await world.device(ALICE)
        limited(await again.claim_answer(CAROL), "FIRST_CONTACTS_PER_DAY", 1)
        assert len(await again.claim(BOB)) == 1


@pytest.mark.parametrize("quotas", [Quotas(0, None, None), Quotas(None, 0, None), Quotas(None, None, 0)])
async def test_a_quota_of_nothing_lets_nobody_be_reached(quotas):
    engine = SqliteEngine(None)
    engine.start(lambda change: None)
    store = Store(engine)
    await store.add_key_packages(b"device", BOB, [NewKeyPackage(b"reference", NOW + 9, b"body")], None, NOW)
    with pytest.raises(RefusedError) as refused:
        await store.claim(Approach(b"alice", ALICE, b"issuer", BOB, NOW), quotas)
    assert refused.value.word == "rate-limited"
    assert refused.value.members["retry_after"] > 0
    await engine.stop()
