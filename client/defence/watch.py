"""Watching: what the services know of this number and key, compared with what this device did itself.

A stolen key or number leaves no trace on its owner's device. It leaves one at the authority, which has issued a
certificate, and at the delivery service, which has opened a session. What this device does there is kept before it is
asked for, so that a crash in between makes nothing look foreign.
"""

import hashlib
import secrets
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from client.credentials.own_entries import TRANSIT
from client.defence.alarms import AlarmKind, Alarms
from client.defence.continuity import Continuity
from client.errors import ChatError
from client.services.service import ATTEMPTS
from client.steps.groups import Groups
from client.storage.store import Store
from client.words.spelling import counted
from delivery_service.wire import RETENTION, Opening
from identity.authority.wire import PROOF_MAX_AGE, Holding
from identity.certificates import public_point
from identity.device import spki_hash

INTERVAL = 3600  # seconds between looks
RETRY = 600  # seconds until a service that did not answer is asked again
_ATTEMPTS_KEPT = 365 * 86_400  # seconds for which renewals are known: a log may be read long after
_KEPT = RETENTION + 86_400  # seconds for which own openings are known: longer than the service lists them
_SEED_SIZE = 16  # octets


class Watched(StrEnum):
    """Which service is asked."""

    AUTHORITY = "authority"
    DELIVERY = "delivery"
    LOGS = "logs"


class _Look(NamedTuple):
    """What the last look has seen: when, the service's last opening and this device's own last one."""

    at: int | None = None
    counted: int = 0
    opened: int = 0


