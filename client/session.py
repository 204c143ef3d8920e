"""A session: one open account, its chats, and everything that may be done with them. Knows no screen."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Self

import httpx

from client.catching_up import CatchingUp, Connected
from client.credentials.account import Account, load_account
from client.credentials.devices import Devices
from client.credentials.enrolment import EnrolmentClient
from client.credentials.linking import Linking
from client.credentials.revocation_refresh import RevocationRefresh
from client.credentials.revocations import KnownCrl
from client.credentials.trust import load_trust
from client.defence.reaching import Reaching
from client.defence.reporting import check_words
from client.defence.status_refresh import StatusRefresh
from client.defence.statuses import KnownList
from client.errors import (
    ChatError,
    GroupRefusedError,
    NotEnrolledError,
    RateLimitedError,
    UnreachableError,
)
from client.events import Event, IntentSettled, Trouble
from client.exchange import Exchange
from client.invitations import Claims
from client.records.chats import Chat
from client.records.intents import AddMembers, Body, RefreshKeys, RemoveDevice, RemoveMembers
from client.records.message import Message
from client.resetting import Resetting
from client.services.delivery import DeliveryClient
from client.steps.device import number_of
from client.steps.wired import Steps
from client.storage.home import AccountLock, Home
from client.storage.keys import open_key
from client.storage.store import Store
from client.transfers.downloading import Downloads
from client.transfers.rows import TransferRows
from client.transfers.spool import Spool
from client.transfers.uploading import Uploads
from client.upkeep import Upkeep
from client.worker import Worker
from delivery_service.wire.ending import DataDeleted, DataDeletion
from identity.authority.wire import APPEAL_LIMIT, ReportTaken, Standing
from identity.binding import DeviceVerifier
from identity.number import TelephoneNumber
from identity.reports.report import ReportKind

ADDED_AT_ONCE = 64  # members that one commit adds
COMMIT_JITTER = 1.0  # seconds


class Session:
    """One account in use by this process. All times come from `clock`; every event is told after it is stored."""

    def __init__(
        self,
        steps: Steps,
        worker: Worker,
        delivery: DeliveryClient,
        *,
        clock: Callable[[], float],
        transport: httpx.AsyncBaseTransport | None,
        jitter: float,
        spool: Spool,
    ) -> None:
        self.steps = steps
        self.delivery = delivery
        self.worker = worker
        self._clock = clock
        self._transport = transport
        self._exchange = Exchange(steps, delivery, worker, clock=clock, jitter=jitter, tell=self._tell)
        self._upkeep = Upkeep(steps, delivery, worker, clock=clock, transport=transport, tell=self._tell)
        self.reaching = Reaching(steps, delivery, worker, clock=clock, tell=self._tell)
        self._statuses = StatusRefresh(steps, worker, clock=clock, transport=transport, tell=self._tell)
        self._revocations = RevocationRefresh(steps, worker, clock=clock, transport=transport, tell=self._tell)
        self.devices = Devices(
            steps,
            delivery,
            worker,
            clock=clock,
            transport=transport,
            change=self._change,
            drive=self.drive,
            tell=self._tell,
        )
        self.linking = Linking(steps, self.devices, worker, clock=clock, transport=transport)
        self._claims = Claims(steps, delivery, worker, self.reaching, now=self._now, wake=self._wake)
        self._resetting = Resetting(
            steps.endings,
            steps.committer,
            delivery,
            self._exchange,
            worker,
            claim=self._claims.of,
            batches=_batches,
            tell=self._tell,
        )
        rows = TransferRows(steps.store)
        self.uploads = Uploads(
            steps, rows, delivery.blobs, worker, spool, clock=clock, tell=self._tell, drive=self.drive
        )
        self.downloads = Downloads(rows, delivery.blobs, worker, spool, clock=clock)
        self._catching_up = CatchingUp(
            delivery,
            self._exchange,
            self._upkeep,
            self._statuses,
            self._revocations,
            self.reaching,
            self._resetting,
            self.devices,
            self.uploads,
            now=self._now,
            wake=self._wake,
            tell=self._tell,
        )
        self._listeners: set[Callable[[Event], None]] = set()
        self._outcomes: dict[int, IntentSettled | None] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        home: Path,
        passphrase: str | None,
        *,
        clock: Callable[[], float] = time.time,
        transport: httpx.AsyncBaseTransport | None = None,
        jitter: float = COMMIT_JITTER,
    ) -> AsyncIterator[Self]:
        """Open an account; `passphrase` is None if the system's keyring holds the store's key. Raises AccountError."""
        place = Home(home)
        with contextlib.ExitStack() as closing:
            steps = closing.enter_context(_opened(place, passphrase))
            worker = Worker()
            closing.callback(worker.stop)  # before the store closes: a step that was begun still uses it
            account = steps.groups.account

            async def opening() -> list[str]:
                return await worker.run(steps.watch.opening, int(clock()))

            async with DeliveryClient(
                account.delivery, account.key, account.chain, clock=clock, transport=transport, opening=opening
            ) as delivery:
                await worker.run(steps.continuity.begin, int(clock()))
                spool = Spool(place.folder / "transfers")
                session = cls(steps, worker, delivery, clock=clock, transport=transport, jitter=jitter, spool=spool)
                try:
                    yield session
                finally:
                    await session.uploads.close()

    @property
    def account(self) -> Account:
        """The account's number, key, chain and services."""
        return self.steps.groups.account

    def now(self) -> int:
        """The present second."""
        return int(self._clock())

    async def franking_key(self) -> bytes:
        """The franking key that the delivery service shows now. Raises ClientError."""
        return (await self.delivery.status()).franking_key

    async def authority_clock(self) -> int:
        """The second that it is at the authority. Raises ClientError."""
        async with EnrolmentClient(self.account.authority, transport=self._transport) as authority:
            return (await authority.status()).now

    async def chats(self) -> list[Chat]:
        """Every chat, by name."""
        return await self.worker.run(self.steps.chats.all)

    async def find_chat(self, name: str) -> Chat:
        """The chat that a person means. Raises ChatError."""
        return await self.worker.run(self.steps.chats.find, name)

    async def history(self, group_id: bytes, limit: int = 1000) -> list[Message]:
        """The last messages, gaps and notices of a chat, oldest first."""
        return await self.worker.run(self.steps.history.chat, group_id, limit)

    async def members(self, group_id: bytes) -> list[TelephoneNumber]:
        """The number of each member device. Raises ChatError."""
        members = await self.worker.run(self.steps.groups.members, group_id)
        return sorted(map(number_of, members))

    async def create_chat(
        self,
        name: str | None,
        numbers: Sequence[TelephoneNumber],
        *,
        admins: Sequence[TelephoneNumber] = (),
        new_keys: bool = False,
        idle: int | None = None,
    ) -> Chat:
        """Create a chat with these people, who become contacts; without a name it is called by their numbers.

        With `admins` it has roles. Raises NotFoundError if one of the people has not enrolled, and NewKeyError, unless
        `new_keys` are wanted, if a number that this account knows is on a key that it has not met; a chat without a
        name is then with the new keys alone. `idle`: seconds after which the service may propose to remove a device.
        """
        key_packages, unheard = await self._claims.of_all(numbers, new_keys)
        if new_keys and name is None:
            key_packages = await self.worker.run(self.steps.continuity.apart_of, key_packages, self._now())
        own = await self.devices.packages()
        create = self.steps.committer.create
        called = ", ".join(map(str, numbers)) if name is None else name
        group_id, intents = await self.worker.run(
            partial(create, idle=idle),
            called,
            _batches([*own, *key_packages]),
            self._now(),
            admins,
            named=name is not None,
        )
        await self.worker.run(self.steps.siblings.want_in, group_id)
        await self._know(numbers)
        await self._carry_out(group_id, intents)
        await self._catching_up.trying(self.devices.extend())
        await self.worker.run(self.steps.continuity.set_apart, group_id, self._now())
        self._tell(Trouble(group_id, error, error.code, str(error)) for error in unheard)
        return await self.worker.run(self.steps.chats.known, group_id)

    async def add(self, group_id: bytes, numbers: Sequence[TelephoneNumber], *, new_keys: bool = False) -> None:
        """Add people to a chat. Raises ChatError if they are in it, GroupRefusedError if it cannot be done.

        Raises NewKeyError as `create_chat` does.
        """
        present = set(await self.members(group_id))
        absent = [number for number in numbers if number not in present]
        if not absent:
            raise ChatError("they are members of this chat already", code="already-members")
        key_packages, unheard = await self._claims.of_all(absent, new_keys)
        await self._change(group_id, _batches(key_packages))
        await self._know(absent)
        self._tell(Trouble(group_id, error, error.code, str(error)) for error in unheard)

    async def add_again(self, group_id: bytes, number: TelephoneNumber) -> None:
        """Remove a member and add them anew; nothing is changed if they could not be added. Raises as `add` does."""
        key_packages, _ = await self._claims.of_all([number], False)
        await self.remove(group_id, [number])
        await self._change(group_id, _batches(key_packages))

    async def remove(self, group_id: bytes, numbers: Sequence[TelephoneNumber]) -> None:
        """Remove every device of these numbers. Raises ChatError if none is a member."""
        if not set(numbers) & set(await self.members(group_id)):
            raise ChatError("they are not members of this chat", code="unknown-member")
        await self._change(group_id, [RemoveMembers([number.e164 for number in numbers])])

    async def remove_device(self, group_id: bytes, identity: bytes) -> None:
        """Remove one device of a number. Raises ChatError if it is not in the chat."""
        members = await self.worker.run(self.steps.groups.members, group_id)
        if identity not in (member.identity for member in members):
            raise ChatError("that device is not in this chat", code="unknown-member")
        await self._change(group_id, [RemoveDevice(identity)])

    async def set_admin(self, group_id: bytes, number: TelephoneNumber, *, admin: bool) -> None:
        """Make a member an admin, or an admin a member. Raises ChatError, and GroupRefusedError if it is forbidden."""
        want = self.steps.committer.want_admin
        await self._carry_out(group_id, await self.worker.run(want, group_id, number, admin=admin))

    async def refresh(self, group_id: bytes) -> None:
        """Replace this device's keys in a chat (RFC 9420 §7.5)."""
        await self._change(group_id, [RefreshKeys()])

    async def leave(self, group_id: bytes) -> None:
        """Ask to be taken out; the chat closes when another member's client has committed it.

        The person leaves: their other devices are taken out first.
        """
        await self._wake()
        await self._exchange.drive(group_id)
        await self.worker.run(self.steps.committer.check_leaving, group_id)
        others = await self.worker.run(self.steps.siblings.own_in, group_id)
        if others:
            await self._change(group_id, [RemoveDevice(identity) for identity in others])
        if await self.worker.run(self.steps.endings.leave, group_id) is not None:
            await self._exchange.drive(group_id)
        else:
            await self._catching_up.trying(self._resetting.run())

    async def reset(self, group_id: bytes) -> Chat:
        """Begin a chat anew with the same people and roles; the old one ends, and names the new one.

        Raises ChatError if this account may not, or if somebody else was first.
        """
        await self._wake()
        await self._catching_up.trying(self._exchange.read(group_id))
        new = await self.worker.run(self.steps.endings.begin_reset, group_id, self._now())
        await self.worker.run(self.steps.siblings.want_in, new)
        await self._end(group_id)
        await self._catching_up.trying(self.devices.extend())
        return await self.worker.run(self.steps.chats.known, new)

    async def delete_chat(self, group_id: bytes) -> None:
        """Have a chat deleted at the service, after a notice to those who are in it. Raises ChatError."""
        await self._wake()
        await self._catching_up.trying(self._exchange.read(group_id))
        await self.worker.run(self.steps.endings.begin_closing, group_id)
        await self._end(group_id)

    async def delete_service_data(self, *, number: bool) -> DataDeleted:
        """Delete what the delivery service keeps for this device, and for the number if that is wanted."""
        return await self.delivery.delete_data(DataDeletion("number" if number else "device"))

    async def _end(self, group_id: bytes) -> None:
        due = await self.worker.run(self.steps.endings.due, group_id)
        if due is not None:
            await self._resetting.end(due)

    async def send(self, group_id: bytes, body: str) -> Message:
        """Send a text; without network it waits in the outbox. The result's `state` says how far it has come."""
        message = await self.worker.run(self.steps.sender.queue_text, group_id, body, self._now())
        with contextlib.suppress(UnreachableError, RateLimitedError):
            await self.drive(group_id)
        return await self.worker.run(self.steps.history.get, message.id)

    async def drive(self, group_id: bytes) -> None:
        """Post what waits in a chat, and read what the service made of it. Raises what a later attempt may cure."""
        await self._wake()
        await self._exchange.drive(group_id)

    async def receive(self) -> list[Event]:
        """Bring everything up to date once; returns what happened."""
        with self.listening() as events:
            await self.sync()
            return [events.get_nowait() for _ in range(events.qsize())]

    async def sync(self) -> None:
        """Read and post whatever there is, and look after key packages and the certificate when that is due.

        Trouble of a single chat is an event and stops nothing else; raises only what concerns the services.
        """
        await self._catching_up.once()

    async def follow(self, connected: Connected = lambda _: None) -> AsyncGenerator[Event]:
        """Stay up to date for ever, telling each event as it comes; close it with `aclosing`.

        Passing troubles are events; raises only what makes going on pointless, such as a refused certificate.
        `connected` hears of every answer of the stream, and of what interrupted it.
        """
        told: asyncio.Queue[Event | None] = asyncio.Queue()
        self._listeners.add(told.put_nowait)
        following = asyncio.create_task(self._catching_up.follow(connected))
        following.add_done_callback(lambda _: told.put_nowait(None))
        try:
            while (event := await told.get()) is not None:
                yield event
            following.result()
        finally:
            self._listeners.discard(told.put_nowait)
            following.cancel()
            await asyncio.wait((following,))

    @contextmanager
    def listening(self) -> Iterator[asyncio.Queue[Event]]:
        """A queue of every event from now on, whichever call brings it about."""
        events: asyncio.Queue[Event] = asyncio.Queue()
        self._listeners.add(events.put_nowait)
        try:
            yield events
        finally:
            self._listeners.discard(events.put_nowait)

    def add_listener(self, listener: Callable[[Event], None]) -> None:
        """Tell every event from now on."""
        self._listeners.add(listener)

    def remove_listener(self, listener: Callable[[Event], None]) -> None:
        """Tell no more."""
        self._listeners.discard(listener)

    async def maintain(self) -> None:
        """Renew the certificate and refill the key packages now if they need it."""
        await self._upkeep.run(now=True)
        await self._statuses.run()
        await self._revocations.run()

    async def refresh_statuses(self) -> KnownList:
        """Fetch the authority's list of statuses now. Raises ClientError."""
        return await self._statuses.now()

    async def refresh_revocations(self) -> KnownCrl | None:
        """Fetch the authority's list of revocations now; None if there is none to be had. Raises ClientError."""
        return await self._revocations.now()

    async def report(
        self, rows: Sequence[int], kind: ReportKind, note: str = "", *, by_frank: bool = False, shown: str = ""
    ) -> ReportTaken:
        """Report messages to the authority that certified this number. Raises ChatError, ReportRefusedError.

        `shown`: the SHA-256 of the evidence that the person has seen, in hex; other evidence is not sent.
        """
        reporting, account = self.steps.reporting, self.account
        prepared = await self.worker.run(reporting.prepare, rows, kind, note, by_frank=by_frank)
        prepared.check_shown(shown)
        report = await self.worker.run(reporting.sign, prepared, account.authority, self._now())
        async with self._authority() as authority:
            taken = await authority.report(report)
        await self.worker.run(reporting.made, prepared, taken, self._now())
        return taken

    async def standing(self, appeal: str = "") -> Standing:
        """What counts against one's own number at its authority; a text appeals. Raises ServiceError, ChatError."""
        check_words(appeal, APPEAL_LIMIT)
        async with self._authority() as authority:
            return await authority.standing(self.account.key, self.account.chain, appeal)

    def _authority(self) -> EnrolmentClient:
        return EnrolmentClient(self.account.authority, clock=self._clock, transport=self._transport)

    async def _wake(self) -> None:
        """Renew first if the certificate has ended: the services refuse whoever slept for so long."""
        if self._now() > self.account.validity()[1]:
            await self._upkeep.run()

    async def _know(self, numbers: Sequence[TelephoneNumber]) -> None:
        for number in numbers:  # whom a person adds is no stranger to them
            await self.worker.run(self.steps.groups.contacts.accept, number)
        await self._catching_up.trying(self.reaching.settle())

    async def _change(self, group_id: bytes, bodies: Sequence[Body]) -> None:
        await self._carry_out(group_id, await self.worker.run(self.steps.committer.want, group_id, bodies))

    async def _carry_out(self, group_id: bytes, intents: Sequence[int]) -> None:
        await self._wake()
        self._outcomes.update(dict.fromkeys(intents))
        try:
            await self._exchange.drive(group_id)
        finally:
            outcomes = [self._outcomes.pop(intent) for intent in intents]
        refused = [outcome for outcome in outcomes if outcome is not None and outcome.outcome == "refused"]
        if refused:
            raise GroupRefusedError(refused[0].why, code=refused[0].code)

    def _tell(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, IntentSettled) and event.intent in self._outcomes:
                self._outcomes[event.intent] = event
            for listener in self._listeners:
                listener(event)

    def _now(self) -> int:
        return int(self._clock())


def _batches(key_packages: Sequence[bytes]) -> list[Body]:
    return [
        AddMembers(list(key_packages[start : start + ADDED_AT_ONCE]))
        for start in range(0, len(key_packages), ADDED_AT_ONCE)
    ]


@contextmanager
def _opened(home: Home, passphrase: str | None) -> Iterator[Steps]:
    if not home.database.exists():
        raise NotEnrolledError(f"there is no account in {home.folder}")
    with AccountLock(home):
        store = Store.open(home.database, open_key(home, passphrase))
        try:
            account = load_account(store)
            yield Steps.of(store, account, DeviceVerifier(load_trust(store)))
        finally:
            store.close()
