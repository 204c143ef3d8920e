"""Asking before writing: real clients at the real service, and services that lie about who asks."""

from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from client.defence.admission import Consent
from client.defence.asking import KEPT
from client.errors import AskedFirstError, ContactsOnlyError, UnreachableError
from client.events import ChatJoined, ContactAsked, ContactGranted, Trouble
from client.services.delivery import DeliveryClient
from client.session import Session
from delivery_service.app import create_app
from delivery_service.quotas import Quotas
from delivery_service.wire import CONTACT_REQUEST_LIFETIME, CONTACT_REQUEST_PAUSE, ContactRequests
from identity.certificates import TrustAnchors
from identity.issuing import create_issuer, create_root, issue_device_certificate
from identity.number import TelephoneNumber
from identity.tn_auth_list import TelephoneNumberRange, TNAuthList

ALICE, BOB, CAROL = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4))


def kinds(events) -> list[type]:
    return [type(event) for event in events]


async def waiting(session: Session, consent: Consent = Consent.REQUEST) -> list[TelephoneNumber]:
    return [each.number for each in await session.worker.run(session.steps.asking.asking, consent)]


async def accept(session: Session, number: TelephoneNumber) -> None:
    """What a person does who lets somebody reach them."""
    await session.worker.run(session.steps.asking.grant, number)
    await session.reaching.settle()


async def asked(session: Session, number: TelephoneNumber) -> AskedFirstError:
    with pytest.raises(AskedFirstError) as caught:
        await session.create_chat(None, [number])
    return caught.value


async def test_a_person_is_asked_first_and_written_to_once_they_agree(world, stack: AsyncExitStack):
    alice, bob = await world.people(stack, ALICE, BOB)
    await bob.reaching.choose("ask")
    error = await asked(alice, BOB)
    assert str(error) == ("+1 202-555-0143 lets people ask first. They have been asked; you can write when they agree.")
    assert (error.code, error.exit_code) == ("asked-first", 7)
    assert "were asked before" in str(await asked(alice, BOB))
    assert await alice.chats() == []
    assert await bob.receive() == [ContactAsked(ALICE)]
    assert await waiting(bob) == [ALICE]
    await accept(bob, ALICE)
    assert await waiting(bob) == []
    assert await alice.receive() == [ContactGranted(BOB)]
    chat = await alice.create_chat(None, [BOB])
    assert (await alice.send(chat.group_id, "thank you")).state == "delivered"
    assert ChatJoined in kinds(await bob.receive())
    assert (await bob.chats())[0].consent is Consent.INBOX


async def test_a_following_client_hears_at_once_who_asks_and_who_agreed(world, stack: AsyncExitStack):
    alice, bob = await world.people(stack, ALICE, BOB)
    await bob.reaching.choose("ask")
    await asked(alice, BOB)
    heads = await bob.delivery.heads()
    assert heads.requests > await bob.worker.run(lambda: bob.steps.asking.head)
    await bob.receive()
    await accept(bob, ALICE)
    assert (await alice.delivery.heads()).requests == 1


async def test_who_is_refused_is_not_told_and_not_shown_again(world, stack: AsyncExitStack):
    alice, bob = await world.people(stack, ALICE, BOB)
    await bob.reaching.choose("ask")
    await asked(alice, BOB)
    await bob.receive()
    await bob.worker.run(bob.steps.asking.refuse, ALICE)
    await bob.reaching.settle()
    assert await alice.receive() == []
    await asked(alice, BOB)
    assert await bob.receive() == []
    assert await waiting(bob) == []
    await pass_time(world, CONTACT_REQUEST_PAUSE, alice, bob)
    assert "have been asked" in str(await asked(alice, BOB))
    assert await bob.receive() == [ContactAsked(ALICE)]


async def test_contacts_only_means_that_nobody_is_asked(world, stack: AsyncExitStack):
    alice, bob = await world.people(stack, ALICE, BOB)
    await bob.reaching.choose("contacts")
    with pytest.raises(ContactsOnlyError) as caught:
        await alice.create_chat(None, [BOB])
    assert caught.value.code == "contacts-only"
    with pytest.raises(ContactsOnlyError):
        await alice.reaching.ask(BOB)
    assert await bob.receive() == []
    assert await waiting(bob) == []


async def test_contacts_are_not_locked_out_when_the_mode_changes(world, stack: AsyncExitStack):
    alice, bob, carol = await world.people(stack, ALICE, BOB, CAROL)
    await bob.worker.run(bob.steps.groups.contacts.accept, ALICE)
    await bob.reaching.choose("contacts")
    assert (await bob.delivery.reachability()).granted == [ALICE.e164]
    assert await alice.create_chat(None, [BOB])
    with pytest.raises(ContactsOnlyError):
        await carol.create_chat(None, [BOB])


