"""Contact before ciphertext: nothing of a number is handed out to whom it has not agreed to be reached by."""

import asyncio

import msgspec
import pytest

from delivery_service import wire
from delivery_service.wire import ContactRequest

ALICE, BOB, CAROL = "+12025550142", "+12025550143", "+12025550144"


async def stock(device) -> dict:
    return (await device.call("GET", "/v1/key-packages")).json()


async def scene(world, mode: str):
    """Bob, who may be reached in this mode, and Alice."""
    bob, alice = await world.device(BOB), await world.device(ALICE, packages=1)
    assert (await bob.publish(3, last_resort=True)).status_code == 200
    assert (await bob.choose(mode)).json() == {"mode": mode, "granted": [], "blocked": []}
    return bob, alice


async def test_a_number_is_open_until_it_chooses_otherwise(world):
    bob, alice = await world.device(BOB, packages=1), await world.device(ALICE)
    assert (await bob.call("GET", "/v1/contact-mode")).json() == {"mode": "open", "granted": [], "blocked": []}
    assert len(await alice.claim(BOB)) == 1


@pytest.mark.parametrize("mode", ["ask", "contacts"])
async def test_a_claim_without_a_grant_hands_out_nothing_and_uses_nothing_up(world, problem_word, mode):
    bob, alice = await scene(world, mode)
    before = await stock(bob)
    for _ in range(5):
        answer = await alice.claim_answer(BOB)
        assert (problem_word(answer), answer.json()["mode"]) == ("no-consent", mode)
    assert await stock(bob) == before
    await bob.decide(ALICE, "grant")
    assert len(await alice.claim(BOB)) == 1


async def test_refused_claims_do_not_bring_a_number_s_last_resort_into_use(world, problem_word):
    bob, alice = await scene(world, "ask")
    carol = await world.device(CAROL)
    service = world.app.state.service
    service.claims_of_target.spend(BOB, bob.now, wire.CLAIMS_PER_TARGET_HOUR - 1)
    for _ in range(10):
        assert problem_word(await alice.claim_answer(BOB)) == "no-consent"
    await bob.decide(CAROL, "grant")
    await carol.claim(BOB)
    assert (await stock(bob))["available"] == 2
    await carol.claim(BOB)
    assert (await stock(bob))["available"] == 2  # from here on the last-resort package is given


async def test_who_asks_is_heard_and_may_claim_once_granted(world, problem_word):
    bob, alice = await scene(world, "ask")
    answer = await alice.ask(BOB)
    expected = {"granted": False, "expires_at": alice.now + wire.CONTACT_REQUEST_LIFETIME}
    assert (answer.status_code, answer.json()) == (201, expected)
    assert problem_word(await alice.claim_answer(BOB)) == "no-consent"
    (asked,) = (await bob.contact_requests()).asked
    assert msgspec.json.decode(asked.body, type=ContactRequest) == ContactRequest(BOB, list(alice.chain))
    assert (await alice.contact_requests()).granted == []
    await bob.decide(ALICE, "grant")
    assert (await bob.contact_requests()).asked == []
    assert (await alice.contact_requests()).granted == [BOB]
    assert (await alice.ask(BOB)).json()["granted"]
    assert len(await alice.claim(BOB)) == 1


async def test_any_device_of_the_number_may_answer(world):
    bob, alice = await scene(world, "ask")
    other = await world.device(BOB, packages=1)
    await alice.ask(BOB)
    assert len((await other.contact_requests()).asked) == 1
    await other.decide(ALICE, "grant")
    assert (await bob.contact_requests()).asked == []
    assert len(await alice.claim(BOB)) == 2


async def test_the_devices_of_one_number_need_no_consent(world, problem_word):
    await scene(world, "contacts")
    other = await world.device(BOB)
    assert len(await other.claim(BOB)) == 1
    assert problem_word(await other.ask(BOB)) == "not-allowed"


async def test_contacts_only_refuses_requests_unseen(world, problem_word):
    bob, alice = await scene(world, "contacts")
    answer = await alice.ask(BOB)
    assert (problem_word(answer), answer.json()["mode"]) == ("no-consent", "contacts")
    assert (await bob.contact_requests()).asked == []


