"""Linking this device to a number that another one has: the other end of client.credentials.linking.

Until the account is stored, an attempt that ends leaves the folder as it was; one that is killed may leave an empty,
encrypted store. If the other device goes no further after that, the certificate is revoked and the account is deleted
again. If this one goes no further after that, the account stays, and its next session does what was left to do.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from client.credentials.account import Account, load_account, save_account
from client.credentials.acme_account import Certifier, new_acme_account
from client.credentials.enrolment import EnrolmentClient
from client.credentials.link_channel import LinkChannel
from client.credentials.link_code import LinkCode
from client.credentials.link_messages import AddedChat, Done, Grant, Hello, Offer, Ready
from client.credentials.meeting import Meeting
from client.credentials.token_authority import thumbprint
from client.defence.continuity import identity_of_key
from client.enrolling import store_key
from client.errors import AccountExistsError, ClientError, LinkError, NotEnrolledError
from client.failures import EXPECTED, Expected
from client.services.delivery import look_at_delivery
from client.session import COMMIT_JITTER, Session
from client.steps.wired import Steps
from client.storage.home import AccountLock, Home, write_private
from client.storage.keys import Argon2id
from client.storage.store import Store
from identity.authority.links.wire import SLOTS
from identity.binding import DeviceVerifier
from identity.certificates import TrustAnchors, public_point
from identity.device import spki_hash
from identity.number import TelephoneNumber

NEW = SLOTS[1]
CANCELLED = "it was cancelled on the new device"
DECLINED = "the person said no on the new device"
REASON_LIMIT = 150  # characters of what the other device is told
_WITHDRAWN = ("link-closed", "link-slot-taken")  # the other device goes no further

Keep = Callable[[str | None], Awaitable[None]]


class Onlooker(Protocol):
    """Who sits before the new device; what is raised here, and a cancellation, end the linking on both devices."""

    def compare(self, digits: str) -> None:
        """See the digits that the other device is to show as well."""

    async def agrees(self, number: TelephoneNumber, authority: str) -> bool:
        """Whether this is the number, and who certifies it, that this device is to have."""

    async def protect(self, keep: Keep) -> None:
        """Have the account kept under a passphrase, or with its key in the keyring if that is None.

        `keep` may be tried again after it has raised one of client.failures.EXPECTED.
        """

    def hear(self, words: str) -> None:
        """Learn what is going on."""


@dataclass(frozen=True, slots=True)
class Linked:
    """What came of it: the account, how many chats this device is in, and how many it did not come into.

    `finished`: whether the other device has said so; if not, it goes on by itself. `trouble`: what kept this
    device from its chats for now.
    """

    account: Account
    chats: int
    left_out: int
    finished: bool
    trouble: Expected | None = None


async def link_here(
    home: Path,
    code: LinkCode,
    onlooker: Onlooker,
    *,
    authority: str,
    name: str,
    cost: Argon2id | None = None,
    clock: Callable[[], float] = time.time,
    transport: httpx.AsyncBaseTransport | None = None,
    jitter: float = COMMIT_JITTER,
) -> Linked:
    """Meet the other device at the authority, get a certificate of its number, and come into its chats.

    `name`: what this device is to be called there. Raises AccountExistsError before anything is asked of anybody, and
    one of client.failures.EXPECTED, with nothing left behind, where it goes no further.
    """
    attempt = _Attempt(Home(home), onlooker, cost, clock, transport, jitter)

    def troubled(words: str) -> None:
        onlooker.hear(words or "It goes on")

    channel = LinkChannel(code.secret)
    async with Meeting(authority, channel, NEW, clock=clock, transport=transport, troubled=troubled) as meeting:
        with attempt.locked():
            account = await attempt.account(meeting, name)
        return await attempt.come_in(account, meeting)


@dataclass(slots=True)
class _Attempt:
    home: Home
    onlooker: Onlooker
    cost: Argon2id | None
    clock: Callable[[], float]
    transport: httpx.AsyncBaseTransport | None
    jitter: float
    passphrase: str | None = None
    store: Store | None = field(default=None, repr=False)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Own this folder, which must have no account; it is left as it was if none is stored."""
        self.home.create()
        with AccountLock(self.home):
            if self.home.anchors.exists() and self.home.database.exists():
                raise AccountExistsError(f"{self.home.folder} holds an account already")
            fresh = not self.home.key_file.exists()
            try:
                yield
            except BaseException:
                self._close()
                if fresh:
                    self._forget()
                raise
            self._close()

    async def account(self, meeting: Meeting, name: str) -> Account:
        """Say who this device is, be granted the number, have it certified, and store all that."""
        key = ec.generate_private_key(ec.SECP256R1())
        ordering = ec.generate_private_key(ec.SECP256R1())  # of the account that orders; never the certified key
        try:
            offer = await meeting.heard(Offer, wait=False)
            await meeting.say(Hello(name, public_point(key.public_key()), thumbprint(ordering)))
            self.onlooker.compare(meeting.comparison)
            grant = await meeting.heard(Grant)
            async with _told(meeting):
                store = await self._agreed(grant)
                account = await self._certified(grant, key, ordering)
                with store.transaction():
                    save_account(store, account)
                    self._remember(Steps.of(store, account, DeviceVerifier(_anchors(grant))), offer, grant)
                write_private(self.home.anchors, account.anchors)
        except BaseException as error:
            if not isinstance(error, EXPECTED):
                await meeting.end(CANCELLED)
            raise
        self.home.enrolment.unlink(missing_ok=True)
        return account

    async def _agreed(self, grant: Grant) -> Store:
        """Ask whether this is what the person wants, and how it is to be kept."""
        number = TelephoneNumber.from_digits(grant.number.removeprefix("+"))
        if not await self.onlooker.agrees(number, grant.authority):
            raise _DeclinedError(
                "nothing was changed",
                code="link-declined",
                hint="To begin again, show a new code on the device that has the number: ringtrue devices add",
            )
        await self.onlooker.protect(self._keep)
        assert self.store is not None, "the account is kept somewhere"
        return self.store

    async def _keep(self, passphrase: str | None) -> None:
        self._close()
        key = await asyncio.to_thread(store_key, self.home, passphrase, self.cost)
        self.passphrase, self.store = passphrase, Store.open(self.home.database, key)
        _require_no_account(self.store, self.home)

    async def _certified(
        self, grant: Grant, key: ec.EllipticCurvePrivateKey, ordering: ec.EllipticCurvePrivateKey
    ) -> Account:
        number = TelephoneNumber.from_digits(grant.number.removeprefix("+"))
        anchors = _anchors(grant)
        self.onlooker.hear("Getting a certificate")
        status = await look_at_delivery(grant.delivery, self.transport)
        certifier = Certifier(grant.directory, grant.token_authority, grant.accepts_terms)
        acme = new_acme_account(grant.authority, ordering, certifier)
        async with EnrolmentClient(grant.authority, clock=self.clock, transport=self.transport, acme=acme) as issuing:
            enrolled = await issuing.certify_by_token(grant.token, key, number, anchors)
        pem = b"".join(root.public_bytes(Encoding.PEM) for root in anchors.roots)
        where = (issuing.base_url, grant.delivery, status.host)
        return Account(number, key, enrolled.chain, *where, pem, issuing.acme)

    def _remember(self, steps: Steps, offer: Offer, grant: Grant) -> None:
        """Know the number's other devices, and whom the person knows, as the other device does."""
        number, now = steps.groups.account.number, int(self.clock())
        others = {
            identity_of_key(number, spki_hash(offer.key)),
            *(f"{number.e164}/{key}".encode() for key in grant.siblings),
        }
        for identity in others - {steps.continuity.own}:
            steps.continuity.link_own(identity, now)
        contacts = steps.groups.contacts
        for each in grant.contacts:
            person = TelephoneNumber.from_digits(each.number.removeprefix("+"))
            if each.accepted:
                contacts.accept(person)
            if each.blocked:
                contacts.block(person)
            if each.name:
                contacts.name(person, each.name)

    async def come_in(self, account: Account, meeting: Meeting) -> Linked:
        """Publish key packages, say so, and join the chats that the other device adds this one to."""
        try:
            async with self._session() as session:
                self.onlooker.hear("Making key packages")
                await session.maintain()
                withdrawn = await self._withdrawn(meeting)
                if withdrawn is None:
                    self.onlooker.hear("Coming into the chats")
                    return await self._joined(session, meeting)
        except EXPECTED as error:
            return Linked(account, 0, 0, finished=False, trouble=error)
        await self._undo(account)
        words = f"{withdrawn}; this device's certificate was given back, and nothing was kept"
        raise LinkError(words, code=withdrawn.code) from withdrawn

    async def _withdrawn(self, meeting: Meeting) -> LinkError | None:
        """Say that this device is ready; why the other one does not want to hear it, if it does not."""
        try:
            await meeting.say(Ready())
        except LinkError as error:
            if error.code in _WITHDRAWN:
                return error
            self.onlooker.hear(f"The other device could not be told: {error}")
        return None

    async def _joined(self, session: Session, meeting: Meeting) -> Linked:
        try:
            done = await meeting.heard(Done)
        except LinkError:  # the other device goes on without this one's hearing of it
            await session.sync()
            return Linked(session.account, len(await session.chats()), 0, finished=False)
        await session.sync()
        await session.worker.run(_name_chats, session.steps, done.chats)
        return Linked(session.account, len(await session.chats()), done.left_out, finished=True)

    async def _undo(self, account: Account) -> None:
        async with EnrolmentClient(
            account.authority, clock=self.clock, transport=self.transport, acme=account.acme
        ) as issuing:
            with suppress(ClientError):  # without its key the certificate is of no use to anybody
                await issuing.revoke(account.key, account.chain)
        self._forget()

    def _forget(self) -> None:
        for path in (self.home.database, self.home.key_file, self.home.anchors, self.home.trust_policy):
            path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self.store is not None:
            self.store.close()
            self.store = None

    def _session(self) -> AbstractAsyncContextManager[Session]:
        return Session.open(
            self.home.folder, self.passphrase, clock=self.clock, transport=self.transport, jitter=self.jitter
        )


