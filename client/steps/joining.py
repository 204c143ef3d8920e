"""Key packages, and the chats that others add this device to by means of them."""

import mls_rs
import msgspec

from client.credentials.account import advance_inbox
from client.credentials.group_anchors import GroupAnchors
from client.credentials.siblings import Siblings
from client.defence.admission import Consent
from client.defence.admitting import Admitting
from client.defence.continuity import Continuity
from client.defence.lookout import Lookout
from client.errors import GroupRefusedError
from client.events import ChatJoined, Event, WelcomeRefused
from client.records.chats import Standing
from client.records.history import History
from client.records.intents import Intents, Leave, RefreshKeys
from client.records.message import Kind
from client.steps import roles
from client.steps.device import number_of
from client.steps.ending import Endings
from client.steps.groups import Groups
from client.steps.rollback import Rollbacks
from delivery_service.wire import RETENTION, KeyPackageUpload, WelcomeItem
from identity.certificate_fields import load_certificate, validity
from identity.errors import IdentityError
from identity.number import TelephoneNumber

_BY_LAST_RESORT = (
    "INSERT OR IGNORE INTO early_refresh "
    "SELECT ? WHERE EXISTS (SELECT 1 FROM key_package WHERE secret = ? AND last_resort)"
)
KEY_PACKAGES_READY = 20  # one-time key packages that an upload brings the service up to