async def test_a_replayed_request_is_refused(world, problem_word):
    bob, alice = await scene(world, "ask")
    request = alice.ask_request(BOB)
    assert (await alice.http.send(request)).status_code == 201
    await bob.decide(ALICE, "refuse")
    world.clock.now += wire.SIGNATURE_MAX_AGE - 1
    assert problem_word(await alice.http.send(request)) == "invalid-signature"
    world.clock.now += 2
    assert problem_word(await alice.http.send(request)) == "invalid-signature"
    assert (await bob.contact_requests()).asked == []


async def test_a_request_must_be_signed_by_the_session_s_device_with_its_own_chain(world, problem_word):
    bob, alice = await scene(world, "ask")
    carol = await world.device(CAROL)
    assert problem_word(await alice.http.send(alice.ask_request(BOB, key=carol.key))) == "invalid-signature"
    assert problem_word(await alice.http.send(alice.ask_request(BOB, chain=carol.chain))) == "credential-refused"
    assert problem_word(await alice.http.send(alice.ask_request(BOB, chain=()))) == "credential-refused"
    moved = alice.ask_request(BOB)
    moved.headers["content-digest"] = alice.ask_request(CAROL).headers["content-digest"]
    assert problem_word(await alice.http.send(moved)) == "invalid-signature"
    assert (await bob.contact_requests()).asked == []


@pytest.mark.parametrize("extra", ["text", "subject", "note", "name"])
async def test_a_request_has_no_place_for_words(world, problem_word, extra):
    bob, alice = await scene(world, "ask")
    body = msgspec.json.encode({"number": BOB, "chain": list(alice.chain), extra: "buy now"})
    fields = {"content-type": wire.JSON_TYPE, "authorization": f"Bearer {alice.token}"}
    request = alice.http.build_request("POST", "/v1/contact-requests", content=body, headers=fields)
    assert problem_word(await alice.http.send(alice.sign(request))) == "malformed"
    assert (await bob.contact_requests()).asked == []


async def test_a_refused_and_an_unanswered_request_look_alike_and_may_not_be_repeated_at_once(world, problem_word):
    bob, alice = await scene(world, "ask")
    carol = await world.device(CAROL)
    await alice.ask(BOB)
    await carol.ask(BOB)
    await bob.decide(ALICE, "refuse")
    assert [(await each.contact_requests()).granted for each in (alice, carol)] == [[], []]
    answers = [await each.ask(BOB) for each in (alice, carol)]
    assert [problem_word(answer) for answer in answers] == ["already-asked"] * 2
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["retry_after"] == wire.CONTACT_REQUEST_PAUSE
    world.clock.now += wire.CONTACT_REQUEST_PAUSE - 1
    await asyncio.gather(alice.open_session(), carol.open_session(), bob.open_session())
    assert problem_word(await alice.ask(BOB)) == "already-asked"
    assert (await bob.contact_requests()).asked == []  # Carol's has waited long enough
    world.clock.now += 1
    await alice.open_session()
    assert (await alice.ask(BOB)).status_code == 201


async def test_a_blocked_number_asks_and_nobody_hears_it_nor_tells_it(world, problem_word):
    bob, alice = await scene(world, "ask")
    carol = await world.device(CAROL)
    await bob.decide(ALICE, "block")
    head = (await bob.contact_requests()).head
    answers = [(await each.ask(BOB)).json() for each in (alice, carol)]
    assert answers[0] == answers[1]
    waiting = await bob.contact_requests()
    assert len(waiting.asked) == 1
    assert waiting.head == head + 1
    again = [(await each.ask(BOB)).json() for each in (alice, carol)]
    assert again[0] == again[1]
    claims = [(await each.claim_answer(BOB)).json() for each in (alice, carol)]
    assert claims[0] == claims[1]
    assert problem_word(await alice.claim_answer(BOB)) == "no-consent"


async def test_a_grant_can_be_taken_back_and_a_block_too(world, problem_word):
    bob, alice = await scene(world, "ask")
    await alice.ask(BOB)
    await bob.decide(ALICE, "grant")
    await bob.decide(ALICE, "revoke")
    assert problem_word(await alice.claim_answer(BOB)) == "no-consent"
    assert (await alice.contact_requests()).granted == []
    await bob.decide(ALICE, "block")
    assert (await bob.call("GET", "/v1/contact-mode")).json()["blocked"] == [ALICE]
    await bob.decide(ALICE, "grant")
    assert (await bob.call("GET", "/v1/contact-mode")).json() == {"mode": "ask", "granted": [ALICE], "blocked": []}
    assert len(await alice.claim(BOB)) == 1