async def test_a_service_is_told_of_contacts_only_while_the_mode_is_not_open(world, stack: AsyncExitStack):
    alice, bob, carol = await world.people(stack, ALICE, BOB, CAROL)
    await bob.create_chat(None, [ALICE])
    await bob.worker.run(bob.steps.groups.contacts.block, CAROL)
    await bob.receive()
    assert msgspec.structs.asdict(await bob.delivery.reachability()) == {"mode": "open", "granted": [], "blocked": []}
    await bob.reaching.choose("ask")
    kept = await bob.delivery.reachability()
    assert (kept.granted, kept.blocked) == ([ALICE.e164], [CAROL.e164])
    await bob.worker.run(bob.steps.groups.contacts.block, ALICE)
    await bob.worker.run(bob.steps.groups.contacts.unblock, CAROL)
    await bob.receive()
    kept = await bob.delivery.reachability()
    assert (kept.granted, kept.blocked) == ([], [ALICE.e164])
    await bob.reaching.choose("open")
    assert (await bob.delivery.reachability()).blocked == []
    assert await bob.worker.run(bob.steps.asking.due) == []
    assert alice
    assert carol


async def test_adding_somebody_in_a_closed_mode_lets_them_answer(world, stack: AsyncExitStack):
    alice, bob = await world.people(stack, ALICE, BOB)
    await bob.reaching.choose("contacts")
    await bob.create_chat(None, [ALICE])
    assert (await bob.delivery.reachability()).granted == [ALICE.e164]
    assert await alice.create_chat(None, [BOB])


async def test_two_people_who_both_ask_first_need_one_agreement(world, stack: AsyncExitStack):
    alice, bob = await world.people(stack, ALICE, BOB)
    await alice.reaching.choose("ask")
    await bob.reaching.choose("ask")
    await asked(alice, BOB)
    await bob.receive()
    await accept(bob, ALICE)
    assert await bob.create_chat(None, [ALICE])


async def test_a_blocked_number_s_request_is_never_heard(world, stack: AsyncExitStack):
    alice, bob = await world.people(stack, ALICE, BOB)
    await bob.reaching.choose("ask")
    await bob.worker.run(bob.steps.groups.contacts.block, ALICE)
    await bob.reaching.settle()
    assert "have been asked" in str(await asked(alice, BOB))
    assert await bob.receive() == []
    assert await waiting(bob) == []


async def test_one_who_is_blocked_while_the_service_does_not_know_it_is_refused_and_counted(
    world, stack: AsyncExitStack
):
    alice, bob = await world.people(stack, ALICE, BOB)
    await bob.reaching.choose("ask")
    await asked(alice, BOB)
    await bob.worker.run(bob.steps.groups.contacts.block, ALICE)
    assert await bob.receive() == []
    assert (await bob.worker.run(bob.steps.groups.contacts.get, ALICE)).dropped == 1
    assert (await bob.delivery.contact_requests()).asked == []
    assert (await bob.delivery.reachability()).blocked == [ALICE.e164]


async def test_a_contact_s_request_is_granted_without_a_question(world, stack: AsyncExitStack):
    alice, bob = await world.people(stack, ALICE, BOB)
    await bob.reaching.choose("ask")
    await asked(alice, BOB)
    await bob.worker.run(bob.steps.groups.contacts.accept, ALICE)
    assert await bob.receive() == []
    assert await alice.receive() == [ContactGranted(BOB)]


async def test_a_rule_can_hold_requests_back(world, stack: AsyncExitStack):
    alice, bob = await world.people(stack, ALICE, BOB)
    rules = '[[rule]]\nname = "no such numbers"\nnumbers = ["+1202"]\nplace = "quarantine"\n'
    own = '[[rule]]\nname = "own"\nrelation = ["self"]\nplace = "inbox"\n'
    await bob.worker.run(bob.steps.admitting.use, own + rules, bob.now())
    await bob.reaching.choose("ask")
    await asked(alice, BOB)
    assert await bob.receive() == []
    assert (await waiting(bob), await waiting(bob, Consent.QUARANTINE)) == ([], [ALICE])
    (held,) = await bob.worker.run(bob.steps.asking.asking, Consent.QUARANTINE)
    assert held.rule == "no such numbers"
    await accept(bob, ALICE)
    assert await alice.receive() == [ContactGranted(BOB)]


