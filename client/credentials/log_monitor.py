"""Watching logs of certificates: whether a log keeps what it has said, and whom it says this number belongs to.

A log that shows two people two trees, or takes back an entry, breaks a signature that it has given. What it shows in
order is read whole: whoever certifies this number for another key, at whatever authority, has to show it here, or have
a certificate that no log vouches for.
"""

from collections.abc import Iterable, Sequence

from cryptography import x509

from client.credentials.account import Account
from client.credentials.logs_seen import LogsSeen, OwnPromise, SeenLog
from client.credentials.own_entries import OwnEntries
from client.defence.alarms import AHEAD, AlarmKind, Alarms
from client.defence.continuity import Continuity
from client.formats.text import safe_name
from client.steps.groups import Groups
from client.storage.store import Store
from identity.authority.log.wire import MAXIMUM_MERGE_DELAY, Head, Log, LoggedEntry, Proof
from identity.certificate_fields import certificate_tn_auth_list, known_extension, load_certificate, validity
from identity.certificates import leaf_public_point, public_point
from identity.device import spki_hash
from identity.errors import CertificateError, TransparencyError
from identity.number import TelephoneNumber
from identity.tn_auth_list import Coverage
from identity.transparency.entries import embedded_entry, logged_certificate, read_leaf
from identity.transparency.heads import TreeHead
from identity.transparency.log_key import LogKey
from identity.transparency.merkle import Frontier, consistent, includes, leaf_hash
from identity.transparency.timestamps import embedded_timestamps

WEEK = 7 * 86_400  # seconds


class LogLiesError(Exception):
    """A log was caught; `check` is the number of the check in LogMonitor, `evidence` tells this lie from others."""

    def __init__(self, check: int, words: str, evidence: bytes) -> None:
        super().__init__(words)
        self.check = check
        self.evidence = evidence


