"""What a client does with revocations: messages, adding, members, its own certificate, and what old messages say."""

import hashlib
from contextlib import AsyncExitStack

import httpx
import pytest

from client.credentials import staple
from client.credentials.revocations import DeviceState
from client.credentials.trust import Switches
from client.desk.desk import open_desk
from client.errors import GroupRefusedError, RevocationsRefusedError
from client.events import MessageReceived, Trouble
from client.session import Session
from client.terminal.rendering import tell_inspection
from client.terminal.voices import Terminal
from identity.authority.folder import open_folder, open_store
from identity.authority.status.revocations import revoke
from identity.authority.store import PublishedPath
from identity.binding import Verdict
from identity.checks import SHORT_LIFETIME
from identity.number import TelephoneNumber
from identity.status.revocation import Reason, StatusState
from tests.client.conftest import PASSPHRASE

ALICE, BOB, CAROL = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4))
DAY = 86_400
LISTED = 901  # seconds until a client fetches the next list


def revoked(world, session: Session, reason: Reason = Reason.cessation_of_operation) -> None:
    """The authority withdraws the certificate of this device."""
    store = open_store(world.folder / "authority")
    with store.transaction():
        revoke(store, hashlib.sha256(session.account.chain[0]).digest(), reason, int(world.clock.now))
    store.close()


async def heard(session: Session) -> list[MessageReceived]:
    return [event for event in await session.receive() if isinstance(event, MessageReceived)]


async def said(speaker: Session, group_id: bytes, words: str, listener: Session) -> MessageReceived:
    await speaker.send(group_id, words)
    (event,) = await heard(listener)
    return event


async def pair(world, stack: AsyncExitStack) -> tuple[Session, Session, bytes]:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("status", [BOB])
    await bob.receive()
    return alice, bob, chat.group_id


async def test_after_the_next_list_a_revoked_certificate_signs_for_nobody(world, stack: AsyncExitStack) -> None:
    alice, bob, chat = await pair(world, stack)
    revoked(world, alice)
    before = await said(alice, chat, "the list is not here yet", bob)
    assert before.message.verification.verdict is Verdict.VERIFIED
    world.clock.now += LISTED
    after = await said(alice, chat, "now it is", bob)
    failed = after.message.verification.failed_check
    assert failed is not None
    assert (failed.number, failed.code) == (13, 437)


async def test_a_message_from_before_a_revocation_that_arrives_later_keeps_its_verdict(
    world, stack: AsyncExitStack
) -> None:
    alice, bob, chat = await pair(world, stack)
    await alice.send(chat, "on its way")
    world.clock.now += 60
    revoked(world, alice)
    world.clock.now += LISTED
    (event,) = await heard(bob)
    verification = event.message.verification
    assert verification.verdict is Verdict.DELAYED
    assert "revoked at" in verification.checks[13].compared


async def test_whatever_a_lost_key_has_signed_fails_once_that_is_known(world, stack: AsyncExitStack) -> None:
    alice, bob, chat = await pair(world, stack)
    await alice.send(chat, "on its way")
    world.clock.now += 60
    revoked(world, alice, Reason.key_compromise)
    world.clock.now += LISTED
    (event,) = await heard(bob)
    assert event.message.verification.verdict is Verdict.FAILED


async def test_an_old_verdict_stays_and_the_inspection_says_what_is_known_now(
    world, stack: AsyncExitStack, capsys: pytest.CaptureFixture[str]
) -> None:
    async with AsyncExitStack() as first:
        alice, bob, chat = await pair(world, first)
        event = await said(alice, chat, "hello", bob)
        revoked(world, alice)
    world.clock.now += LISTED
    opening = open_desk(world.home(BOB), PASSPHRASE, clock=world.clock, transport=world.network, jitter=0, follow=False)
    async with opening as desk:
        before = await desk.messages.inspect(event.message.id)
        await desk.session.receive()
        after = await desk.messages.inspect(event.message.id)
        (member,) = [each for each in await desk.chats.members(chat.hex()) if each.number == ALICE.e164]
    assert before.message.proof is not None
    assert after.message.proof is not None
    assert before.message.proof.verdict == after.message.proof.verdict == "verified"
    assert (before.revoked_since, after.revoked_since) == (False, True)
    assert before.judged == after.judged
    assert after.status_then == before.status_then
    assert after.status_now.startswith("revoked ")
    assert member.state == "revoked"
    tell_inspection(Terminal(world.home(BOB), False, None, None), after)
    shown = capsys.readouterr().out
    assert f"judged at {after.judged:%Y-%m-%d %H:%M UTC}; known of the certificate then: " in shown
    assert f"known now: {after.status_now}" in shown
    assert "The certificate was revoked since. That changes no verdict" in shown