class Joiner:
    """The steps between publishing a key package and being in a chat."""

    def __init__(
        self,
        groups: Groups,
        history: History,
        intents: Intents,
        admitting: Admitting,
        continuity: Continuity,
        lookout: Lookout,
        anchors: GroupAnchors,
        siblings: Siblings,
        rollbacks: Rollbacks,
        endings: Endings,
    ) -> None:
        self._endings = endings
        self._rollbacks = rollbacks
        self._siblings = siblings
        self._anchors = anchors
        self._admitting = admitting
        self._continuity = continuity
        self._groups = groups
        self._history = history
        self._intents = intents
        self._lookout = lookout

    def can_be_invited(self) -> bool:
        """Whether this device has ever made key packages: until the service has some, nobody can add it to a chat."""
        return self._groups.store.row("SELECT 1 FROM key_package LIMIT 1") is not None

    def key_packages(self, count: int, not_after: int, now: int) -> KeyPackageUpload:
        """Make one-time key packages and a last-resort one; their secrets are stored before anybody can use them."""
        lifetime = not_after - now  # a key package does not outlive the certificate in it
        made = [self._groups.engine.key_package(now, lifetime=lifetime) for _ in range(count)]
        last = self._groups.engine.key_package(now, lifetime=lifetime, last_resort=True)
        chain = msgspec.msgpack.encode(self._groups.account.chain)
        with self._groups.store.transaction():
            # A Welcome to a package that has ended may wait at the service for a device that was away.
            self._groups.store.execute("DELETE FROM key_package WHERE not_after < ?", now - RETENTION)
            for each in (*made, last):
                self._groups.store.execute(
                    "INSERT INTO key_package (reference, secret, chain, not_after, last_resort) VALUES (?, ?, ?, ?, ?)",
                    each.reference,
                    each.secret,
                    chain,
                    each.not_after,
                    each is last,
                )
                self._groups.store.execute("INSERT INTO own_key_package VALUES (?, ?)", each.reference, each.not_after)
        return KeyPackageUpload([each.message for each in made], last.message)

    def refresh_early(self) -> None:
        """Want new keys in chats that were joined by a last-resort key package: others may be built on the same keys.

        Only in chats that were accepted: a commit tells strangers that somebody is there.
        """
        with self._groups.store.transaction():
            for (group_id,) in self._groups.store.rows("SELECT group_id FROM early_refresh"):
                chat = self._groups.chats.get(group_id)
                if chat is None or not chat.standing.is_member:
                    self._groups.store.execute("DELETE FROM early_refresh WHERE group_id = ?", group_id)
                elif chat.standing is Standing.ACTIVE and chat.consent is Consent.INBOX:
                    self._groups.store.execute("DELETE FROM early_refresh WHERE group_id = ?", group_id)
                    self._intents.add_once(group_id, RefreshKeys())

    def join(self, item: WelcomeItem, now: int) -> list[Event]:
        """Accept a Welcome, or note why it was refused; the inbox moves past it in the same transaction."""
        try:
            return self._join(item, now)
        except (mls_rs.MlsError, GroupRefusedError) as error:
            cause = "" if error.__cause__ is None else str(error.__cause__)
            words = f"An invitation could not be accepted: {error}" + (f" ({cause})" if cause else "")
            with self._groups.store.transaction():
                self._history.note(Kind.GAP, item.group_id, None, words, now, item.at_ms)
                advance_inbox(self._groups.store, item.position)
            return [WelcomeRefused(item.group_id, error.code, str(error), cause)]

    def _join(self, item: WelcomeItem, now: int) -> list[Event]:
        chain, secrets = self._addressed(item.welcome)
        engine = self._groups.joining_engine(chain)
        preview = engine.preview(item.welcome, secrets, now)
        if preview.group_id != item.group_id:
            raise GroupRefusedError("it is for another group than the service says", code="wrong-group")
        chat = self._groups.chats.get(item.group_id)
        if chat is not None and chat.standing.is_member:
            raise GroupRefusedError(f"this device is in that chat already, as {chat.name!a}", code="already-member")
        # A lifetime lasts as long as a certificate, and the ends of those are judged by the engine for joining.
        group = engine.join(item.welcome, secrets, now, lifetimes=False)
        cursor = item.seq if chat is None else max(item.seq, chat.cursor)  # what was dealt with stays dealt with
        signer = group.member(preview.signer_index)
        inviter = number_of(signer)
        # What came since is judged by its own time, as in a chat that was read until then (docs/binding.md §3, 10).
        at = min(max(item.at_ms // 1000, now - RETENTION, validity(load_certificate(chain[0]))[0]), now)
        self._require_current(signer, at)
        own = self._groups.account.number
        roles.check_joined(group, inviter, own)
        with self._groups.store.transaction():
            self._groups.adopt(group, self._called(group, inviter), cursor, at)
            self._lookout.joined(group, cursor, item)
            self._rollbacks.joined(group.group_id, item.seq, item.at_ms, signer.identity, now)
            advance_inbox(self._groups.store, item.position)
            self._groups.store.execute(_BY_LAST_RESORT, group.group_id, secrets[0])
            self._continuity.asked(group.group_id, signer.identity)
            self._siblings.want_in(group.group_id)  # one that was away has no key packages to be invited by
            moved = self._endings.joined(group.group_id, signer.identity, now)
            if moved is not None or self._admit(group.group_id, inviter, signer.credential.chain, now):
                words = f"{inviter} added {'this device' if inviter == own else 'you'}."
                self._history.note(Kind.NOTICE, item.group_id, None, words, now, item.at_ms)
                self._look_at_keys(group, signer, now, item.at_ms)
                self._anchors.joined(group, now, item.at_ms)
        self._groups.joined(item.group_id)
        name = self._groups.chats.known(item.group_id).name
        joined = ChatJoined(item.group_id, name, inviter, tuple(sorted(self._groups.numbers(group))))
        return [joined, *(moved or [])]

    def _called(self, group: mls_rs.Group, inviter: TelephoneNumber) -> str:
        """What a chat is called until its name is known: by whoever invited, or by the others if that was oneself."""
        own = self._groups.account.number
        others = sorted(self._groups.numbers(group) - {own}) if inviter == own else []
        return ", ".join(map(str, others)) or str(inviter)

    def _admit(self, group_id: bytes, inviter: TelephoneNumber, chain: tuple[bytes, ...], now: int) -> bool:
        """Put the chat where the person's rules want it; what is dropped (False) is left again, unseen."""
        contacts, chats = self._groups.contacts, self._groups.chats
        consent = self._admitting.chat(group_id, inviter, chain, now)
        chats.set_consent(group_id, consent, inviter.e164)
        if consent is Consent.DECLINED:
            contacts.drop(inviter)
            chats.set_standing(group_id, Standing.LEAVING)
            self._intents.add_once(group_id, Leave())
        return consent is not Consent.DECLINED

    def _look_at_keys(self, group: mls_rs.Group, signer: mls_rs.Member, now: int, at_ms: int) -> None:
        """Say which devices are here on keys that the person has not met."""
        accepted = self._groups.chats.known(group.group_id).consent is Consent.INBOX
        for words in self._continuity.joined(group.members(), accepted=accepted, now=now):
            self._history.note(Kind.NOTICE, group.group_id, None, words, now, at_ms)

    def _require_current(self, signer: mls_rs.Member, at: int) -> None:
        """Whoever adds somebody needs a certificate that was valid when the service took the Welcome, as it says."""
        try:
            self._groups.verifier.verify(signer.credential.chain, signer.signature_key, at)
        except IdentityError as error:
            who = f"{number_of(signer)}, who adds this device,"
            raise GroupRefusedError(f"{who} had no valid certificate: {error}", code="inviter-refused") from error

    def _addressed(self, welcome: bytes) -> tuple[tuple[bytes, ...], list[bytes]]:
        """The credential of the key package that a Welcome is for, and the package's secrets."""
        for reference in mls_rs.inspect(welcome).key_package_references:
            row = self._groups.store.row("SELECT secret, chain FROM key_package WHERE reference = ?", reference)
            if row is not None:
                return msgspec.msgpack.decode(row[1], type=tuple[bytes, ...]), [row[0]]
        raise GroupRefusedError("it is for a key package that this device does not have", code="unknown-key-package")