async def test_a_group_begins_with_those_who_can_be_reached_and_the_others_are_asked(world, stack: AsyncExitStack):
    alice, bob, carol = await world.people(stack, ALICE, BOB, CAROL)
    await carol.reaching.choose("ask")
    with alice.listening() as events:
        chat = await alice.create_chat("three", [BOB, CAROL])
        told = [events.get_nowait() for _ in range(events.qsize())]
    assert [str(each.reason) for each in told if isinstance(each, Trouble)] == [
        "+1 202-555-0144 lets people ask first. They have been asked; you can write when they agree."
    ]
    assert await alice.members(chat.group_id) == [ALICE, BOB]
    assert ContactAsked in kinds(await carol.receive())
    await accept(carol, ALICE)
    await alice.receive()
    await alice.add(chat.group_id, [CAROL])
    assert await alice.members(chat.group_id) == [ALICE, BOB, CAROL]
    assert ChatJoined in kinds(await bob.receive())


async def test_a_grant_that_could_not_be_told_is_told_later(world, stack: AsyncExitStack):
    alice, bob = await world.people(stack, ALICE, BOB)
    await bob.reaching.choose("ask")
    await asked(alice, BOB)
    await bob.receive()
    world.network.down.add("delivery.test")
    with pytest.raises(UnreachableError):
        await accept(bob, ALICE)
    world.network.down.clear()
    await bob.receive()
    assert await alice.receive() == [ContactGranted(BOB)]


async def test_another_device_hears_of_the_mode_and_grants_its_own_contacts(world, stack: AsyncExitStack):
    alice, bob = await world.people(stack, ALICE, BOB)
    other = await second_device(world, stack, BOB)
    await other.worker.run(other.steps.groups.contacts.accept, CAROL)
    await bob.worker.run(bob.steps.groups.contacts.accept, ALICE)
    await bob.reaching.choose("ask")
    (told,) = await other.receive()
    assert "only a number comes, no words" in told.reason
    assert await other.worker.run(lambda: other.steps.asking.mode) == "ask"
    assert (await bob.delivery.reachability()).granted == [ALICE.e164, CAROL.e164]
    await other.reaching.choose("open")
    assert [event.code for event in await bob.receive()] == ["mode-changed"]
    assert await bob.worker.run(lambda: bob.steps.asking.mode) == "open"
    assert alice


async def test_a_request_lapses_and_disappears_here_too(world, stack: AsyncExitStack):
    alice, bob = await world.people(stack, ALICE, BOB)
    await bob.reaching.choose("ask")
    await asked(alice, BOB)
    await bob.receive()
    await pass_time(world, CONTACT_REQUEST_LIFETIME + 1, alice, bob)
    await bob.reaching.choose("ask")  # any news makes the client look again
    await bob.receive()
    assert await waiting(bob) == []
    assert KEPT > CONTACT_REQUEST_LIFETIME


async def test_a_quota_is_told_in_words_with_the_time_to_wait(world, stack: AsyncExitStack):
    alice, bob, carol = await world.people(stack, ALICE, BOB, CAROL)
    service = await replaced(world, stack, Quotas(1, None, None))
    for each in (alice, bob, carol):
        await each.maintain()
    assert service
    await alice.create_chat(None, [BOB])
    with pytest.raises(Exception, match="FIRST_CONTACTS_PER_DAY") as caught:
        await alice.create_chat(None, [CAROL])
    assert "86400 seconds" in caught.value.hint


class Relay(httpx.AsyncBaseTransport):
    """A delivery service that changes what it says about contact requests."""

    def __init__(self, honest: httpx.AsyncBaseTransport) -> None:
        self._honest = honest
        self.change = lambda requests: requests

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._honest.handle_async_request(request)
        if request.method != "GET" or request.url.path != "/v1/contact-requests":
            return response
        said = msgspec.json.decode(await response.aread(), type=ContactRequests)
        return httpx.Response(200, stream=httpx.ByteStream(msgspec.json.encode(self.change(said))))


def with_number(requests: ContactRequests, number: TelephoneNumber) -> ContactRequests:
    (asked,) = requests.asked
    body = msgspec.json.encode({**msgspec.json.decode(asked.body), "number": number.e164})
    return msgspec.structs.replace(requests, asked=[msgspec.structs.replace(asked, body=body)])


async def test_a_request_that_the_service_has_changed_is_dropped_once_and_said(world, stack: AsyncExitStack):
    relay = world.network.services["delivery.test"] = Relay(world.network.services["delivery.test"])
    alice, bob, carol = await world.people(stack, ALICE, BOB, CAROL)
    await bob.reaching.choose("ask")
    await carol.reaching.choose("ask")
    await asked(alice, CAROL)
    stolen = (await carol.delivery.contact_requests()).asked
    relay.change = lambda requests: with_number(msgspec.structs.replace(requests, asked=stolen), BOB)
    await bob.reaching.choose("ask")
    (trouble,) = await bob.receive()
    assert (trouble.code, trouble.error.exit_code) == ("contact-request", 3)
    assert "not signed by the key" in trouble.reason
    await bob.reaching.choose("ask")
    assert await bob.receive() == []
    assert await waiting(bob) == []


