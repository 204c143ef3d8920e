"""Admission through the public door: each default rule, a person's own rules, and what becomes of what they hide."""

from contextlib import AsyncExitStack

import pytest

from client.defence.rules import default_toml
from client.desk.told import MessageArrived, Quarantined, RequestArrived
from client.errors import ChatError, RulesError
from client.formats.framing import wrap
from identity.authority.report_policy import DAY, Consequence, ReportPolicy
from identity.reports.number_status import NumberStatus
from tests.client.admission_scene import BAIT, MALLORY, Person, at_home, mallory_in, send_octets, sends
from tests.client.conftest import ALICE, BOB, CAROL, World

TITLE_AND_TEXT = CHAT_AND_TITLE = 2  # a group that is created is named by a message
SEVERE = ReportPolicy(consequences=(Consequence(1, NumberStatus.WITHDRAWN, DAY),))


async def present(world: World, stack: AsyncExitStack, *numbers) -> list[Person]:
    people = []
    for number in numbers:
        await world.enrol(number)
        people.append(await stack.enter_async_context(at_home(world, number)))
    return people


def rule(name: str, *lines: str) -> str:
    """One rule, before those that this program comes with."""
    return "\n".join(["[[rule]]", f'name = "{name}"', *lines, "", ""]) + default_toml()


# --- the default rules, one by one


async def test_a_stranger_asks_and_shows_a_number_only(world, stack: AsyncExitStack) -> None:
    alice, bob = await present(world, stack, ALICE, BOB)
    group = await bob.begins("Cheap pills", alice)
    await bob.says(group, BAIT, alice)
    (request,) = await alice.desk.people.requests()
    assert (request.number, request.rule, request.held) == (BOB.e164, "stranger asks", False)
    assert request.why == "You have not accepted this number, and it is not in your contacts."
    row = await alice.last(group)
    assert (row.place, row.rule, row.text) == ("request", "chat not accepted", "")
    assert await alice.counts() == {("stranger asks", "request"): 1, ("chat not accepted", "request"): TITLE_AND_TEXT}


async def test_a_known_person_needs_not_ask(world, stack: AsyncExitStack) -> None:
    alice, bob = await present(world, stack, ALICE, BOB)
    await alice.desk.people.know(BOB.e164)
    group = await bob.begins("Dinner", alice)
    await bob.says(group, "at eight?", alice)
    assert [chat.group for chat in await alice.desk.chats.all()] == [group]
    row = await alice.last(group)
    assert (row.place, row.rule, row.why, row.text) == ("inbox", "", "", "at eight?")
    assert await alice.counts() == {}


async def test_what_a_blocked_number_asks_is_dropped_and_counted(world, stack: AsyncExitStack) -> None:
    alice, bob = await present(world, stack, ALICE, BOB)
    await alice.desk.people.block(BOB.e164)
    group = await bob.begins("Cheap pills", alice)
    await bob.says(group, BAIT, alice)
    assert [*await alice.desk.people.requests(), *await alice.desk.people.held(), *await alice.rows(group)] == []
    assert await alice.counts() == {("blocked number asks", "drop"): 1, ("chat declined", "drop"): TITLE_AND_TEXT}
    assert [each.dropped for each in await alice.desk.people.contacts()] == [1]


async def test_what_a_blocked_number_writes_elsewhere_is_held_back(world, stack: AsyncExitStack) -> None:
    alice, bob, carol = await present(world, stack, ALICE, BOB, CAROL)
    await alice.desk.people.know(BOB.e164)
    group = await bob.begins("Climbing", alice, carol)
    for request in await carol.desk.people.requests():
        await carol.desk.people.accept(request.group)
    await alice.desk.people.block(CAROL.e164)
    await carol.says(group, BAIT, alice)
    (held,) = await alice.desk.messages.quarantine()
    assert (held.rule, held.why, held.text) == ("blocked number writes", "You blocked this number.", "")


@pytest.mark.parametrize(("proof", "rule_", "why"), [("broken", "proof failed", "Its proof failed: The signature is")])
async def test_a_proof_that_fails_is_held_back(world, stack: AsyncExitStack, proof: str, rule_: str, why: str) -> None:
    (alice,) = await present(world, stack, ALICE)
    async with mallory_in(world, alice) as (mallory, group):
        await sends(mallory, group, BAIT, proof=proof)
    await alice.desk.device.sync()
    (held,) = await alice.desk.messages.quarantine()
    assert (held.rule, held.text) == (rule_, "")
    assert held.why.startswith(why)
    assert await alice.counts() == {(rule_, "quarantine"): 1}


