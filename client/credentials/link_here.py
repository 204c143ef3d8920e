"""Linking this device to a number that another one has: the other end of client.credentials.linking.

Until the account is stored nothing is left of an attempt but an empty, encrypted store. If the other device goes no
further after that, the certificate is revoked and the account is deleted again.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from client.account import Account, load_account, save_account
from client.credentials.acme_account import Certifier, new_acme_account
from client.credentials.link_channel import LinkChannel
from client.credentials.link_code import LinkCode
from client.credentials.link_messages import AddedChat, Done, Grant, Hello, Offer, Ready
from client.credentials.meeting import Meeting
from client.credentials.token_authority import thumbprint
from client.defence.continuity import identity_of_key
from client.delivery import look_at_delivery
from client.enrolling import store_key
from client.enrolment import EnrolmentClient
from client.errors import AccountExistsError, ClientError, LinkError, NotEnrolledError
from client.home import AccountLock, Home, write_private
from client.keys import Argon2id
from client.session import COMMIT_JITTER, Session
from client.steps import Steps
from client.store import Store
from identity.authority.links.wire import SLOTS
from identity.binding import DeviceVerifier
from identity.certificates import TrustAnchors, public_point
from identity.device import spki_hash
from identity.errors import IdentityError
from identity.number import TelephoneNumber

NEW = SLOTS[1]
CANCELLED = "it was cancelled on the new device"
DECLINED = "the person said no on the new device"
_WITHDRAWN = ("link-closed", "link-slot-taken")  # the other device goes no further


class Onlooker(Protocol):
    """Who sits before the new device."""

    def compare(self, digits: str) -> None:
        """See the digits that the other device is to show as well."""

    async def agrees(self, number: TelephoneNumber, authority: str) -> bool:
        """Whether this is the number, and who certifies it, that this device is to have."""

    def hear(self, words: str) -> None:
        """Learn what is going on."""


@dataclass(frozen=True, slots=True)
class Linked:
    """What came of it: the account, how many chats this device is in, and how many it did not come into.

    `finished`: whether the other device has said so; if not, it goes on by itself.
    """

    account: Account
    chats: int
    left_out: int
    finished: bool


async def link_here(
    home: Path,
    passphrase: str | None,
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
    LinkError, with nothing left behind, where it goes no further.
    """
    attempt = _Attempt(Home(home), passphrase, onlooker, cost, clock, transport, jitter)

    def troubled(words: str) -> None:
        if words:
            onlooker.hear(words)

    channel = LinkChannel(code.secret)
    async with Meeting(authority, channel, NEW, clock=clock, transport=transport, troubled=troubled) as meeting:
        with attempt.empty_store() as store:
            try:
                account = await attempt.account(store, meeting, authority, name)
            except asyncio.CancelledError:
                await meeting.end(CANCELLED)
                raise
        return await attempt.come_in(account, meeting)


@dataclass(frozen=True, slots=True)
class _Attempt:
    home: Home
    passphrase: str | None
    onlooker: Onlooker
    cost: Argon2id | None
    clock: Callable[[], float]
    transport: httpx.AsyncBaseTransport | None
    jitter: float

    @contextmanager
    def empty_store(self) -> Iterator[Store]:
        """The store of this folder, which must have no account."""
        self.home.create()
        with AccountLock(self.home):
            store = Store.open(self.home.database, store_key(self.home, self.passphrase, self.cost))
            try:
                _require_no_account(store, self.home)
                yield store
            finally:
                store.close()

    async def account(self, store: Store, meeting: Meeting, authority: str, name: str) -> Account:
        """Say who this device is, be granted the number, have it certified, and store all that."""
        key = ec.generate_private_key(ec.SECP256R1())
        ordering = ec.generate_private_key(ec.SECP256R1())  # of the account that orders; never the certified key
        offer = await meeting.heard(Offer, wait=False)
        await meeting.say(Hello(name, public_point(key.public_key()), thumbprint(ordering)))
        self.onlooker.compare(meeting.comparison)
        grant = await meeting.heard(Grant)
        try:
            account = await self._certified(grant, key, ordering)
        except (ClientError, IdentityError) as error:
            await meeting.end(DECLINED if isinstance(error, _DeclinedError) else str(error)[:150])
            raise
        with store.transaction():
            save_account(store, account)
            self._remember(Steps.of(store, account, DeviceVerifier(_anchors(grant))), offer, grant)
        write_private(self.home.anchors, account.anchors)
        return account

    async def _certified(
        self, grant: Grant, key: ec.EllipticCurvePrivateKey, ordering: ec.EllipticCurvePrivateKey
    ) -> Account:
        number = TelephoneNumber.from_digits(grant.number.removeprefix("+"))
        anchors = _anchors(grant)
        if not await self.onlooker.agrees(number, grant.authority):
            raise _DeclinedError(
                "nothing was changed", code="link-declined", hint="To begin again: ringtrue devices add"
            )
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
        async with self._session() as session:
            self.onlooker.hear("Making key packages")
            await session.maintain()
            withdrawn = await self._withdrawn(meeting)
            if withdrawn is None:
                self.onlooker.hear("Coming into the chats")
                return await self._joined(session, meeting)
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
        for path in (self.home.database, self.home.key_file, self.home.anchors, self.home.trust_policy):
            path.unlink(missing_ok=True)

    def _session(self) -> AbstractAsyncContextManager[Session]:
        return Session.open(
            self.home.folder, self.passphrase, clock=self.clock, transport=self.transport, jitter=self.jitter
        )


class _DeclinedError(LinkError):
    """The person said no on this device."""


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
