"""Enrolling: from a number and a code to an account on this device, in one go (`enrol`) or step by step.

    look_at_services     who they are, before anything is asked of them
    Enrolment.challenge  a code for the number; one that waits already is not sent again
    Enrolment.certify    the code for a verified certificate
    Enrolment.keep       certificate and key into an encrypted store

What was entered and the challenge lie in `Home.enrolment`, so that another process can go on. A code is spent on two
keys, the device's and its account's at the authority. Step by step they lie nowhere before `keep`: a certificate that
nobody kept is lost, and the next attempt takes a new code. `enrol` has a store from the beginning, keeps the keys in it
before the code is used, and so may end at any moment and be repeated with the same code.
"""

import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import httpx
import msgspec
from cryptography.hazmat.primitives.serialization import Encoding

from client.credentials.account import Account, load_account, save_account
from client.credentials.acme_account import AcmeAccount, Certifier, new_acme_account, save_acme_account
from client.credentials.enrolling_keys import EnrollingKeys, forget_keys, kept_keys
from client.credentials.enrolment import EnrolmentClient
from client.errors import AccountExistsError, CodeEndedError, NotEnrolledError
from client.formats.text import safe_name
from client.services.delivery import look_at_delivery
from client.storage.home import AccountLock, Home, write_private
from client.storage.keys import Argon2id, create_key, open_key
from client.storage.store import Store
from client.upkeep import adopt_chain
from identity.authority.wire import ChallengeOpened
from identity.certificates import TrustAnchors
from identity.number import TelephoneNumber

PREFIXES_LIMIT = 20  # of the numbers that an authority says it certifies; more are not shown
AskCode = Callable[[ChallengeOpened], Awaitable[str]]

_PREFIX = re.compile(r"\+[0-9]{0,15}")


@dataclass(frozen=True, slots=True)
class Services:
    """What both services say of themselves. `name` is safe text; `numbers` are prefixes, "+" is any number.

    `now` and `delivery_now` are their clocks, `host` is the delivery service's name in group URIs, and `retention` how
    many seconds it keeps messages.
    """

    name: str
    numbers: tuple[str, ...]
    anchors: TrustAnchors
    now: int
    host: str
    delivery_now: int
    retention: int

    def certifies(self, number: TelephoneNumber) -> bool:
        """Whether the authority says that it certifies this number."""
        return any(number.e164.startswith(prefix) for prefix in self.numbers)


class PendingEnrolment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far somebody got: a number, two services, and the challenge if a code was sent that is not used yet.

    `token_authority` is who sent the code, and the only one who is given it.
    """

    number: str
    authority: str
    delivery: str
    opened: ChallengeOpened | None = None
    token_authority: str = ""


Asked = Literal["authority", "delivery"]


async def look_at_services(
    authority: str,
    delivery: str,
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    asking: Callable[[Asked], None] = lambda _: None,
) -> Services:
    """Ask both services who they are; `asking` hears which is asked now. Raises ClientError; nothing is stored."""
    asking("authority")
    async with EnrolmentClient(authority, transport=transport) as issuing:
        status, anchors = await issuing.status(), await issuing.anchors()
    asking("delivery")
    carrying = await look_at_delivery(delivery, transport)
    numbers = tuple(prefix for prefix in status.numbers[:PREFIXES_LIMIT] if _PREFIX.fullmatch(prefix))
    said = carrying.host, carrying.now, carrying.retention
    return Services(safe_name(status.name).text, numbers, anchors, status.now, *said)


def pending_enrolment(home: Home) -> PendingEnrolment | None:
    """What an earlier attempt left, if there is anything to go on with."""
    try:
        return msgspec.json.decode(home.enrolment.read_bytes(), type=PendingEnrolment)
    except (OSError, msgspec.DecodeError):
        return None


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One number at one pair of services, on its way to an account in `home`. Every method raises ClientError.

    `keys`: what the code is spent on, the same in each attempt with it.
    """

    home: Home
    number: TelephoneNumber
    authority: str
    delivery: str
    clock: Callable[[], float] = time.time
    transport: httpx.AsyncBaseTransport | None = None
    certifier: Certifier | None = None
    keys: EnrollingKeys = field(default_factory=EnrollingKeys.generate, compare=False)

    def begin(self) -> None:
        """Make the folder and note what was entered; a challenge that waits stays."""
        self.home.create()
        self._note(self.waiting(), self._acme().token_authority)

    def waiting(self) -> ChallengeOpened | None:
        """The challenge of this number whose code was sent and can still be used."""
        left = self._left()
        if left is None or left.opened is None or left.opened.expires_at <= self.clock():
            return None
        return left.opened

    async def challenge(self, *, again: bool = False) -> ChallengeOpened:
        """Have a code sent, unless one is waiting and nobody wants it sent `again`."""
        opened = None if again else self.waiting()
        if opened is None:
            async with self._issuing() as issuing:
                opened = await issuing.challenge(self.number)
                self._note(opened, issuing.acme.token_authority)
        return opened

    async def certify(self, opened: ChallengeOpened, code: str, anchors: TrustAnchors) -> Account:
        """Exchange the code for a certificate; the same code may be sent again if an answer was lost.

        A wrong code leaves the challenge open; one that has ended or was used is forgotten.
        """
        async with self._issuing() as issuing:
            try:
                enrolled = await issuing.certify(opened.challenge, code, self.keys.device, self.number, anchors)
            except CodeEndedError:
                self._note(None)
                raise
        status = await look_at_delivery(self.delivery, self.transport)
        self._note(None)
        pem = b"".join(root.public_bytes(Encoding.PEM) for root in anchors.roots)
        where = (issuing.base_url, self.delivery, status.host)
        return Account(self.number, self.keys.device, enrolled.chain, *where, pem, issuing.acme)

    def keep(self, account: Account, passphrase: str | None, cost: Argon2id | None = None) -> None:
        """Store the account under a passphrase, or with its key in the keyring if that is None. Blocking."""
        with AccountLock(self.home):
            store = Store.open(self.home.database, store_key(self.home, passphrase, cost))
            try:
                save_account(store, account)
            finally:
                store.close()
            self.finish(account)

    def finish(self, account: Account) -> None:
        """Forget the attempt, for the account is stored; its trust anchors stay readable beside the store."""
        write_private(self.home.anchors, account.anchors)
        self.home.enrolment.unlink(missing_ok=True)

    def _issuing(self) -> EnrolmentClient:
        return EnrolmentClient(self.authority, clock=self.clock, transport=self.transport, acme=self._acme())

    def _acme(self) -> AcmeAccount:
        """The account at the ACME server; a code that waits is for the token authority that sent it."""
        account = new_acme_account(self.authority, self.keys.account, self.certifier)
        left = self._left()
        if left is None or not left.token_authority:
            return account
        return replace(account, token_authority=left.token_authority)

    def _left(self) -> PendingEnrolment | None:
        """What an earlier attempt at the same left."""
        left = pending_enrolment(self.home)
        if left is None or (left.number, left.authority) != (self.number.e164, self.authority.rstrip("/")):
            return None
        chosen = "" if self.certifier is None else self.certifier.token_authority.rstrip("/")
        return left if chosen in ("", left.token_authority) else None

    def _note(self, opened: ChallengeOpened | None, token_authority: str = "") -> None:
        authority = self.authority.rstrip("/")
        reached = PendingEnrolment(self.number.e164, authority, self.delivery, opened, token_authority)
        write_private(self.home.enrolment, msgspec.json.encode(reached))