async def test_a_grant_of_whom_nobody_asked_is_not_believed(world, stack: AsyncExitStack):
    relay = world.network.services["delivery.test"] = Relay(world.network.services["delivery.test"])
    (bob,) = await world.people(stack, BOB)
    relay.change = lambda requests: msgspec.structs.replace(requests, granted=[CAROL.e164, "nonsense", ""])
    await bob.reaching.choose("ask")
    assert await bob.receive() == []


async def test_a_service_that_forgets_the_choice_does_not_do_so_unseen(world, stack: AsyncExitStack):
    (bob,) = await world.people(stack, BOB)
    await bob.reaching.choose("contacts")
    assert await bob.receive() == []
    await replaced(world, stack, Quotas())
    (told,) = await bob.receive()
    assert told.code == "mode-changed"
    assert "Anybody can write to you" in told.reason
    assert "ringtrue reachable" in told.error.hint
    assert await bob.receive() == []


async def test_a_replayed_answer_shows_nothing_that_was_answered(world, stack: AsyncExitStack):
    relay = world.network.services["delivery.test"] = Relay(world.network.services["delivery.test"])
    alice, bob = await world.people(stack, ALICE, BOB)
    await bob.reaching.choose("ask")
    await asked(alice, BOB)
    await bob.receive()
    old = (await bob.delivery.contact_requests()).asked
    await bob.worker.run(bob.steps.asking.refuse, ALICE)
    await bob.reaching.settle()
    relay.change = lambda requests: msgspec.structs.replace(requests, asked=old)
    assert await bob.receive() == []
    assert await waiting(bob) == []


async def test_a_forged_chain_is_refused_by_the_target_although_the_service_believes_it(world, stack: AsyncExitStack):
    now = int(world.clock.now)
    root_key, root = create_root("Another root", now, 86_400 * 30)
    numbers = TNAuthList((TelephoneNumberRange("12025550100", 100),))
    issuer_key, issuer = create_issuer(root_key, root, "Another issuer", numbers, now, 86_400 * 20)
    (alice, bob) = await world.people(stack, ALICE, BOB)
    own = TrustAnchors.from_pem(bob.account.anchors)
    await replaced(world, stack, Quotas(), TrustAnchors((*own.roots, root)))
    await bob.maintain()
    await bob.reaching.choose("ask")

    key = ec.generate_private_key(ec.SECP256R1())
    leaf = issue_device_certificate(issuer_key, issuer, key.public_key(), ALICE, now, 86_400)
    chain = [certificate.public_bytes(Encoding.DER) for certificate in (leaf, issuer)]
    async with DeliveryClient(
        "https://delivery.test", key, chain, clock=world.clock, transport=world.network
    ) as impostor:
        assert not (await impostor.ask(BOB, chain)).granted
    (trouble,) = await bob.receive()
    assert trouble.code == "contact-request"
    assert "certificate is not accepted here" in trouble.reason
    assert await waiting(bob) == []
    assert alice


async def replaced(world, stack: AsyncExitStack, quotas: Quotas, anchors: TrustAnchors | None = None):
    """A fresh delivery service in the place of the world's, with these quotas and anchors."""
    if anchors is None:
        async with httpx.AsyncClient(transport=world.network, base_url="https://authority.test") as http:
            anchors = TrustAnchors.from_pem((await http.get("/v1/anchors.pem")).content)
    service = create_app(None, anchors, host="delivery.test", clock=world.clock, quotas=quotas)
    await stack.enter_async_context(service.router.lifespan_context(service))
    world.network.services["delivery.test"] = httpx.ASGITransport(service)
    return service


async def pass_time(world, seconds: int, *sessions: Session) -> None:
    """Let time pass in steps in which certificates are renewed."""
    while seconds > 0:
        step = min(seconds, 4 * 86_400)
        world.clock.now += step
        seconds -= step
        for session in sessions:
            await session.maintain()


async def second_device(world, stack: AsyncExitStack, number: TelephoneNumber) -> Session:
    """Another device of a number, with a store of its own."""
    world.folder = world.folder / "second"
    world.folder.mkdir()
    await world.enrol(number)
    session = await stack.enter_async_context(world.open(number))
    await session.receive()
    return session
