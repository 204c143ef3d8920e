"""A chat whose service may propose removals, the service's own part in it, and what its members make of that."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

import mls_rs

from client.defence.admission import Consent
from client.records.message import Kind
from client.session import Session
from client.steps.device import number_of
from delivery_service.service import Service
from identity.groups.eviction import Reason
from identity.number import TelephoneNumber

ALICE, BOB, CAROL = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4))
DAY = 86_400
LONG_AGO = 7 + 38 + 2  # days without a renewal until a member's certificate has ended for too long


class Table:
    """Alice, who founds the chat, Bob and Carol, each with a real session, and the service behind them."""

    def __init__(self, world, sessions: Sequence[Session], group_id: bytes) -> None:
        self.world = world
        self.alice, self.bob, self.carol = sessions
        self.group_id = group_id

    @classmethod
    async def of(cls, world, stack: AsyncExitStack, *, roles: bool = False, idle: int | None = None) -> "Table":
        sessions = await world.people(stack, ALICE, BOB, CAROL)
        admins = [ALICE] if roles else []
        chat = await sessions[0].create_chat("table", [BOB, CAROL], admins=admins, idle=idle)
        table = cls(world, sessions, chat.group_id)
        await table.read(*sessions)
        for session in sessions[1:]:
            await session.worker.run(session.steps.chats.set_consent, chat.group_id, Consent.INBOX, ALICE.e164)
        return table

    @property
    def service(self) -> Service:
        service: Service = self.world.network.services["delivery.test"].app.state.service
        return service

    async def read(self, *sessions: Session) -> None:
        for session in (*sessions, *sessions):
            await session.receive()

    async def days(self, count: int, *awake: Session) -> None:
        """Days pass, in which these people look in every day."""
        for _ in range(count):
            self.world.clock.now += DAY
            for session in awake:
                await session.receive()

    async def leaf(self, number: TelephoneNumber) -> int:
        members = await self.alice.worker.run(self.alice.steps.groups.members, self.group_id)
        return next(member.index for member in members if number_of(member) == number)

    async def claimed(self, number: TelephoneNumber, reason: Reason) -> None:
        """The service proposes to remove somebody for a reason, whether it holds or not."""
        async with self.service.observers.lock(self.group_id):
            now = self.service.now()
            await self.service.evictions.propose(self.group_id, await self.leaf(number), reason, now)

    async def numbers(self, session: Session) -> set[TelephoneNumber]:
        return set(await session.members(self.group_id))

    async def lines(self, session: Session) -> list[str]:
        """The notices of the chat."""
        return [each.text for each in await session.history(self.group_id) if each.kind is Kind.NOTICE]

    async def alarms(self, session: Session) -> list[str]:
        return [each.words for each in await session.worker.run(session.steps.alarms.all)]

    async def proposed(self, session: Session) -> list[mls_rs.Proposed]:
        group = await session.worker.run(session.steps.groups.copy, self.group_id)
        return group.proposals()