class _DeclinedError(LinkError):
    """The person said no on this device."""


@asynccontextmanager
async def _told(meeting: Meeting) -> AsyncIterator[None]:
    """Tell the other device what went wrong here."""
    try:
        yield
    except EXPECTED as error:
        await meeting.end(DECLINED if isinstance(error, _DeclinedError) else str(error)[:REASON_LIMIT])
        raise


def _require_no_account(store: Store, home: Home) -> None:
    try:
        account = load_account(store)
    except NotEnrolledError:
        return
    raise AccountExistsError(f"{home.folder} holds the account of {account.number} already")


def _anchors(grant: Grant) -> TrustAnchors:
    anchors = TrustAnchors.from_pem(grant.anchors)
    if not anchors.roots:
        raise LinkError("the other device named no roots to trust", code="link-version")
    return anchors


def _name_chats(steps: Steps, chats: list[AddedChat]) -> None:
    """Call chats what the other device calls them, and keep to their timers."""
    with steps.store.transaction():
        for each in chats:
            if steps.chats.get(each.group) is not None:
                steps.chats.set_timer(each.group, each.timer)
                if "+" not in each.name:  # a chat without a name is called by its numbers here as there
                    steps.chats.rename(each.group, each.name)
        for chat in steps.chats.all():
            if chat.direct and "+" in chat.name:  # another one may have had this name until now
                steps.chats.unname(chat.group_id, str(TelephoneNumber.from_digits(chat.direct.removeprefix("+"))))