async def enrol(
    home: Path,
    passphrase: str | None,
    number: TelephoneNumber,
    *,
    authority: str,
    delivery: str,
    ask_code: AskCode,
    anchors: TrustAnchors | None = None,
    cost: Argon2id | None = None,
    clock: Callable[[], float] = time.time,
    transport: httpx.AsyncBaseTransport | None = None,
    certifier: Certifier | None = None,
) -> Account:
    """Prove the number to the authority and store the account; the first session uploads key packages.

    Without `anchors` the authority's own are trusted from now on. An account of the same number whose renewal is due
    gets a new certificate for its key and keeps its chats. Raises AccountExistsError, EnrolmentError and what the
    services answer; a second attempt may follow any of them.
    """
    place = Home(home)
    place.create()
    with AccountLock(place):
        store = Store.open(place.database, store_key(place, passphrase, cost))
        try:
            earlier = _earlier(store, number, int(clock()))
            keys = kept_keys(store, None if earlier is None else earlier.key)
            attempt = Enrolment(
                place, number, authority, delivery, clock, transport, certifier or _certifier(earlier), keys
            )
            account = await _certified(attempt, ask_code, anchors)
            _keep(store, account, again=earlier is not None)
        finally:
            store.close()
        attempt.finish(account)
    return account


def _keep(store: Store, account: Account, *, again: bool) -> None:
    if not again:
        save_account(store, account)
        return
    with store.transaction():
        adopt_chain(store, account.chain)
        if account.acme is not None:
            save_acme_account(store, account.acme)
        forget_keys(store)


def _certifier(earlier: Account | None) -> Certifier | None:
    """Who certified the number before."""
    if earlier is None or earlier.acme is None:
        return None
    return Certifier(earlier.acme.directory, earlier.acme.token_authority, earlier.acme.accepts_terms)


async def _certified(attempt: Enrolment, ask_code: AskCode, anchors: TrustAnchors | None) -> Account:
    if anchors is None:
        async with EnrolmentClient(attempt.authority, transport=attempt.transport) as issuing:
            anchors = await issuing.anchors()
    opened = await attempt.challenge()
    return await attempt.certify(opened, await ask_code(opened), anchors)


def store_key(home: Home, passphrase: str | None, cost: Argon2id | None) -> bytes:
    """The key of a folder's store, made if there is none."""
    if home.key_file.exists():  # an earlier attempt ended before there was an account
        return open_key(home, passphrase)
    return create_key(home, passphrase, cost)


def _earlier(store: Store, number: TelephoneNumber, now: int) -> Account | None:
    try:
        account = load_account(store)
    except NotEnrolledError:
        return None
    if account.number != number or not account.renewal_due(now):
        raise AccountExistsError(f"this folder holds the account of {account.number} already")
    return account
