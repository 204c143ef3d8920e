"""RFC 9750's recommendations for a delivery service and its clients: one test for each that is met.

The numbers D1 to D35 and what they say are those of docs/rfc9750.md, which also lists what is not met, and why; a test
compares both.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest
from mls_rs import Credential, Engine, Group, MlsError, accept_basic, generate_signature_key

from client.defence.lies import Lie
from client.desk.roster import check_digits
from client.events import Gap, MembersChanged, MessageReceived
from client.session import Session
from delivery_service import framing, wire
from delivery_service.errors import StartError
from delivery_service.http.operations import OPERATIONS
from delivery_service.policy import Policy
from delivery_service.serving import Exposure
from identity.groups.eviction import IDLE_LEAST
from identity.groups.group_trust import anchors_of
from identity.number import TelephoneNumber
from lab.lying import LyingTransport
from lab.world import World as Lab
from tests.delivery_service.conftest import YEAR, Device, running_world
from tests.delivery_service.test_encryption import KEY, seen, used
from tests.delivery_service.test_ending import couple, end
from tests.delivery_service.test_eviction import Table, table
from tests.delivery_service.test_handshakes import post_bundle, two_members
from tests.delivery_service.test_key_packages import upload
from tests.delivery_service.test_revoked import BY_URL, Authority, refreshed
from tests.delivery_service.test_roles import Party
from tests.delivery_service.test_rollback import Members

ALICE, BOB, CAROL = "+12025550142", "+12025550143", "+12025550144"
DAY = 86_400
PAGE = (Path(__file__).parents[2] / "docs" / "rfc9750.md").read_text()
ROW = re.compile(r"^\| D(\d+) \| .+ \| (met|in part|not met|not applicable) \| (.+) \|$", re.MULTILINE)

one_service = pytest.mark.parametrize("world", ["memory"], indirect=True)


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    """The real services over HTTP, for real clients."""
    async with Lab() as running:
        yield running


async def pair(lab: Lab) -> tuple[Session, Session, bytes]:
    """Alice and Bob, in one chat."""
    alice, bob = await lab.person("Alice", ALICE), await lab.person("Bob", BOB)
    chat = await alice.create_chat("recommended", [TelephoneNumber.parse(BOB)])
    await bob.receive()
    return alice, bob, chat.group_id


async def group_of(session: Session, group_id: bytes) -> Group:
    return await session.worker.run(session.steps.groups.copy, group_id)


async def kept_secrets(session: Session) -> list[bytes]:
    """Of the key packages whose private keys the client still has."""
    rows = await session.worker.run(session.steps.store.rows, "SELECT secret FROM key_package")
    return [secret for (secret,) in rows]


def test_the_page_says_of_each_recommendation_what_this_module_tests() -> None:
    rows = {int(number): (how, why) for number, how, why in ROW.findall(PAGE)}
    assert list(rows) == list(range(1, 36))
    tests = {name for name in globals() if re.match(r"test_d\d\d_", name)}
    named = [name for how, why in rows.values() for name in re.findall(r"`(test_d\d\d_\w+)`", why)]
    assert sorted(named) == sorted(tests)
    for number, (how, why) in rows.items():
        assert bool(re.search(rf"`test_d{number:02}_\w+`", why)) is (how in {"met", "in part"}), f"D{number}"
        assert how == "met" or len(re.sub(r"`test_\w+`", "", why)) > 40, f"D{number} does not say why"


@one_service
async def test_d01_a_claim_brings_the_least_that_is_needed(world) -> None:
    bob, alice = await world.device(BOB), await world.device(ALICE)
    await bob.publish(3, last_resort=True)
    (package,) = await alice.claim(BOB)
    assert alice.engine.check_key_package(package, alice.now).identity == bob.identity
    assert (await bob.call("GET", "/v1/key-packages")).json()["available"] == 2


@one_service
async def test_d02_each_key_package_is_handed_out_for_one_group_only(world) -> None:
    bob = await world.device(BOB)
    await bob.publish(4, last_resort=True)
    claimants = [await world.device(number) for number in (ALICE, CAROL) for _ in range(3)]
    claimed = [package for (package,) in await asyncio.gather(*(each.claim(BOB) for each in claimants))]
    counts = sorted(claimed.count(package) for package in set(claimed))
    assert counts == [1, 1, 1, 1, 2]  # the last resort excepted


async def test_d03_a_client_keeps_enough_packages_and_rotates_the_last_resort_soon_after_its_use(lab: Lab) -> None:
    alice, bob = await lab.person("Alice", ALICE), await lab.person("Bob", BOB)
    stock = await bob.delivery.key_package_stock()
    assert stock.last_resort
    assert stock.available > stock.low_water
    for _ in range(stock.available + 1):
        (last,) = await alice.delivery.claim_key_packages(TelephoneNumber.parse(BOB))
    assert (await bob.delivery.heads()).rotate
    await bob.receive()
    stock = await bob.delivery.key_package_stock()
    assert (stock.last_resort, stock.rotate) == (True, False)
    lab.clock.advance(3600)
    await bob.receive()
    stock = await bob.delivery.key_package_stock()
    assert stock.available > stock.low_water
    claimed = [await alice.delivery.claim_key_packages(TelephoneNumber.parse(BOB)) for _ in range(3)]
    assert [last] not in claimed


async def test_d04_the_private_init_key_is_deleted_with_the_welcome(lab: Lab) -> None:
    alice, bob = await lab.person("Alice", ALICE), await lab.person("Bob", BOB)
    await alice.create_chat("once", [TelephoneNumber.parse(BOB)])
    (item,) = (await bob.delivery.inbox(0)).items
    engine, now = bob.steps.groups.engine, int(lab.clock())
    assert engine.join(item.welcome, await kept_secrets(bob), now).group_id == item.group_id
    await bob.receive()
    assert len(await bob.members(item.group_id)) == 2
    with pytest.raises(MlsError):
        engine.join(item.welcome, await kept_secrets(bob), now)


@one_service
async def test_d05_claims_need_consent_and_are_limited_for_claimant_and_target(world, problem_word) -> None:
    bob, alice, carol = await world.device(BOB), await world.device(ALICE), await world.device(CAROL)
    await bob.publish(2, last_resort=True)
    await bob.choose("ask", CAROL)
    assert problem_word(await alice.claim_answer(BOB)) == "no-consent"
    service = world.app.state.service
    service.claims_of_target.spend(BOB, bob.now, wire.CLAIMS_PER_TARGET_HOUR)
    assert len(await carol.claim(BOB)) == 1  # of last resort, so that nobody keeps the others away
    assert (await bob.call("GET", "/v1/key-packages")).json() | {"low_water": 0} == {
        "available": 2,
        "low_water": 0,
        "last_resort": True,
        "rotate": True,  # the owner hears of it
    }
    service.claims.spend(CAROL, carol.now, wire.CLAIMS_PER_HOUR - 1)
    assert problem_word(await carol.claim_answer(BOB)) == "rate-limited"


async def test_d06_packages_of_a_revoked_or_lapsed_certificate_are_never_handed_out() -> None:
    authority = Authority(None, None)
    async with running_world(None, policy=BY_URL, transport=authority) as world:
        authority.roots, authority.clock = world.roots, world.clock
        alice = await world.device(ALICE)
        await world.device(CAROL, packages=1, lifetime=100)
        authority.revoke(await world.device(BOB, packages=1))
        await refreshed(world)
        world.clock.now += 101
        await alice.open_session()
        for number in (BOB, CAROL):
            assert (await alice.claim_answer(number)).status_code in (404, 409)


@one_service
async def test_d07_only_credentials_with_a_strong_binding_are_taken(world, problem_word) -> None:
    alice = await world.device(ALICE)
    private, _ = generate_signature_key(framing.CIPHER_SUITE)
    engine = Engine(framing.CIPHER_SUITE, Credential.basic(b"alice"), private, accept_basic)
    package = engine.key_package(alice.now, lifetime=1000).message
    assert problem_word(await upload(alice, package)) == "credential-refused"


@one_service
async def test_d08_proposals_come_before_their_commit_and_an_epoch_has_one(world, problem_word) -> None:
    alice, bob, group, joined = await two_members(world)
    proposal = joined.propose_update(bob.now)
    group.process(proposal, alice.now)
    pending = group.commit(alice.now)
    assert (await alice.commit(group, pending)).status_code == 422  # what it refers to is not in the log
    assert (await bob.append(group.group_id, proposal)).status_code == 201
    assert (await alice.commit(group, pending)).status_code == 201
    assert [entry.kind for entry in (await bob.read(group.group_id, 1)).entries] == ["proposal", "commit"]
    second = await bob.commit(joined, joined.commit(bob.now, path=True))
    assert problem_word(second) in {"stale-epoch", "invalid-handshake"}


@one_service
async def test_d09_the_service_is_strongly_consistent_and_tells_the_loser_where_the_group_is(world) -> None:
    alice, bob, group, joined = await two_members(world)
    commits = (
        alice.commit(group, group.commit(alice.now, path=True)),
        bob.commit(joined, joined.commit(bob.now, path=True)),
    )
    answers = sorted(await asyncio.gather(*commits), key=lambda answer: answer.status_code)
    assert [answer.status_code for answer in answers] == [201, 409]
    assert (answers[1].json()["epoch"], answers[1].json()["head"]) == (2, 2)


@one_service
async def test_d10_members_take_back_a_commit_that_they_cannot_apply(world) -> None:
    members = await Members.of(world, ALICE, BOB, CAROL)
    entry = await members.commit()
    _, bob, carol = members.devices
    assert (await members.counted(bob, entry)).rollback == 0
    assert (await members.counted(carol, entry)).rollback == entry.seq + 1
    assert (await bob.say(members.groups[1], b"in the epoch before it")).epoch == entry.epoch


@one_service
async def test_d12_a_welcome_exists_only_with_its_commit_and_one_successor_wins(world, problem_word) -> None:
    alice, bob, group, joined = await couple(world)
    carol = await world.device(CAROL, packages=2)
    adding = group.commit(alice.now, add=await alice.claim(CAROL))
    also = joined.commit(bob.now, add=await bob.claim(CAROL))
    assert (await alice.commit(group, adding)).status_code == 201
    assert problem_word(await bob.commit(joined, also)) == "stale-epoch"
    assert len((await carol.inbox()).items) == 1
    first, second = await alice.create(), await bob.create()
    assert (await end(alice, group.group_id, first.group_id)).status_code == 201
    assert problem_word(await end(bob, group.group_id, second.group_id)) == "group-ended"


async def test_d13_two_histories_have_two_check_numbers_and_members_tell_each_other(lab: Lab) -> None:
    async with httpx.AsyncHTTPTransport() as way:
        liar = LyingTransport(way)
        alice = await lab.person("Alice", ALICE)
        async with lab.visitor("Bob", BOB, lab.delivery_url, transport=liar) as bob:
            chat = await alice.create_chat("partitioned", [TelephoneNumber.parse(BOB)])
            await bob.receive()
            hers, his = [
                check_digits((await group_of(each, chat.group_id)).epoch_authenticator()) for each in (alice, bob)
            ]
            assert hers == his
            place = (await alice.find_chat(chat.group_id.hex())).cursor
            liar.hide = lambda entry: entry.seq == place + 1
            await alice.send(chat.group_id, "hidden from Bob")
            await alice.send(chat.group_id, "shown")
            codes = [event.code for event in await bob.receive() if isinstance(event, Gap)]
            assert set(codes) & {Lie.CLOSED_UP, Lie.FORKED}


@one_service
async def test_d14_nobody_recovers_by_an_external_join(world) -> None:
    alice, _, group, _ = await two_members(world)
    carol = await world.device(CAROL)
    _, commit, info = carol.engine.external_join(group.group_info(), carol.now)
    assert (await post_bundle(carol, group.group_id, commit, (), info)).status_code == 403
    assert not [each for each in OPERATIONS if each.method == "GET" and "info" in each.path]  # none to join by
    assert (await alice.read(group.group_id)).head == 1


async def test_d15_what_the_service_drops_is_seen(lab: Lab) -> None:
    async with httpx.AsyncHTTPTransport() as way:
        liar = LyingTransport(way)
        alice = await lab.person("Alice", ALICE)
        async with lab.visitor("Bob", BOB, lab.delivery_url, transport=liar) as bob:
            chat = await alice.create_chat("dropped", [TelephoneNumber.parse(BOB)])
            await bob.receive()
            place = (await alice.find_chat(chat.group_id.hex())).cursor
            liar.drop = lambda entry: entry.seq == place + 1
            await alice.send(chat.group_id, "dropped")
            await alice.send(chat.group_id, "not dropped")
            codes = [event.code for event in await bob.receive() if isinstance(event, Gap)]
            assert Lie.WITHHELD in codes


async def test_d16_a_message_that_a_member_posts_again_is_shown_once(lab: Lab) -> None:
    alice, bob, group_id = await pair(lab)
    place = (await bob.find_chat(group_id.hex())).cursor
    await alice.send(group_id, "once")
    (entry,) = (await bob.delivery.entries(group_id, place)).entries
    await bob.delivery.append(group_id, entry.body, "0" * 32)
    told = await bob.receive()
    assert [event.message.text for event in told if isinstance(event, MessageReceived)] == ["once"]


@one_service
async def test_d17_who_may_change_what_is_judged_alike_by_the_service_and_every_member(world, problem_word) -> None:
    party = await Party.of(world, ALICE, BOB, CAROL)
    _, group = party.views[BOB]
    await party.refused(problem_word, BOB, "is no admin", remove=[party.leaf(CAROL)])
    assert {"member"} == framing.COMMIT_SENDERS
    assert len(group.members()) == 3


@one_service
async def test_d18_the_policy_on_external_joins_is_no_and_says_so(world, problem_word) -> None:
    _, _, group, _ = await two_members(world)
    carol = await world.device(CAROL)
    _, commit, info = carol.engine.external_join(group.group_info(), carol.now)
    answer = await post_bundle(carol, group.group_id, commit, (), info)
    assert problem_word(answer) == "not-allowed"
    page = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
    assert "**External commits** are not carried" in page


@one_service
async def test_d19_members_and_service_refuse_the_same_credential(world, strange_roots, problem_word) -> None:
    alice, _, group, joined = await two_members(world)
    stranger = Device(strange_roots, CAROL, world.http, world.clock, YEAR)
    assert problem_word(await stranger.http.send(stranger.session_request())) == "credential-refused"
    package = stranger.engine.key_package(alice.now, lifetime=1000).message
    for view in (group, joined):
        with pytest.raises(MlsError):
            view.commit(alice.now, add=[package])


async def test_d20_a_group_names_the_anchors_by_which_its_members_judge(lab: Lab) -> None:
    alice, bob, group_id = await pair(lab)
    named = {anchors_of((await group_of(each, group_id)).context_extensions()) for each in (alice, bob)}
    assert named == {alice.steps.groups.trust.fingerprint}


async def test_d21_certificates_are_renewed_before_they_end(lab: Lab) -> None:
    alice, bob, group_id = await pair(lab)
    old = alice.account.chain
    for days in (5, 4):
        lab.clock.advance(days * DAY)
        await alice.receive()
    assert alice.account.chain != old
    await alice.send(group_id, "under the new certificate")
    changes = [event.renewed for event in await bob.receive() if isinstance(event, MembersChanged)]
    assert changes == [(TelephoneNumber.parse(ALICE),)]


async def test_d22_a_revoked_certificate_commits_nothing(problem_word) -> None:
    authority = Authority(None, None)
    async with running_world(None, policy=BY_URL, transport=authority) as world:
        authority.roots, authority.clock = world.roots, world.clock
        bob = await world.device(BOB)
        group = await bob.create()
        authority.revoke(bob)
        await refreshed(world)
        assert problem_word(await bob.commit(group, group.commit(bob.now, path=True))) == "certificate-revoked"


async def test_d23_idle_members_are_proposed_for_removal() -> None:
    async with running_world(None, policy=Policy(idle=IDLE_LEAST)) as world:
        at: Table = await table(world, lifetime=YEAR, idle=IDLE_LEAST)
        world.clock.now += IDLE_LEAST + 2 * DAY
        await at.alice.open_session()
        assert await at.run() == 1


async def test_d25_changes_of_membership_are_shown_and_kept(lab: Lab) -> None:
    alice, bob, group_id = await pair(lab)
    await lab.person("Carol", CAROL)
    await alice.add(group_id, [TelephoneNumber.parse(CAROL)])
    changes = [event.added for event in await bob.receive() if isinstance(event, MembersChanged)]
    assert changes == [(TelephoneNumber.parse(CAROL),)]
    assert [row for row in await bob.history(group_id) if "+1 202-555-0144" in row.text]


async def test_d26_what_the_authority_certifies_stands_in_a_log(lab: Lab) -> None:
    async with httpx.AsyncClient() as http:
        (log,) = (await http.get(f"{lab.authority_url}/v1/logs")).json()["logs"]
        head = f"{log['url']}/stict/v1/get-sth"
        before = (await http.get(head)).json()["tree_size"]
        await lab.person("Alice", ALICE)
        assert (await http.get(head)).json()["tree_size"] > before


async def test_d27_members_can_compare_a_number_out_of_band(lab: Lab) -> None:
    alice, bob, group_id = await pair(lab)
    digits = [check_digits((await group_of(each, group_id)).epoch_authenticator()) for each in (alice, bob)]
    assert digits[0] == digits[1]
    assert re.fullmatch(r"(\d{5} ){5}\d{5}", digits[0])
    await alice.refresh(group_id)
    assert check_digits((await group_of(alice, group_id)).epoch_authenticator()) != digits[0]


async def test_d28_the_database_can_be_ciphertext_at_rest(tmp_path: Path) -> None:
    await used(tmp_path, KEY)
    assert seen(tmp_path) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_d29_nothing_is_served_to_a_network_without_tls(host: str) -> None:
    with pytest.raises(StartError, match="plain HTTP"):
        Exposure().check(host)
    Exposure().check("127.0.0.1")


@one_service
async def test_d31_authenticated_data_is_for_the_service_alone_and_anything_else_is_refused(
    world, problem_word
) -> None:
    alice = await world.device(ALICE)
    group = await alice.create()
    for data in (b"+12025550142", b"\x00" * 32):
        answer = await alice.append(group.group_id, group.encrypt(b"x", data))
        assert problem_word(answer) == "not-allowed"


@one_service
async def test_d33_clients_ask_and_nothing_is_pushed_to_an_address_of_theirs(world) -> None:
    alice = await world.device(ALICE)
    group = await alice.create()
    await alice.say(group, b"news")
    heads = msgspec.json.decode((await alice.call("GET", "/v1/groups")).content)
    assert set(heads) == {"groups", "inbox"}  # cursors, and not a word of what or by whom
    assert not [each for each in OPERATIONS if "push" in each.path or "notification" in each.path]
