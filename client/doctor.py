"""A look at what must be right before messages can flow; each finding says what to do.

`examine` looks at everything that can be seen, whatever is missing: without an account, with a wrong passphrase, while
another process has the account open. `look_at_account` is for whoever has it open.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx

from client.config import config_path, load_config
from client.credentials.anchor_files import read_trust
from client.credentials.enrolment import EnrolmentClient
from client.credentials.revocations import DeviceState, look_at_revocations
from client.defence.lies import SEEN_WORDS, WHAT_TO_DO, Lie
from client.defence.troubles import Trouble
from client.desk.endpoint import NoDaemonError
from client.desk.remote import open_remote
from client.enrolling import pending_enrolment
from client.errors import (
    AccountBusyError,
    CertificateRevokedError,
    ClientError,
    FrankingKeyError,
    NoMessagesError,
    NotEnrolledError,
)
from client.finding import Finding
from client.formats.text import safe_name, safe_title
from client.records.service_facts import kept_for
from client.services.delivery import look_at_delivery
from client.session import Session
from client.steps.wired import Steps
from client.storage.home import Home
from client.storage.keys import keyring_available, needs_passphrase
from client.storage.store import Store
from client.terminal.abilities import ask_graphics, findings, look_at_terminal
from client.words.spelling import counted
from identity.authority.wire import RENEWAL_GRACE
from identity.certificate_fields import validity
from identity.errors import IdentityError
from identity.reports.franking import HubKey

CLOCK_LIMIT = 30  # seconds by which two clocks may differ here; the checks on messages allow 60
MISSING_ADVICE = "It is asked for again by itself; if it does not come, ask the others what was said then"
GRAPHICS_PATIENCE = 0.3  # seconds for the terminal to say how it shows pictures


@dataclass(frozen=True, slots=True)
class Doctor:
    """Looks at the account in `home`. `authority` and `delivery` are looked at where there is no account to name them.

    `passphrase` is called only if the store is to be opened; it may raise AccountError.
    """

    home: Home
    passphrase: Callable[[], str | None]
    authority: str
    delivery: str
    clock: Callable[[], float] = time.time
    transport: httpx.AsyncBaseTransport | None = None

    async def examine(self) -> AsyncGenerator[Finding]:
        """Everything, most basic first."""
        yield look_at_config(config_path())
        for finding in _look_at_terminal():
            yield finding
        if not (self.home.key_file.exists() or self.home.database.exists()):
            async for finding in self._without_account():
                yield finding
            return
        yield look_at_home(self.home)
        yield look_at_key(self.home)
        yield look_at_roots(self.home)
        async for finding in self._with_account():
            yield finding

    async def _without_account(self) -> AsyncIterator[Finding]:
        left = pending_enrolment(self.home)
        if left is None:
            words = f"there is none in {self.home.folder}; start with: ringtrue (or: ringtrue enroll +NUMBER)"
        else:
            words = f"the enrolment of {left.number!a} is not finished; go on with: ringtrue (or: ringtrue enroll)"
        yield Finding("account", False, words)
        words = "a keyring is here" if keyring_available() else "no keyring here; a passphrase will protect the account"
        yield Finding("key", True, words)
        authority, delivery = (self.authority, self.delivery) if left is None else (left.authority, left.delivery)
        async for finding in self._look_at_services(authority, delivery):
            yield finding

    async def _look_at_services(self, authority: str, delivery: str) -> AsyncIterator[Finding]:
        now = int(self.clock())
        try:
            async with EnrolmentClient(authority, transport=self.transport) as issuing:
                status = await issuing.status()
            yield _clock("authority", f"{authority} ({safe_name(status.name)})", status.now - now)
        except ClientError as error:
            yield Finding("authority", False, _trouble(error))
        try:
            about = await look_at_delivery(delivery, self.transport)
            yield _clock("delivery", delivery, about.now - now)
            yield Finding("retention", True, kept_for(about.retention))
        except ClientError as error:
            yield Finding("delivery", False, _trouble(error))

    async def _with_account(self) -> AsyncIterator[Finding]:
        try:
            async with open_remote(self.home.folder) as api:
                yield Finding("account", True, "its daemon has it open, and answers for it")
                for seen in await api.device.doctor():
                    yield Finding(seen.subject, seen.right, seen.words)
                return
        except NoDaemonError:
            pass
        except ClientError as error:
            yield Finding("daemon", False, _trouble(error))
            return
        try:
            async with Session.open(
                self.home.folder, self.passphrase(), clock=self.clock, transport=self.transport
            ) as session:
                async for finding in look_at_account(session):
                    yield finding
        except AccountBusyError:
            yield Finding("account", True, f"in use by {_holder(self.home)}; what only that process sees is left out")
        except NotEnrolledError:
            yield Finding("account", False, "enrolment is not finished; go on with: ringtrue (or: ringtrue enroll)")
        except (ClientError, IdentityError) as error:
            yield Finding("store", False, _trouble(error))


async def look_at_account(session: Session) -> AsyncIterator[Finding]:
    """The store, the certificate, both services, their clocks and the key packages."""
    account, now = session.account, session.now()
    yield await session.worker.run(look_at_store, session.steps.store)
    yield _certificate(session, now)
    yield await session.worker.run(look_at_trust, session.steps, now)
    for finding in await session.worker.run(look_at_logs, session.steps):
        yield finding
    try:
        yield _clock("authority", account.authority, await session.authority_clock() - now)
    except ClientError as error:
        yield Finding("authority", False, _trouble(error))
    yield _statuses(session, now)
    yield look_at_revocations(session.steps.revocations, now)
    try:
        status = await session.delivery.status()
        yield _clock("delivery", account.delivery, status.now - now)
        yield await session.worker.run(look_at_franking_key, session, status.franking_key)
        stock = await session.delivery.key_package_stock()
        enough = stock.last_resort and stock.available > 0
        words = f"{stock.available} ready" if enough else "none ready, nobody can add you; run: ringtrue receive"
        yield Finding("key packages", enough, words)
        yield Finding("retention", True, kept_for(status.retention))
    except ClientError as error:
        yield Finding("delivery", False, _trouble(error))


def look_at_trust(steps: Steps, now: int) -> Finding:
    """The roots are within their time, and the account's own certificate counts under its own trust."""
    anchors, trouble = steps.trusting.kept.anchors(), steps.trusting.trouble(now)
    ended = sum(validity(each.certificate)[1] < now for each in anchors)
    if trouble and not steps.groups.account.validity()[1] < now:  # of a certificate that has ended another line speaks
        return Finding("trust", False, f"your own certificate does not count: {trouble}; see: ringtrue trust list")
    words = f"{counted(len(anchors), 'root')}, {steps.groups.trust.fingerprint.hex()}"
    return Finding("trust", not ended, f"{words}; {ended} of them ended, see: ringtrue trust list" if ended else words)