async def test_a_mode_can_bring_all_grants_at_once_and_open_forgets_them(world, problem_word):
    bob, alice = await scene(world, "open")
    carol = await world.device(CAROL)
    await bob.decide(ALICE, "grant")
    assert (await bob.call("GET", "/v1/contact-mode")).json() == {"mode": "open", "granted": [], "blocked": []}
    assert (await bob.choose("ask", ALICE, ALICE, BOB)).json() == {"mode": "ask", "granted": [ALICE], "blocked": []}
    assert len(await alice.claim(BOB)) == 1
    await carol.ask(BOB)
    assert (await bob.choose("open")).json() == {"mode": "open", "granted": [], "blocked": []}
    assert (await carol.contact_requests()).granted == [BOB]
    assert len(await carol.claim(BOB)) == 1
    assert (await bob.choose("contacts")).json()["granted"] == []
    assert problem_word(await alice.claim_answer(BOB)) == "no-consent"


async def test_heads_tell_both_sides_that_something_is_new(world):
    bob, alice = await scene(world, "ask")

    async def head(device) -> int:
        return (await device.call("GET", "/v1/groups")).json().get("requests", 0)

    before = await head(bob), await head(alice)
    await alice.ask(BOB)
    assert (await head(bob), await head(alice)) == (before[0] + 1, before[1])
    await bob.decide(ALICE, "grant")
    assert (await head(bob), await head(alice)) == (before[0] + 2, before[1] + 1)


async def test_a_waiting_read_ends_when_somebody_asks(world):
    bob, alice = await scene(world, "ask")
    reading = asyncio.create_task(bob.inbox(wait=30))
    while not world.app.state.service.wakeups._by_number.get(BOB):
        await asyncio.sleep(0)
    await alice.ask(BOB)
    async with asyncio.timeout(5):
        assert (await reading).items == []


async def test_so_many_requests_wait_for_a_number(world, problem_word, monkeypatch):
    monkeypatch.setattr("delivery_service.storage.asking.CONTACT_REQUESTS_WAITING", 1)
    bob, alice = await scene(world, "ask")
    carol = await world.device(CAROL)
    await alice.ask(BOB)
    answer = await carol.ask(BOB)
    assert (problem_word(answer), answer.json()["limit_name"]) == ("rate-limited", "CONTACT_REQUESTS_WAITING")
    await bob.decide(ALICE, "refuse")
    assert (await carol.ask(BOB)).status_code == 201


async def test_numbers_and_bodies_are_checked(world, problem_word):
    bob, alice = await scene(world, "ask")
    assert problem_word(await alice.ask(CAROL)) == "unknown-number"
    assert problem_word(await alice.ask("12025550143")) == "malformed"
    assert problem_word(await bob.choose("closed")) == "malformed"
    assert problem_word(await bob.choose("ask", "nobody")) == "malformed"
    many = [f"+1202555{digits:04}" for digits in range(wire.CONTACT_GRANTS_LIMIT)]
    assert len((await bob.choose("ask", *many)).json()["granted"]) == wire.CONTACT_GRANTS_LIMIT - 1  # without one's own
    answer = await bob.choose("ask", "+442079460000", "+442079460001")
    assert (problem_word(answer), answer.json()["limit_name"]) == ("too-large", "CONTACT_GRANTS_LIMIT")
    over = alice.ask_request(BOB, chain=(bytes(wire.CONTACT_REQUEST_LIMIT),))
    assert problem_word(await alice.http.send(over)) == "too-large"
    long = alice.ask_request(BOB, label="k" * wire.SIGNATURE_FIELD_LIMIT)
    assert problem_word(await alice.http.send(long)) == "malformed"