async def test_each_chat_says_whether_it_wants_proof(world, stack: AsyncExitStack) -> None:
    (alice,) = await present(world, stack, ALICE)
    async with mallory_in(world, alice) as (mallory, group):
        await sends(mallory, group, "without proof", proof="none")
        await alice.desk.device.sync()
        assert (await alice.last(group)).text == "without proof"
        assert (await alice.desk.chats.want_proof(group, True)).wants_proof
        await sends(mallory, group, BAIT, proof="none")
        await sends(mallory, group, "with proof", proof="good")
        await alice.desk.device.sync()
        (held,) = await alice.desk.messages.quarantine()
        assert (held.rule, held.text) == ("this chat wants proof", "")
        assert held.why == "It came without a proof. You want a proof for every message in this chat."
        assert [row.text for row in await alice.rows(group)] == ["without proof", "", "with proof"]
        assert not (await alice.desk.chats.want_proof(group, False)).wants_proof
        await sends(mallory, group, "again without", proof="none")
        await alice.desk.device.sync()
        assert (await alice.last(group)).text == "again without"


@pytest.mark.parametrize("policy", [None, SEVERE], ids=["number reported", "number withdrawn"])
async def test_a_number_that_others_reported_is_held_back(world, stack: AsyncExitStack, policy) -> None:
    alice, bob, carol = await present(world, stack, ALICE, BOB, CAROL)
    first = await bob.begins("Cheap pills", carol)
    await bob.says(first, BAIT, carol)
    await carol.desk.messages.report([(await carol.last(first)).row], "spam", "")
    await alice.desk.session.refresh_statuses()
    group = await bob.begins("Cheap pills", alice)
    await bob.says(group, BAIT, alice)
    expected = "number reported" if policy is None else "number withdrawn"
    (chat,) = await alice.desk.people.held()
    assert (chat.number, chat.rule, chat.held, chat.messages) == (BOB.e164, expected, True, 1)
    assert await alice.desk.people.requests() == []
    assert (await alice.last(group)).rule == expected
    # Somebody whom a person knows is heard although they were reported, but not if they were withdrawn.
    await alice.desk.people.accept(group)
    await bob.says(group, "it was not me", alice)
    assert (await alice.last(group)).place == ("inbox" if policy is None else "quarantine")


# --- what is held back, and what is dropped


async def test_nobody_is_told_of_a_chat_that_is_held_back_until_it_is_accepted(world, stack: AsyncExitStack) -> None:
    alice, bob = await present(world, stack, ALICE, BOB)
    await alice.desk.admission.use(rule("no strangers", 'relation = ["stranger"]', 'place = "quarantine"'))
    told: list[object] = []
    events = alice.desk.events()
    group = await bob.begins("Cheap pills", alice)
    await bob.says(group, "the first", alice)
    await bob.desk.messages.react((await bob.desk.messages.page(group))[-1].row, "👍")
    await bob.says(group, "the second", alice)
    status = await alice.desk.device.status()
    while not (told and getattr(told[-1], "status", None) == status):
        told.append(await anext(events))
    await events.aclose()
    assert not [each for each in told if isinstance(each, (RequestArrived, Quarantined, MessageArrived))]
    assert (status.held, status.requests, status.unread) == (1, 0, 0)
    (held,) = await alice.desk.people.held()
    assert (held.rule, held.messages, held.label) == ("no strangers", 2, "✓ NUMBER VERIFIED")
    assert "pills" not in repr(held)

    accepted = await alice.desk.people.accept(group)
    assert (accepted.chat, accepted.unread) == ("Cheap pills", 2)
    rows = await alice.rows(group)
    assert [(row.text, row.place, row.rule) for row in rows] == [
        ("the first", "inbox", ""),
        ("the second", "inbox", ""),
    ]
    assert [each.emoji for each in rows[0].reactions] == ["👍"]
    assert [row.text for row in await alice.desk.messages.search("second")] == ["the second"]
    assert await alice.desk.people.held() == []


async def test_what_failed_stays_held_back_in_a_chat_that_is_accepted(world, stack: AsyncExitStack) -> None:
    alice, bob = await present(world, stack, ALICE, BOB)
    await alice.desk.admission.use(rule("hold", 'subject = "chat"', 'relation = ["stranger"]', 'place = "quarantine"'))
    async with mallory_in(world, bob) as (mallory, group):
        await bob.desk.chats.invite(group, [ALICE.e164])
        await mallory.listen(bytes.fromhex(group))
        await sends(mallory, group, "well said", proof="good")
        await sends(mallory, group, BAIT, proof="broken")
    await alice.desk.device.sync()
    assert [row.rule for row in await alice.rows(group)] == ["chat not accepted", "proof failed"]
    await alice.desk.people.accept(group)
    shown, held = await alice.rows(group)
    assert (shown.text, shown.place, shown.rule) == ("well said", "inbox", "")
    assert (held.text, held.place, held.rule) == ("", "quarantine", "proof failed")