def look_at_logs(steps: Steps) -> list[Finding]:
    """What the delivery service was caught at, a line for each chat with trouble."""
    marks, found = steps.lookout.troubles.marks(), []
    for chat in steps.chats.all():
        troubles = steps.lookout.troubles.of(chat.group_id)
        if troubles:
            found.append(_log(chat.name, marks.get(chat.group_id, ""), troubles))
    return found or [Finding("log", True, "the service was caught at nothing in any chat")]


def _log(chat: str, mark: str, troubles: list[Trouble]) -> Finding:
    missing = sum(each.last - each.first + 1 for each in troubles if each.code is Lie.WITHHELD and not each.settled)
    left_out = f"{counted(missing, 'entry', 'entries')} left out and never shown" if missing else ""
    counts = Counter[str]()
    for each in troubles:
        counts[each.code] += each.count
    seen = "; ".join(f"{SEEN_WORDS[Lie(code)]} ({_times(count)})" for code, count in sorted(counts.items()))
    words = "; ".join(filter(None, (mark, left_out))) or "nothing is to be done"
    advice = f" {WHAT_TO_DO}" if mark else f" {MISSING_ADVICE}" if missing else ""
    return Finding("log", not (mark or missing), f"{chat}: {words}. Seen so far: {seen}.{advice}")


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def look_at_franking_key(session: Session, shown: bytes) -> Finding:
    """The delivery service confirms messages with a key that this account has from it."""
    try:
        session.steps.franking.learn(shown, session.now())
    except FrankingKeyError as error:
        return Finding("franking", False, _trouble(error))
    return Finding("franking", True, f"the service shows the key {HubKey.from_point(shown).key_id.hex()}, as before")


def look_at_home(home: Home) -> Finding:
    """The account's folder and its files are private."""
    open_to_others = [path.name for path in (home.folder, *home.folder.iterdir()) if path.stat().st_mode & 0o077]
    if open_to_others:
        return Finding("files", False, f"others can read {', '.join(open_to_others)}; run: chmod -R go= {home.folder}")
    return Finding("files", True, f"{home.folder} is private")