class Watch:
    """Keeps what this device does, and compares. The first look takes what is there as this device's own."""

    def __init__(self, store: Store, groups: Groups, continuity: Continuity, alarms: Alarms) -> None:
        self._store = store
        self._groups = groups
        self._continuity = continuity
        self._alarms = alarms

    def due(self, service: Watched, now: int) -> bool:
        """Whether a service is to be asked again; also after a clock was set back."""
        row = self._store.row("SELECT due_at FROM watch_look WHERE service = ?", service)
        return row is None or not row[0] - INTERVAL <= now < row[0]

    def put_off(self, service: Watched, now: int) -> None:
        """Ask a service that has not answered a little later."""
        self._keep_look(service, self._looked(service), now + RETRY)

    def asked(self, service: Watched, now: int) -> None:
        """Ask a service that has answered again in a while."""
        self._keep_look(service, self._looked(service), now + INTERVAL)

    def opening(self, now: int) -> list[str]:
        """Draw the nonces for the attempts at one session, and keep them before any is used."""
        seed = secrets.token_urlsafe(_SEED_SIZE)
        self._store.execute("INSERT INTO own_opening (seed, at) VALUES (?, ?)", seed, now)
        return _nonces(seed)

    def renewing(self, now: int) -> None:
        """Keep that a renewal is asked for, whose answer may be lost."""
        self._store.execute("INSERT INTO renewal_attempt (at) VALUES (?)", now)

    def certificates(self, held: Sequence[Holding], now: int) -> bool:
        """Compare the number's live certificates with this device's own; returns whether there is an alarm."""
        own_key = spki_hash(public_point(self._groups.account.key.public_key()))
        first = self._looked(Watched.AUTHORITY).at is None
        since = min([self._enrolled_at(), *(each.issued_at for each in held if each.key == own_key)])
        raised = False
        with self._store.transaction():
            for each in held:
                if each.key == own_key:
                    raised |= not first and self._strange_renewal(each, now)
                    self._keep_certificate(each.fingerprint)
                elif not self._continuity.is_own_device(each.key, each.issued_at):
                    words = _certified_words(each, since)
                    raised |= self._alarms.raise_(AlarmKind.CERTIFICATE, each.key, words, each.issued_at, now)
            self._store.execute("DELETE FROM renewal_attempt WHERE at < ?", now - _ATTEMPTS_KEPT)
            self._keep_look(Watched.AUTHORITY, _Look(now), now + INTERVAL)
        return raised

    def delivery(self, openings: Sequence[Opening], references: Sequence[bytes], now: int) -> bool:
        """Compare sessions and key packages at the delivery service; returns whether there is an alarm."""
        with self._store.transaction():
            before, own = self._looked(Watched.DELIVERY), self._own_nonces()
            # One that was opened after the service has answered is compared next time.
            opened = max((own[each.nonce] for each in openings if each.nonce in own), default=before.opened)
            look = _Look(now, max((each.number for each in openings), default=0), opened)
            if before.at is None:
                self._adopt(references, now)
            raised = before.at is not None and self._strange_sessions(openings, own, before, look)
            raised |= self._strange_packages(references, now)
            self._store.execute("DELETE FROM own_opening WHERE at < ?", now - _KEPT)
            self._store.execute("DELETE FROM own_key_package WHERE not_after < ?", now - _KEPT)
            self._keep_look(Watched.DELIVERY, look, now + INTERVAL)
        return raised

    def acknowledge(self, alarm: int, now: int, *, mine: bool) -> None:
        """Put an alarm away; with `mine`, the certificate is another device of the same person. Raises ChatError."""
        about = self._alarms.get(alarm)
        if mine and about.kind is not AlarmKind.CERTIFICATE:
            raise ChatError(
                "only a certificate can be that of another device of yours",
                code="not-a-certificate",
                hint="Read what the alarm says to do, then put it away without that.",
            )
        with self._store.transaction():
            if mine:
                self._continuity.meet_own(about.subject, now)
            self._alarms.acknowledge(alarm, now)

    def own_message(self, group_id: bytes, seq: int, at_ms: int, now: int) -> bool:
        """Raise the alarm for an own message in a log that this store does not know."""
        chat = self._groups.chats.known(group_id).name
        words = f"A message in “{chat}” was sent with this device's key, and not by this program as it is stored here."
        return self._alarms.raise_(AlarmKind.MESSAGE, f"{group_id.hex()}/{seq}", words, at_ms // 1000, now)

    def _strange_renewal(self, held: Holding, now: int) -> bool:
        known = self._store.row("SELECT 1 FROM own_certificate WHERE fingerprint = ?", bytes.fromhex(held.fingerprint))
        if known is not None or (held.by == "renewal" and self._was_asked_for(held.issued_at)):
            return False
        if self._alarms.near(AlarmKind.RENEWAL, held.issued_at):
            return False
        words = f"A certificate for this device's key was issued, by a {held.by}, that this device did not ask for."
        return self._alarms.raise_(AlarmKind.RENEWAL, held.fingerprint, words, held.issued_at, now)

    def _was_asked_for(self, issued_at: int) -> bool:
        """Whether a certificate is the lost answer to a renewal; each attempt accounts for one."""
        row = self._store.row(
            "SELECT rowid FROM renewal_attempt WHERE at BETWEEN ? AND ? AND NOT listed ORDER BY at LIMIT 1",
            issued_at - PROOF_MAX_AGE - TRANSIT,
            issued_at + PROOF_MAX_AGE,
        )
        if row is None:
            return False
        self._store.execute("UPDATE renewal_attempt SET listed = 1 WHERE rowid = ?", row[0])
        return True

    def _own_nonces(self) -> dict[str, int]:
        """The digests of all nonces that this device has signed, or may have, and which opening each is of."""
        rows = self._store.rows("SELECT id, seed FROM own_opening")
        return {_digest(nonce): id_ for id_, seed in rows for nonce in _nonces(seed)}

    def _strange_sessions(self, openings: Sequence[Opening], own: dict[str, int], before: _Look, look: _Look) -> bool:
        goes_on = look.counted >= before.counted  # otherwise the service has begun to count again
        fresh = [each for each in openings if each.number > before.counted or not goes_on]
        foreign = [each for each in fresh if each.nonce not in own]
        # What was pushed out of the list before this look is foreign as far as this device did not open so many itself.
        pushed_out = fresh[0].number - before.counted - 1 if fresh and goes_on else 0
        mine = len({id_ for id_ in own.values() if before.opened < id_ <= look.opened}) - (len(fresh) - len(foreign))
        count = len(foreign) + max(pushed_out - max(mine, 0), 0)
        if not count:
            return False
        words = (
            f"{counted(count, 'session')} at the delivery service {'was' if count == 1 else 'were'} opened with this "
            "device's key, and not by this program as it is stored here."
        )
        last, now = foreign[-1] if foreign else fresh[0], look.at or 0
        return self._alarms.raise_(AlarmKind.SESSION, last.nonce, words, last.at, now)

    def _strange_packages(self, references: Sequence[bytes], now: int) -> bool:
        known = {row[0] for row in self._store.rows("SELECT reference FROM own_key_package")}
        strange = [reference for reference in references if reference not in known]
        if not strange:
            return False
        words = f"The delivery service hands out {counted(len(strange), 'key package')} that this device did not make."
        raised = self._alarms.raise_(AlarmKind.KEY_PACKAGE, strange[-1].hex(), words, now, now)
        self._adopt(strange, now)
        return raised

    def _adopt(self, references: Sequence[bytes], now: int) -> None:
        for reference in references:
            self._store.execute("INSERT OR IGNORE INTO own_key_package VALUES (?, ?)", reference, now + _KEPT)

    def _keep_certificate(self, fingerprint: str) -> None:
        self._store.execute("INSERT OR IGNORE INTO own_certificate VALUES (?)", bytes.fromhex(fingerprint))

    def _enrolled_at(self) -> int:
        """When this device was first used, as far as it knows."""
        return self._continuity.get(self._continuity.own).first_seen

    def _looked(self, service: Watched) -> _Look:
        row = self._store.row("SELECT at, counted, opened FROM watch_look WHERE service = ?", service)
        return _Look() if row is None else _Look(*row)

    def _keep_look(self, service: Watched, look: _Look, due_at: int) -> None:
        self._store.execute("INSERT OR REPLACE INTO watch_look VALUES (?, ?, ?, ?, ?)", service, *look, due_at)


def _certified_words(held: Holding, since: int) -> str:
    if held.issued_at < since:
        return (
            "Your number is also certified for another key, since before this device was enrolled: an earlier or "
            "another device of yours, or who had the number before you."
        )
    how = "by a code that was sent to it" if held.by == "code" else "on the word of a device that had it already"
    return f"Your number was certified for another key, {how}, and not for this device."


def _nonces(seed: str) -> list[str]:
    return [f"{seed}-{attempt}" for attempt in range(ATTEMPTS)]


def _digest(nonce: str) -> str:
    return hashlib.sha256(nonce.encode()).hexdigest()[:32]