async def test_what_was_held_back_elsewhere_stays_there_when_its_number_becomes_a_contact(world, stack) -> None:
    (alice,) = await present(world, stack, ALICE)
    async with mallory_in(world, alice) as (mallory, group):
        await alice.desk.people.block(MALLORY.e164)
        await sends(mallory, group, "well said", proof="good")
        await alice.desk.device.sync()
        await alice.desk.people.know(MALLORY.e164)
        assert (await alice.last(group)).rule == "blocked number writes"
        await sends(mallory, group, "and again", proof="good")
        await alice.desk.device.sync()
    assert (await alice.last(group)).text == "and again"


async def test_a_chat_that_is_held_back_can_be_declined(world, stack: AsyncExitStack) -> None:
    alice, bob = await present(world, stack, ALICE, BOB)
    await alice.desk.admission.use(rule("no strangers", 'relation = ["stranger"]', 'place = "quarantine"'))
    group = await bob.begins("Cheap pills", alice)
    await bob.says(group, BAIT, alice)
    await alice.desk.people.decline(group)
    assert await alice.desk.people.held() == []
    assert BAIT not in await alice.everything_stored()
    with pytest.raises(ChatError):
        await alice.desk.people.accept(group)


@pytest.mark.parametrize("contacts_too", [False, True])
async def test_a_number_made_a_contact_is_let_in_unless_a_rule_still_holds_it(world, stack, contacts_too: bool) -> None:
    alice, bob = await present(world, stack, ALICE, BOB)
    relations = '["stranger", "contact"]' if contacts_too else '["stranger"]'
    await alice.desk.admission.use(rule("hold", f"relation = {relations}", 'place = "quarantine"'))
    group = await bob.begins("Dinner", alice)
    await bob.says(group, "at eight?", alice)
    await alice.desk.people.know(BOB.e164)
    assert len(await alice.desk.people.held()) == int(contacts_too)
    assert (await alice.last(group)).text == ("" if contacts_too else "at eight?")


async def test_who_is_in_the_chats_of_an_earlier_version_is_noted_when_it_is_opened(world, stack) -> None:
    bob, carol = await present(world, stack, BOB, CAROL)
    await world.enrol(ALICE)
    async with at_home(world, ALICE) as alice:
        await alice.desk.people.know(BOB.e164)
        await bob.begins("Climbing", alice, carol)
        session = alice.desk.session
        assert await session.worker.run(session.steps.chats.shares, CAROL.e164, b"")
        await session.worker.run(session.steps.store.execute, "DELETE FROM roster")
    async with at_home(world, ALICE) as alice:
        session = alice.desk.session
        assert await session.worker.run(session.steps.chats.shares, CAROL.e164, b"")


async def test_what_is_dropped_leaves_a_count_and_no_word(world, stack: AsyncExitStack) -> None:
    alice, bob, carol = await present(world, stack, ALICE, BOB, CAROL)
    await alice.desk.people.know(BOB.e164)
    group = await bob.begins("Climbing", alice, carol)
    for request in await carol.desk.people.requests():
        await carol.desk.people.accept(request.group)
    await alice.desk.admission.use(rule("not Carol", f'numbers = ["{CAROL.e164}"]', 'place = "drop"'))
    rows = await alice.desk.session.history(bytes.fromhex(group))
    await carol.says(group, BAIT, alice)
    assert await alice.desk.session.history(bytes.fromhex(group)) == rows
    assert "parcel" not in await alice.everything_stored()
    assert await alice.counts() == {("not Carol", "drop"): 1}
    # The entry counts as dealt with: the next one is read, and nothing is missing.
    await bob.says(group, "at eight?", alice)
    assert [row.text for row in await alice.rows(group)] == ["at eight?"]
    assert (await alice.desk.chats.get(group)).seq == (await bob.desk.chats.get(group)).seq