def look_at_key(home: Home) -> Finding:
    """The store's key is where it should be; whether it fits is seen when the store is opened."""
    try:
        asks = needs_passphrase(home)
    except ClientError as error:
        hint = error.hint or f"Put a copy of {home.key_file.name} back: nothing else opens the store."
        return Finding("key", False, f"{error}. {hint}")
    if not asks and not keyring_available():
        return Finding("key", False, "a keyring holds it, and there is none here; log in as you did when you enrolled")
    return Finding("key", True, "under your passphrase" if asks else "in this system's keyring")


def look_at_roots(home: Home) -> Finding:
    """The trust anchors beside the store can be read, and which they are."""
    try:
        roots = read_trust(home)
    except FileNotFoundError:
        return Finding("roots", False, f"{home.anchors} is missing; verify exported messages with --anchors FILE")
    except (OSError, IdentityError) as error:
        return Finding("roots", False, f"{home.anchors} cannot be read: {error}; move it away")
    return Finding("roots", True, roots.fingerprint.hex())


def look_at_config(path: Path) -> Finding:
    """The settings can be read."""
    try:
        load_config(path)
    except ClientError as error:
        return Finding("settings", False, _trouble(error))
    return Finding("settings", True, f"{path} is in order" if path.exists() else f"defaults; {path} can change them")


def look_at_store(store: Store) -> Finding:
    """Every page of the store has the authentication code that it was written with, and the tables hold together."""
    try:
        wrong = store.rows("PRAGMA cipher_integrity_check") or store.rows("PRAGMA quick_check(1)")
    except ClientError as error:
        return Finding("store", False, _trouble(error))
    if wrong and wrong != [("ok",)]:
        return Finding(
            "store", False, f"damaged ({ascii(wrong[0][0])[1:-1]}); copy the folder away, then enrol in a new one"
        )
    return Finding("store", True, "opens, and every page of it is whole")


def _look_at_terminal() -> Iterator[Finding]:
    seen = look_at_terminal()
    if not seen.is_terminal:
        yield Finding("terminal", True, "not looked at: this command's input or output is no terminal")
        return
    if seen.can_draw:
        seen = replace(seen, graphics=ask_graphics(os.environ, sys.stdin.fileno(), GRAPHICS_PATIENCE))
    yield from findings(seen)


def _certificate(session: Session, now: int) -> Finding:
    account = session.account
    left = account.validity()[1] - now
    services = f"--authority {account.authority} --delivery {account.delivery}"
    again = f"run: ringtrue enroll {account.number.e164} {services}"
    if session.steps.revocations.state(account.chain, now) is DeviceState.REVOKED:
        return Finding(
            "certificate", False, f"revoked: what this device sends counts no more. {CertificateRevokedError.hint}"
        )
    if left > 0 and not account.sends_messages():
        return Finding("certificate", False, f"says that {account.number} sends no messages. {NoMessagesError.hint}")
    if left > 0:
        due = ", renewal is due: run: ringtrue receive" if account.renewal_due(now) else ""
        return Finding("certificate", True, f"{account.number}, valid for {left // 3600} h more{due}")
    if -left < RENEWAL_GRACE:
        return Finding("certificate", False, "ended; renew it with: ringtrue receive")
    return Finding("certificate", False, f"ended; {again}")


def _statuses(session: Session, now: int) -> Finding:
    """Whether what is known of reported numbers is fresh: without that, nobody is held back for it."""
    known = session.steps.statuses.known
    if known is None:
        return Finding("reported numbers", False, "no list was fetched yet; run: ringtrue receive")
    if now >= known.expires_at:
        since = datetime.fromtimestamp(known.fetched_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return Finding("reported numbers", False, f"the list cannot be refreshed since {since}, so none is applied")
    return Finding("reported numbers", True, f"{known.count} on the list, which is fresh")


def _clock(subject: str, url: str, apart: int) -> Finding:
    if abs(apart) > CLOCK_LIMIT:
        return Finding(subject, False, f"{url}: its clock differs by {apart} s; set this machine's clock")
    return Finding(subject, True, f"{url} answers, clocks agree")


def _holder(home: Home) -> str:
    """The process that wrote itself into the lock, with its command where the system shows it."""
    try:
        pid = int((home.folder / "lock").read_bytes()[:32])
    except (OSError, ValueError):
        return "another process"
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return f"process {pid}"
    return f"process {pid} ({safe_title(command)})"


def _trouble(error: ClientError | IdentityError) -> str:
    hint = error.hint if isinstance(error, ClientError) else ""
    return f"{error}. {hint}".rstrip()