async def test_nobody_is_added_by_a_revoked_certificate(world, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    revoked(world, bob)
    world.clock.now += LISTED
    await alice.receive()
    with pytest.raises(GroupRefusedError) as caught:
        await alice.create_chat("too late", [BOB])
    assert caught.value.code == "revoked"


async def test_a_device_hears_that_its_own_certificate_was_revoked_once(world, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)
    revoked(world, alice)
    world.clock.now += LISTED
    for count in (1, 0):
        troubles = [event for event in await alice.receive() if isinstance(event, Trouble)]
        assert [event.code for event in troubles].count("certificate-revoked") == count
        world.clock.now += LISTED


async def test_the_list_survives_a_restart_and_is_not_fetched_again_before_its_time(
    world, stack: AsyncExitStack
) -> None:
    async with AsyncExitStack() as first:
        alice, bob, _ = await pair(world, first)
        revoked(world, alice)
        world.clock.now += LISTED
        await bob.receive()
        chain, known = alice.account.chain, bob.steps.revocations.known
    async with world.open(BOB) as again:
        assert again.steps.revocations.known == known
        assert again.steps.revocations.state(chain, int(world.clock.now)) is DeviceState.REVOKED
        world.network.down.add("authority.test")
        await again.receive()  # asks nobody
        assert again.steps.revocations.known == known


async def test_no_message_waits_for_the_list(world, stack: AsyncExitStack) -> None:
    alice, bob, chat = await pair(world, stack)
    world.clock.now += LISTED
    world.network.down.add("authority.test")
    await alice.send(chat, "all the same")
    events = await bob.receive()
    assert [event.code for event in events if isinstance(event, Trouble)] == ["unreachable"] * 2  # one for each list
    (received,) = [event for event in events if isinstance(event, MessageReceived)]
    assert received.message.verification.verdict is Verdict.VERIFIED


class Instead(httpx.AsyncBaseTransport):
    """Answers one address itself."""

    def __init__(self, path: str, answer: bytes, rest: httpx.AsyncBaseTransport) -> None:
        self.path, self.answer, self.rest = path, answer, rest

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == self.path:
            return httpx.Response(200, stream=httpx.ByteStream(self.answer))
        return await self.rest.handle_async_request(request)


async def test_a_list_that_is_older_or_of_others_is_refused_and_the_last_one_stays(
    world, stack: AsyncExitStack
) -> None:
    alice, bob, _ = await pair(world, stack)
    async with httpx.AsyncClient(transport=world.network, base_url="https://authority.test") as http:
        old = (await http.get("/v1/crl")).content
    revoked(world, alice)
    known = await bob.refresh_revocations()
    assert known is not None
    honest = world.network.services["authority.test"]
    for answer in (old, old[:-1] + b"\0", b"nonsense"):
        world.network.services["authority.test"] = Instead("/v1/crl", answer, honest)
        with pytest.raises(RevocationsRefusedError):
            await bob.refresh_revocations()
        assert bob.steps.revocations.known == known


async def long_lived(world, session: Session) -> None:
    """Give a device a certificate that needs a status, by the same authority and for the same key."""
    account, now = session.account, int(world.clock.now)
    store, issuer = open_folder(world.folder / "authority", now, None)
    path = issuer.issue(account.key.public_key(), account.number, now, SHORT_LIFETIME + 2 * DAY)
    end = int(path.leaf.not_valid_after_utc.timestamp())
    with store.transaction():
        store.publish(PublishedPath(path.fingerprint, path.pem.decode("ascii"), end, now))
        store.hold(path.fingerprint, account.number.digits, bytes(32), now, by_code=True)
    store.close()
    session.steps.groups.use_account(account.with_chain(tuple(path.chain)))
    session.delivery.use_chain(tuple(path.chain))


async def test_a_long_lived_certificate_carries_its_status_in_the_leaf_and_is_verified_by_that(
    world, stack: AsyncExitStack
) -> None:
    honest = world.network.services["authority.test"]
    world.network.services["authority.test"] = Instead("/v1/crl", b"", honest)  # nobody has a list
    alice, bob, chat = await pair(world, stack)
    await long_lived(world, alice)
    await alice.refresh(chat)  # any commit puts the new certificate into the leaf
    nothing = await said(alice, chat, "no status yet", bob)
    assert nothing.message.verification.verdict is Verdict.UNDECIDED

    world.clock.now += 61
    await alice.receive()  # fetches the response and puts it into the leaf
    stapled = await said(alice, chat, "here it is", bob)
    assert bob.steps.revocations.known is None
    verification = stapled.message.verification
    assert verification.verdict is Verdict.VERIFIED
    assert verification.evidence is not None
    assert verification.evidence.status is not None
    assert verification.evidence.status.state is StatusState.GOOD
    context = bob.steps.history.context(stapled.message)
    assert context.staple == staple.of_leaf(alice.steps.groups.engine.leaf_extensions)

    trusting = alice.steps.trusting
    await alice.worker.run(trusting.switch, Switches(code_leaves=False), alice.now())
    await alice.refresh(chat)  # a change of trust lets no commit drop it
    still = await said(alice, chat, "with another policy", bob)
    assert still.message.verification.verdict is Verdict.VERIFIED