async def test_a_proof_that_was_dropped_is_known_when_it_is_sent_again(world, stack: AsyncExitStack) -> None:
    (alice,) = await present(world, stack, ALICE)
    async with mallory_in(world, alice) as (mallory, group):
        await alice.desk.admission.use(rule("not her", f'numbers = ["{MALLORY.e164}"]', 'place = "drop"'))
        framed = mallory.framed(bytes.fromhex(group), BAIT)
        wrapped = wrap(mallory.prove(bytes.fromhex(group), framed), framed)
        await send_octets(mallory, group, wrapped)
        await alice.desk.device.sync()
        assert await alice.rows(group) == []
        await alice.desk.admission.reset()
        await send_octets(mallory, group, wrapped)
        await alice.desk.device.sync()
    row = await alice.last(group)
    assert row.proof is not None
    assert (row.rule, row.proof.reason) == ("proof failed", "The message was seen before.")


async def test_a_chat_that_is_dropped_is_left_again(world, stack: AsyncExitStack) -> None:
    alice, bob = await present(world, stack, ALICE, BOB)
    await alice.desk.admission.use(rule("no strangers", 'relation = ["stranger"]', 'place = "drop"'))
    group = await bob.begins("Cheap pills", alice)
    await alice.desk.device.sync()
    await bob.says(group, BAIT, alice)
    await bob.desk.device.sync()
    await alice.desk.device.sync()
    assert [member.number for member in await bob.desk.chats.members(group)] == [BOB.e164]
    assert [*await alice.desk.people.requests(), *await alice.desk.people.held(), *await alice.desk.chats.all()] == []
    stored = await alice.everything_stored()
    assert "parcel" not in stored
    assert "pills" not in stored
    assert await alice.desk.people.contacts() == []
    assert (await alice.counts())["no strangers", "drop"] == 1


# --- a person's own rules


async def test_who_shares_an_accepted_chat_is_told_apart_from_strangers(world, stack: AsyncExitStack) -> None:
    alice, bob, carol = await present(world, stack, ALICE, BOB, CAROL)
    await alice.desk.people.know(BOB.e164)
    lines = 'subject = "chat"', 'relation = ["shares-group"]', 'place = "inbox"'
    await alice.desk.admission.use(rule("friends of friends", *lines))
    first = await carol.begins("A stranger's", alice)
    assert [request.group for request in await alice.desk.people.requests()] == [first]
    await alice.desk.people.decline(first)
    together = await bob.begins("Climbing", alice, carol)
    second = await carol.begins("Ropes", alice)
    assert {chat.group for chat in await alice.desk.chats.all()} == {together, second}
    # Not once they have gone: the index follows the group.
    await bob.desk.chats.remove(together, CAROL.e164)
    await alice.desk.chats.leave(second)
    for person in (carol, alice, bob, carol, alice):
        await person.desk.device.sync()
    third = await carol.begins("Once more", alice)
    assert [request.group for request in await alice.desk.people.requests()] == [third]


@pytest.mark.parametrize(
    ("lines", "hidden"),
    [
        ((f'numbers = ["{BOB.e164[:6]}"]',), True),
        (('numbers = ["+44"]',), False),
        (('younger_than = "1 day"',), True),
        (('younger_than = "1 minute"',), False),
        (('issuer = ["CN=Nobody"]',), False),
        (('verdict = ["verified"]',), True),
        (('verdict = ["unsigned"]',), False),
        (('frank = ["good"]',), True),
        (('frank = ["absent"]',), False),
        (('status = ["clear"]',), True),
        (("needs_proof = true",), False),
        (("needs_proof = false",), True),
    ],
)
async def test_each_condition_of_a_rule_is_about_what_it_says(world, stack, lines, hidden: bool) -> None:
    alice, bob = await present(world, stack, ALICE, BOB)
    await alice.desk.people.know(BOB.e164)
    world.clock.now += 3600
    toml = rule("mine", 'subject = "message"', 'relation = ["contact"]', 'place = "quarantine"', *lines)
    await alice.desk.admission.use(toml)
    group = await bob.begins("Dinner", alice)
    await bob.says(group, "at eight?", alice)
    row = await alice.last(group)
    assert (row.place, row.rule) == (("quarantine", "mine") if hidden else ("inbox", ""))


