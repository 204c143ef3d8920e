"""The port-out drill: a number moves to a new holder, over real services and by the operator's own command."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TypeVar

import mls_rs
import pytest
from click.testing import CliRunner

from client.errors import ClientError, NewKeyError, ServiceError
from client.events import Event, MessageReceived, Trouble
from client.records.outbox import new_idempotency_key
from client.session import Session
from client.steps.device import make_engine, number_of
from delivery_service.wire import CommitBundle
from identity.authority.cli import authority as command
from identity.binding import Verdict
from identity.number import TelephoneNumber
from identity.status.revocation import Reason, StatusState
from lab.world import World

MOVING, BOB, CAROL = "+12025550142", "+12025550143", "+12025550144"
NUMBER = TelephoneNumber.parse(MOVING)
LISTED = 901  # seconds until a client fetches the next list
LIFE = 7 * 86_400 + 60  # seconds, longer than a certificate lives

E = TypeVar("E", bound=Event)


@dataclass
class Drill:
    """The old holder of a number in a chat with Bob and Carol; `port_out` lets the number go."""

    world: World
    old: Session
    bob: Session
    carol: Session
    chat: bytes

    def port_out(self) -> str:
        arguments = ["port-out", MOVING, "--data-dir", str(self.world.folder / "authority")]
        result = CliRunner().invoke(command, arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    async def said(self, words: str, listener: Session) -> MessageReceived:
        """The old holder writes, and somebody reads."""
        await self.old.send(self.chat, words)
        return (await told(listener, MessageReceived))[-1]

    async def newcomer(self) -> Session:
        return await self.world.person("new holder", MOVING)


async def told(session: Session, kind: type[E]) -> list[E]:
    return [event for event in await session.receive() if isinstance(event, kind)]


@pytest.fixture
async def drill() -> AsyncIterator[Drill]:
    async with World() as world:
        old, bob, carol = [
            await world.person(name, number)
            for name, number in (("old holder", MOVING), ("bob", BOB), ("carol", CAROL))
        ]
        chat = await old.create_chat("before", [bob.account.number, carol.account.number])
        for contact in (bob, carol):
            await contact.receive()
            await contact.create_chat(None, [NUMBER])  # so they have met the old holder
        await old.receive()
        yield Drill(world, old, bob, carol, chat.group_id)


async def test_the_old_certificate_stops_verifying_with_the_next_list(drill: Drill) -> None:
    assert (await drill.said("mine", drill.bob)).message.verification.verdict is Verdict.VERIFIED
    printed = drill.port_out()
    assert "privilegeWithdrawn" in printed
    assert "forgotten what 1 key had proved" in printed

    drill.world.clock.advance(LISTED)
    failed = (await drill.said("still mine?", drill.bob)).message.verification.failed_check
    assert failed is not None
    assert (failed.number, failed.code) == (13, 437)
    status = drill.bob.steps.revocations.status(drill.old.account.chain, drill.bob.now())
    assert (status.state, status.reason) == (StatusState.REVOKED, Reason.privilege_withdrawn)


async def test_without_any_list_it_stops_verifying_with_its_lifetime(drill: Drill) -> None:
    drill.port_out()
    drill.world.clock.advance(LIFE)
    with pytest.raises(ClientError) as refused:
        await drill.old.send(drill.chat, "for ever mine")
    assert refused.value.code in ("certificate-ended", "chain-refused")
    assert not await told(drill.bob, MessageReceived)


async def test_the_old_holder_cannot_renew_and_is_told_why(drill: Drill) -> None:
    drill.port_out()
    drill.world.clock.advance(LIFE // 7 * 6)  # renewal is due
    chain = drill.old.account.chain
    troubles = await told(drill.old, Trouble)
    assert {"certificate-revoked", "chain-refused"} <= {event.code for event in troubles}
    assert drill.old.account.chain == chain


async def test_the_new_holder_enrols_by_code_and_is_a_new_person_to_everyone(drill: Drill) -> None:
    await drill.said("mine", drill.bob)
    drill.port_out()
    drill.world.clock.advance(LISTED)
    newcomer = await drill.newcomer()
    assert newcomer.account.number == NUMBER
    assert newcomer.account.point() != drill.old.account.point()

    for contact in (drill.bob, drill.carol):
        await contact.receive()
        with pytest.raises(NewKeyError):
            await contact.create_chat("again", [NUMBER])

    hello = await newcomer.create_chat("hello", [drill.bob.account.number])
    await newcomer.send(hello.group_id, "I have this number now")
    (received,) = [
        event for event in await told(drill.bob, MessageReceived) if event.message.group_id == hello.group_id
    ]
    assert received.message.verification.verdict is Verdict.VERIFIED  # it is their number
    assert received.message.place == "request"  # and nobody whom Bob knows


async def test_the_new_holder_is_in_none_of_the_old_chats_and_cannot_rejoin_one(drill: Drill) -> None:
    drill.port_out()
    newcomer = await drill.newcomer()
    assert drill.chat not in [chat.group_id for chat in await newcomer.chats()]
    with pytest.raises(ServiceError):
        await newcomer.delivery.entries(drill.chat, 0)

    group = await drill.bob.worker.run(drill.bob.steps.groups.copy, drill.chat)
    (leaf,) = [member.index for member in group.members() if number_of(member) == NUMBER]
    engine = make_engine(newcomer.account, newcomer.steps.groups.verifier)
    _, commit, after = engine.external_join(group.group_info(), newcomer.now(), remove=leaf)
    with pytest.raises(ServiceError) as refused:
        await newcomer.delivery.commit(drill.chat, CommitBundle(commit, [], after), new_idempotency_key())
    assert refused.value.code == "not-allowed"
    await drill.bob.receive()
    assert await own_keys(drill.bob, drill.chat) == {drill.old.account.point()}


async def own_keys(session: Session, chat: bytes) -> set[bytes]:
    """The keys under the moving number in a chat."""
    members: list[mls_rs.Member] = await session.worker.run(session.steps.groups.members, chat)
    return {member.signature_key for member in members if number_of(member) == NUMBER}