async def test_decisions_are_limited_for_each_number(world, problem_word):
    bob, alice = await scene(world, "ask")
    world.app.state.service.decisions.spend(BOB, bob.now, wire.CONTACT_DECISIONS_PER_HOUR - 2)
    await bob.decide(ALICE, "grant")
    answer = await bob.choose("open")
    assert (problem_word(answer), answer.json()["limit_name"]) == ("rate-limited", "CONTACT_DECISIONS_PER_HOUR")
    assert (await alice.choose("ask")).status_code == 200


async def test_a_mode_costs_its_number_more_the_more_it_grants(world, problem_word):
    bob, _ = await scene(world, "open")
    many = [f"+1202555{digits:04}" for digits in range(1000, 2000)]
    world.app.state.service.decisions.spend(BOB, bob.now, wire.CONTACT_DECISIONS_PER_HOUR - 9)
    answer = await bob.choose("ask", *many)
    assert (problem_word(answer), answer.json()["limit_name"]) == ("rate-limited", "CONTACT_DECISIONS_PER_HOUR")
    assert len((await bob.choose("ask", *many[:500])).json()["granted"]) == 500


async def test_what_was_asked_is_forgotten_in_time(world):
    _, alice = await scene(world, "ask")
    await alice.ask(BOB)
    service = world.app.state.service
    world.clock.now += wire.RETENTION + 1
    await service.store.expire_before(service.now() - wire.RETENTION, service.now())
    for table in ("contact_requests", "first_contacts"):
        kept = await service.engine.write(lambda tx, name=table: tx.value(f"SELECT count(*) FROM {name}"))
        assert kept == 0


async def passed_on(world):
    """A last-resort key package of Bob's that Alice has claimed, and a group of Carol's in which to use it."""
    bob, alice = await world.device(BOB), await world.device(ALICE, packages=1)
    await bob.publish(0, last_resort=True)
    (package,) = await alice.claim(BOB)
    return bob, alice, await world.device(CAROL), package


async def adds(device, package: bytes):
    group = await device.create()
    return await device.commit(group, group.commit(device.now, add=[package]))


async def test_a_key_package_that_was_passed_on_lets_nobody_in(world, problem_word):
    bob, alice, carol, package = await passed_on(world)
    assert (await adds(alice, package)).status_code == 201
    assert problem_word(await adds(carol, package)) == "invalid-handshake"
    assert len((await bob.inbox()).items) == 1
    assert await carol.claim(BOB) == [package]
    assert (await adds(carol, package)).status_code == 201


async def test_a_key_package_that_was_kept_is_worth_nothing_without_consent(world, problem_word):
    bob, alice, _, package = await passed_on(world)
    assert (await adds(alice, package)).status_code == 201
    await bob.choose("ask")
    answer = await adds(alice, package)
    assert (problem_word(answer), answer.json()["mode"]) == ("no-consent", "ask")
    await bob.decide(ALICE, "grant")
    assert (await adds(alice, package)).status_code == 201
    await bob.decide(ALICE, "block")
    assert problem_word(await adds(alice, package)) == "no-consent"
    assert len((await bob.inbox()).items) == 2


async def test_a_friend_in_the_group_lends_nobody_their_consent(world, problem_word):
    """Whoever is added need not have agreed to anything, nor know what is done in the group."""
    bob, alice, carol, package = await passed_on(world)
    assert (await carol.publish(1)).status_code == 200
    await bob.choose("contacts", CAROL)
    group = await alice.create()
    await alice.add(group, CAROL)
    answer = await alice.commit(group, group.commit(alice.now, add=[package]))
    assert (problem_word(answer), answer.json()["mode"]) == ("no-consent", "contacts")
    joined, _ = await carol.join()
    assert (await carol.commit(joined, joined.commit(carol.now, add=[package]))).status_code == 201
    assert len((await bob.inbox()).items) == 1


async def test_who_adds_somebody_commits_it_too(world, problem_word):
    """A proposal must be covered by the next commit, whose committer may have no consent: nobody could commit again."""
    bob, alice, carol, package = await passed_on(world)
    assert (await carol.publish(1)).status_code == 200
    group = await alice.create()
    await alice.add(group, CAROL)
    joined, _ = await carol.join()
    assert problem_word(await carol.append(group.group_id, joined.propose_add(package, carol.now))) == "not-allowed"
    assert (await alice.commit(group, group.commit(alice.now, path=True))).status_code == 201
    assert (await bob.inbox()).items == []