async def test_a_trial_says_what_then_happens_and_moves_nothing(world, stack: AsyncExitStack) -> None:
    alice, bob, carol = await present(world, stack, ALICE, BOB, CAROL)
    await alice.desk.people.know(BOB.e164)
    dinner = await bob.begins("Dinner", alice)
    await bob.says(dinner, "at eight?", alice)
    spam = await carol.begins("Cheap pills", alice)
    await carol.says(spam, BAIT, alice)
    toml = rule("no strangers", 'relation = ["stranger"]', 'place = "quarantine"').replace(
        "[[rule]]",
        f'[[rule]]\nname = "quiet"\nsubject = "message"\nnumbers = ["{BOB.e164}"]\nplace = "drop"\n[[rule]]',
        1,
    )
    before = await alice.everything_stored()
    trial = await alice.desk.admission.test(toml)
    assert await alice.everything_stored() == before
    assert (trial.chats, trial.messages) == (2, 2 * TITLE_AND_TEXT)
    moves = {(each.subject, each.before, each.after, each.rule, each.count) for each in trial.moves}
    assert moves == {
        ("chat", "request", "quarantine", "no strangers", 1),
        ("message", "request", "quarantine", "no strangers", TITLE_AND_TEXT),
        ("message", "inbox", "drop", "quiet", TITLE_AND_TEXT),
    }
    foretold = {(each.subject, each.number): (each.after, each.rule) for each in trial.changes}
    assert (await alice.desk.admission.rules()).saved is None

    saved = await alice.desk.admission.use(toml)
    assert saved.saved is not None
    assert [each.name for each in saved.rules if each.own] == ["quiet", "no strangers"]
    assert [row.text for row in await alice.rows(dinner)] == ["at eight?"]  # what was shown stays
    assert [each.group for each in await alice.desk.people.requests()] == [spam]
    await bob.says(dinner, "hello?", alice)
    assert [row.text for row in await alice.rows(dinner)] == ["at eight?"]
    again = await carol.begins("Pills again", alice)
    await carol.says(again, BAIT, alice)
    (held,) = await alice.desk.people.held()
    row = await alice.last(again)
    assert foretold == {
        ("chat", CAROL.e164): (("quarantine", held.rule)),
        ("message", CAROL.e164): (row.place, row.rule),
        ("message", BOB.e164): ("drop", "quiet"),
    }
    assert (await alice.desk.admission.test(toml)).moves == []


async def test_the_rules_in_force_change_nothing_in_a_trial(world, stack: AsyncExitStack) -> None:
    alice, bob = await present(world, stack, ALICE, BOB)
    group = await bob.begins("Cheap pills", alice)
    await bob.says(group, BAIT, alice)
    await alice.desk.people.accept(group)  # the facts are others now
    trial = await alice.desk.admission.test(default_toml())
    assert (trial.chats, trial.messages, trial.moves, trial.changes) == (1, TITLE_AND_TEXT, [], [])


async def test_rules_that_hide_own_devices_are_neither_tried_nor_saved(world, stack: AsyncExitStack) -> None:
    (alice,) = await present(world, stack, ALICE)
    for call in (alice.desk.admission.test, alice.desk.admission.use):
        with pytest.raises(RulesError, match="relation self"):
            await call(rule("mine", f'numbers = ["{ALICE.e164}"]', 'place = "quarantine"'))
    assert (await alice.desk.admission.rules()).saved is None


async def test_rules_and_counts_outlive_the_program(world, stack: AsyncExitStack) -> None:
    (bob,) = await present(world, stack, BOB)
    await world.enrol(ALICE)
    toml = rule("no strangers", 'relation = ["stranger"]', 'place = "quarantine"')
    async with at_home(world, ALICE) as alice:
        await alice.desk.admission.use(toml)
        await bob.begins("Cheap pills", alice)
        counts = await alice.counts()
        assert counts == {("no strangers", "quarantine"): CHAT_AND_TITLE}
    async with at_home(world, ALICE) as alice:
        assert await alice.counts() == counts
        in_force = await alice.desk.admission.rules()
        assert (in_force.toml, in_force.rules[0].count) == (toml, CHAT_AND_TITLE)
        await bob.begins("More pills", alice)
        assert await alice.counts() == {("no strangers", "quarantine"): 2 * CHAT_AND_TITLE}
        assert (await alice.desk.admission.reset()).toml == default_toml()
    async with at_home(world, ALICE) as alice:
        assert (await alice.desk.admission.rules()).saved is None


async def test_saved_rules_that_cannot_be_read_any_more_stop_nothing(world, stack: AsyncExitStack) -> None:
    (bob,) = await present(world, stack, BOB)
    await world.enrol(ALICE)
    async with at_home(world, ALICE) as alice:
        store = alice.desk.session.steps.store
        words = '[[rule]]\nname = "of a later version"\nplace = "elsewhere"'
        run = alice.desk.session.worker.run
        await run(store.execute, "INSERT INTO admission_rules VALUES (1, ?, 0)", words)
    async with at_home(world, ALICE) as alice:
        await bob.begins("Cheap pills", alice)
        (request,) = await alice.desk.people.requests()
        assert request.rule == "stranger asks"
        in_force = await alice.desk.admission.rules()
        assert "of a later version" in in_force.trouble
        assert in_force.toml == words
