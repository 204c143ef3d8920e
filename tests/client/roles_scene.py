"""People in a chat with roles: real sessions, and what a program that judges nothing of its own would post."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import mls_rs
import msgspec

from client.events import Gap, MembersChanged, MessageReceived
from client.invitations import claim
from client.session import Session
from delivery_service.wire import Entry
from identity.groups.roles import with_admins
from identity.number import TelephoneNumber
from tests.client.test_lying_service import Liar

ALICE, BOB, CAROL, DAVE = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4, 5))


class Party:
    """People in one chat with roles, the first of them its founder, each with a real session."""

    def __init__(self, world, sessions: Sequence[Session], group_id: bytes) -> None:
        self.world = world
        self.sessions = sessions
        self.group_id = group_id

    @classmethod
    async def of(
        cls, world, stack: AsyncExitStack, *numbers: TelephoneNumber, admins: Sequence[TelephoneNumber] = (ALICE,)
    ) -> "Party":
        sessions = await world.people(stack, *numbers)
        chat = await sessions[0].create_chat("roles", numbers[1:], admins=admins)
        party = cls(world, sessions, chat.group_id)
        await party.all_receive()
        return party

    async def all_receive(self) -> None:
        for session in (*self.sessions, *self.sessions):
            await session.receive()

    async def admins(self, session: Session) -> set[TelephoneNumber] | None:
        admins = await session.worker.run(session.steps.groups.admins, self.group_id)
        return None if admins is None else set(admins)

    async def forged(self, session: Session, make: Callable[[mls_rs.Group, int], bytes]) -> bytes:
        """What a program that does not judge its own handshakes would post."""

        def forge() -> bytes:
            with session.steps.groups.step(self.group_id) as step:
                return make(step.group, int(self.world.clock()))

        return await session.worker.run(forge)

    async def committed(self, session: Session, **changes: object) -> bytes:
        return await self.forged(session, lambda group, now: group.commit(now, **changes).commit)

    async def leaf(self, number: TelephoneNumber) -> int:
        members = await self.sessions[0].worker.run(self.sessions[0].steps.groups.members, self.group_id)
        return next(member.index for member in members if member.identity.startswith(number.e164.encode()))

    async def refuses(self, liar: Liar, victim: Session, intrusion: bytes, code: str) -> None:
        """A service that lets everything pass hands the intrusion out: it is a gap, and the chat goes on without it."""
        before = await self.admins(victim), await victim.members(self.group_id)
        speaker = next(session for session in self.sessions if session is not victim)
        await speaker.send(self.group_id, "still here")

        def intrude(entries: list[Entry]) -> list[Entry]:
            first = entries[0]
            made_up = msgspec.structs.replace(first, kind="commit", idempotency_key="0" * 32, body=intrusion)
            return [made_up, *(msgspec.structs.replace(entry, seq=entry.seq + 1) for entry in entries)]

        liar.lie = intrude
        events = await victim.receive()
        liar.lie = None
        assert [event.code for event in events if isinstance(event, Gap)] == [code]
        assert [event.message.text for event in events if isinstance(event, MessageReceived)] == ["still here"]
        assert not [event for event in events if isinstance(event, MembersChanged)]
        assert (await self.admins(victim), await victim.members(self.group_id)) == before


async def claimed(session: Session, number: TelephoneNumber, now: int) -> list[bytes]:
    return await claim(session.delivery, session.steps.groups, session.worker, number, now)


def listing(*admins: TelephoneNumber) -> list[tuple[int, bytes]]:
    return with_admins([], admins)