class LogMonitor:
    """Holds logs to what they say; blocking. Methods raise LogLiesError at the first check that does not pass.

    1. the head is signed by the log              5. the entries that are shown hash to the head's root
    2. the head is of now, within the merge delay 6. a timestamp in an own certificate is by the log
    3. the tree has not shrunk                    7. an own certificate is in the tree, after the merge delay
    4. the tree goes on from the one seen before  8. (an alarm) a certificate for this number is for a known key
    """

    def __init__(self, store: Store, groups: Groups, continuity: Continuity, alarms: Alarms) -> None:
        self._store = store
        self._groups = groups
        self._continuity = continuity
        self._alarms = alarms
        self._own = OwnEntries(store)
        self.seen = LogsSeen(store)

    def adopt(self, named: Sequence[Log], now: int) -> bool:
        """Watch the logs that the authority names; returns whether there is an alarm: for one that was not named first.

        Raises TransparencyError.
        """
        raised = False
        with self._store.transaction():
            first = not self.seen.all()
            for each in named:
                key = LogKey(safe_name(each.name).text or "log", each.key)
                known = self.seen.get(key.log_id) is not None
                self.seen.adopt(key, each.url, now)
                if not first and not known:
                    words = f"Your authority names another log of certificates than before, “{key.name}”."
                    raised |= self._alarms.raise_(AlarmKind.LOG, key.log_id.hex(), words, now, now)
        return raised

    def check_head(self, log: SeenLog, told: Head, now: int) -> TreeHead:
        """Checks 1 to 3, and 4 where the size is the same. Raises TransparencyError, too."""
        head, last, signature = told.read(), log.head, told.tree_head_signature
        if not head.is_by(log.key, signature):
            raise LogLiesError(1, "shows a tree that it has not signed", _week(now))
        evidence = last.signed_octets()
        ahead, behind = head.timestamp // 1000 - now, now - head.timestamp // 1000
        if ahead > AHEAD or behind > MAXIMUM_MERGE_DELAY + AHEAD:
            raise LogLiesError(2, "shows a tree of another day", _week(now))
        if head.size < last.size:
            raise LogLiesError(
                3, f"had {last.size} entries and now shows {head.size}: it has taken some back", evidence
            )
        if head.size == last.size and head.root != last.root:
            raise LogLiesError(4, f"shows another tree of {head.size} entries than before", evidence)
        return head

    def accept(self, log: SeenLog, head: TreeHead, proof: Sequence[bytes]) -> None:
        """Check 4, where the tree has grown; from then on the log is held to this head."""
        last = log.head
        if 0 < last.size < head.size and not consistent(last.size, last.root, head.size, head.root, proof):
            raise LogLiesError(4, "shows a tree that does not go on from the one before", last.signed_octets())
        self.seen.accept(log.key.log_id, head)

    def read(self, log_id: bytes, head: TreeHead, entries: Sequence[LoggedEntry], now: int) -> bool:
        """Check 5 at the tree's end, and 8 for each entry; returns whether there is an alarm."""
        log = self.seen.get(log_id)
        assert log is not None, "it is being read"
        frontier = log.frontier.extended(leaf_hash(each.leaf_input) for each in entries)
        if frontier.size == head.size and frontier.root != head.root:
            self.seen.keep_read(log_id, Frontier())  # which entry it was is unknown: all are read again
            raise LogLiesError(5, "shows entries that are not those of its tree", _week(now))
        raised = False
        with self._store.transaction():
            for each in entries:
                raised |= self._look_at(log, each, now)
            self.seen.keep_read(log_id, frontier)
        return raised

    def promises(self, log: SeenLog) -> list[OwnPromise]:
        """Check 6; returns what is still to be held against the tree."""
        self.seen.promised(log.key.log_id, _own_promises(self._groups.account, log.key))
        return self.seen.unkept(log.key.log_id)

    def check_kept(self, log: SeenLog, promise: OwnPromise, head: TreeHead, proof: Proof | None) -> None:
        """Check 7; within the merge delay, what is not there may still come."""
        if proof is not None and includes(promise.leaf_hash, proof.leaf_index, head.size, proof.audit_path, head.root):
            self.seen.kept(log.key.log_id, promise.leaf_hash)
        elif head.timestamp > promise.at_ms + MAXIMUM_MERGE_DELAY * 1000:
            words = "has promised to hold this device's certificate, and does not"
            raise LogLiesError(7, words, promise.leaf_hash)

    def caught(self, log: SeenLog, lie: LogLiesError, now: int) -> bool:
        """Raise the alarm for a lie; returns whether it is new."""
        subject = f"{log.key.log_id.hex()}/{lie.check}/{leaf_hash(lie.evidence).hex()}"
        words = f"The log of certificates “{log.key.name}” {lie} (check {lie.check})."
        return self._alarms.raise_(AlarmKind.LOG, subject, words, now, now)

    def _look_at(self, log: SeenLog, logged: LoggedEntry, now: int) -> bool:
        """Check 8, for one entry; what cannot be read as a certificate would not be believed by anybody either."""
        try:
            at_ms, entry = read_leaf(logged.leaf_input)
            der = logged_certificate(entry)
            certificate = load_certificate(der)
            if not _is_for(certificate, self._groups.account.number):
                return False
            key = spki_hash(leaf_public_point(der))
        except (TransparencyError, CertificateError):
            return False
        if key == spki_hash(public_point(self._groups.account.key.public_key())):
            return self._look_at_own(log, entry.digest, at_ms // 1000, now)
        enrolled = self._continuity.get(self._continuity.own).first_seen
        met = self._continuity.is_own_device(key, at_ms // 1000)
        if met or validity(certificate)[1] < enrolled:
            return False
        words = _certified_words(log.key, certificate, before=at_ms // 1000 < enrolled)
        return self._alarms.raise_(AlarmKind.CERTIFICATE, key, words, at_ms // 1000, now)

    def _look_at_own(self, log: SeenLog, digest: bytes, at: int, now: int) -> bool:
        """What was there before the first look is taken as this device's own, as in the authority's answer."""
        if at <= log.since:
            self._own.keep(digest)
        if self._own.asked_for(digest, at) or self._alarms.near(AlarmKind.RENEWAL, at):
            return False
        words = f"The log of certificates “{log.key.name}” has one for this device's key that it did not ask for."
        return self._alarms.raise_(AlarmKind.RENEWAL, digest.hex(), words, at, now)


def _week(now: int) -> bytes:
    """Tells lies apart that go on: such a one is told anew each week."""
    return str(now // WEEK).encode()


def _is_for(certificate: x509.Certificate, number: TelephoneNumber) -> bool:
    """Whether an end entity's certificate holds the number itself; issuers and codes stand for many."""
    basic = known_extension(certificate, x509.BasicConstraints)
    numbers = certificate_tn_auth_list(certificate)
    if numbers is None or (basic is not None and basic.ca):
        return False
    return numbers.covers(number) is Coverage.BY_NUMBER


def _own_promises(account: Account, log: LogKey) -> Iterable[OwnPromise]:
    leaf = load_certificate(account.chain[0])
    if len(account.chain) < 2:
        return
    issuer = load_certificate(account.chain[1])
    for each in embedded_timestamps(leaf):
        if each.log_id == log.log_id:
            entry = embedded_entry(leaf, issuer)
            if not each.is_by(log, entry):
                raise LogLiesError(6, "is named by this device's certificate, and has not signed for it", entry.digest)
            yield OwnPromise(leaf_hash(entry.leaf_input(each.timestamp, each.extensions)), each.timestamp)


def _certified_words(log: LogKey, certificate: x509.Certificate, *, before: bool) -> str:
    if before:
        return (
            f"The log of certificates “{log.name}” has one of your number for another key, from before this device was "
            "enrolled: an earlier or another device of yours, or who had the number before you."
        )
    names = certificate.issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    issuer = safe_name(str(names[0].value)).text if names else "an issuer without a name"
    return f"Your number was certified for another key by {issuer}, and not for this device (log “{log.name}”)."
