"""Enrolling: from a number and a code to an account on this device."""

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from client.account import Account, load_account, save_account
from client.delivery import DeliveryClient
from client.enrolment import EnrolmentClient
from client.errors import AccountExistsError, NotEnrolledError, ServiceError
from client.home import AccountLock, Home, write_private
from client.keys import Argon2id, create_key, open_key
from client.store import Store
from client.upkeep import adopt_chain
from identity.authority.wire import ChallengeOpened
from identity.certificates import TrustAnchors
from identity.number import TelephoneNumber

AskCode = Callable[[ChallengeOpened], Awaitable[str]]


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
) -> Account:
    """Prove the number to the authority and store the account; the first session uploads key packages.

    Without `anchors` the authority's own are trusted from now on. An account of the same number whose renewal is due
    gets a new certificate for its key and keeps its chats. Raises AccountExistsError, EnrolmentError and what the
    services answer; a second attempt may follow any of them.
    """
    place = Home(home)
    place.create()
    with AccountLock(place):
        store = Store.open(place.database, _store_key(place, passphrase, cost))
        try:
            earlier = _earlier(store, number, int(clock()))
            key = ec.generate_private_key(ec.SECP256R1()) if earlier is None else earlier.key
            account = await _certified(place, key, number, authority, delivery, ask_code, anchors, clock, transport)
            if earlier is None:
                save_account(store, account)
            else:
                adopt_chain(store, account.chain)
            place.enrolment.unlink(missing_ok=True)
        finally:
            store.close()
        write_private(place.anchors, account.anchors)
    return account


async def _certified(
    place: Home,
    key: ec.EllipticCurvePrivateKey,
    number: TelephoneNumber,
    authority: str,
    delivery: str,
    ask_code: AskCode,
    anchors: TrustAnchors | None,
    clock: Callable[[], float],
    transport: httpx.AsyncBaseTransport | None,
) -> Account:
    async with EnrolmentClient(authority, clock=clock, transport=transport) as issuing:
        trusted = anchors or await issuing.anchors()
        challenge = await _challenge(place, issuing, number, clock())
        code = await ask_code(challenge)
        try:
            enrolled = await issuing.certify(challenge.challenge, code, key, number, trusted)
        except ServiceError:
            place.enrolment.unlink(missing_ok=True)  # a wrong code costs the challenge: the next attempt gets a new one
            raise
    async with DeliveryClient(delivery, key, enrolled.chain, clock=clock, transport=transport) as carrying:
        status = await carrying.status()
    pem = b"".join(root.public_bytes(Encoding.PEM) for root in trusted.roots)
    return Account(number, key, enrolled.chain, issuing.base_url, delivery, status.host, pem)


class PendingEnrolment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A code was sent, so that enrolling can go on in another process."""

    number: str
    authority: str
    opened: ChallengeOpened


async def _challenge(place: Home, issuing: EnrolmentClient, number: TelephoneNumber, now: float) -> ChallengeOpened:
    with suppress(FileNotFoundError, msgspec.DecodeError):
        pending = msgspec.json.decode(place.enrolment.read_bytes(), type=PendingEnrolment)
        same = (pending.number, pending.authority) == (number.e164, issuing.base_url)
        if same and pending.opened.expires_at > now:
            return pending.opened
    opened = await issuing.challenge(number)
    write_private(place.enrolment, msgspec.json.encode(PendingEnrolment(number.e164, issuing.base_url, opened)))
    return opened


def _store_key(home: Home, passphrase: str | None, cost: Argon2id | None) -> bytes:
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
