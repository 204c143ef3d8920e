"""People in a chat, and one of them whose program commits what it likes: a poisoned commit, or one that others deny."""

import hashlib
from collections.abc import Sequence
from contextlib import AsyncExitStack

import mls_rs
import msgspec

from client.events import ChangeTakenBack, Event
from client.invitations import claim
from client.records.outbox import new_idempotency_key
from client.session import Session
from delivery_service.wire import Appended, CommitBundle, Entry
from delivery_service.wire.rollback import Rejection, RejectionCounted, Reported, Rollback
from identity.groups.rejected_commit import RejectedCommit
from identity.number import TelephoneNumber
from lab.poison import spoil

ALICE, BOB, CAROL, DAVE = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4, 5))


class Party:
    """People in one chat without roles; the first has founded it, and its log is settled by a word of the last."""

    def __init__(self, world, sessions: Sequence[Session], group_id: bytes) -> None:
        self.world = world
        self.sessions = sessions
        self.group_id = group_id

    @classmethod
    async def of(cls, world, stack: AsyncExitStack, *numbers: TelephoneNumber) -> "Party":
        sessions = await world.people(stack, *numbers)
        chat = await sessions[0].create_chat("party", numbers[1:])
        party = cls(world, sessions, chat.group_id)
        await party.all_receive()
        await sessions[-1].send(chat.group_id, "here")
        await party.all_receive()
        return party

    async def guest(self, stack: AsyncExitStack, number: TelephoneNumber) -> Session:
        """Somebody who is not in the chat yet, and can be reached."""
        await self.world.enrol(number)
        guest: Session = await stack.enter_async_context(self.world.open(number))
        await guest.receive()
        return guest

    async def all_receive(self) -> list[list[Event]]:
        return [await session.receive() for session in self.sessions]

    async def copy(self, session: Session) -> mls_rs.Group:
        """The session's group, to make with it what its program would not."""
        return await session.worker.run(session.steps.groups.copy, self.group_id)

    async def post(self, session: Session, pending: mls_rs.Pending, *, poisoned: bool) -> Appended:
        """Post a commit of the session's device, without its program; poisoned: nobody can apply it."""
        commit = pending.commit
        if poisoned:
            commit = spoil(await self.copy(session), commit)
        bundle = CommitBundle(commit, list(pending.welcomes), pending.group_info)
        return await session.delivery.commit(self.group_id, bundle, new_idempotency_key())

    async def poison(
        self, session: Session, *, add: Sequence[TelephoneNumber] = (), remove: Sequence[TelephoneNumber] = ()
    ) -> Appended:
        """Commit so that nobody can apply it."""
        group = await self.copy(session)
        packages = [each for number in add for each in await self.claim(session, number)]
        leaves = [each.index for each in group.members() if each.identity.split(b"/")[0].decode() in self.texts(remove)]
        pending = group.commit(session.now(), add=packages, remove=leaves, path=True)
        return await self.post(session, pending, poisoned=True)

    async def claim(self, session: Session, number: TelephoneNumber) -> list[bytes]:
        return await claim(session.delivery, session.steps.groups, session.worker, number, session.now())

    @staticmethod
    def texts(numbers: Sequence[TelephoneNumber]) -> set[str]:
        return {number.e164 for number in numbers}

    async def deny(self, session: Session, seq: int) -> RejectionCounted:
        """Report a commit as a liar does: it can be applied very well."""
        batch = await session.delivery.entries(self.group_id, seq - 1)
        return await session.delivery.reject(self.group_id, denial(session, self.group_id, batch.entries[0]))

    async def last_commit(self) -> Entry:
        """The last commit, as its maker reads it."""
        batch = await self.sessions[0].delivery.entries(self.group_id, 0)
        return [entry for entry in batch.entries if entry.kind == "commit"][-1]

    async def report(self, signer: Session, named: Session) -> Reported:
        """A report of the last commit, signed by one and in the name of another."""
        entry = await self.last_commit()
        made = denial(signer, self.group_id, entry)
        return Reported(named.steps.continuity.own, entry.seq, entry.epoch, made.commit, made.signature)

    async def rollback(self, epoch: int, reports: list[Reported]) -> Entry:
        """An entry that only the service has made."""
        entry = await self.last_commit()
        body = msgspec.msgpack.encode(Rollback(entry.seq, epoch, 2, reports))
        return Entry(entry.seq + 1, epoch, "rollback", "0" * 32, entry.at_ms, body)

    async def epochs(self) -> list[int]:
        return [(await session.find_chat(self.group_id.hex())).epoch for session in self.sessions]

    async def agree(self, *sessions: Session) -> None:
        """Everybody is in one epoch, with one authenticator, and reads what each of them writes."""
        sessions = sessions or tuple(self.sessions)
        marks = {await session.worker.run(session.steps.groups.authenticator, self.group_id) for session in sessions}
        assert len(marks) == 1, "a fork"
        for speaker in sessions:
            text = f"from {speaker.account.number}"
            message = await speaker.send(self.group_id, text)
            assert message.state == "delivered"
            for reader in sessions:
                if reader is not speaker:
                    await reader.receive()
                    assert text in [row.text for row in await reader.history(self.group_id)]

    async def words(self, session: Session) -> list[str]:
        """What the chat says about changes that were taken back."""
        rows = await session.history(self.group_id)
        return [row.text for row in rows if "taken back" in row.text]


def denial(session: Session, group_id: bytes, entry: Entry) -> Rejection:
    digest = hashlib.sha256(entry.body).digest()
    named = RejectedCommit(group_id, entry.epoch, entry.seq, digest)
    return Rejection(entry.seq, digest, named.sign(session.account.key))


def taken_back(events: Sequence[Event]) -> list[ChangeTakenBack]:
    return [event for event in events if isinstance(event, ChangeTakenBack)]


def stored(session: Session, table: str) -> int:
    """How many rows a table of the session's store has."""
    row = session.steps.store.row(f"SELECT count(*) FROM {table}")
    assert row is not None
    return int(row[0])
