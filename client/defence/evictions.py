"""Evictions: what the delivery service proposes as a group's external sender, and what this device makes of it.

The service's word removes nobody. Each proposal is judged by identity.groups: by the leaf's certificate, by this
account's own lists of revocations, or by the group's own policy. What holds is committed like what members propose;
what does not is left out of every commit that this device makes, and is an alarm.

| found     | own commits  | another member's commit that carries it out                                              |
|-----------|--------------|------------------------------------------------------------------------------------------|
| holds     | carry it out | accepted                                                                                 |
| undecided | leave it out | accepted, and the line about it says that it could not be confirmed here                 |
| false     | leave it out | refused in a group with roles, unless by an admin; else accepted as its committer's deed |
"""

from collections.abc import Iterator
from dataclasses import dataclass

import mls_rs

from client.defence.admission import Consent
from client.defence.alarms import AlarmKind, Alarms
from client.errors import GroupRefusedError
from client.events import Alarmed, Event, ProposalReceived
from client.records.history import History
from client.records.intents import CommitProposals, Intents, RotateCredential
from client.records.message import Kind
from client.steps.device import number_of
from client.steps.groups import Groups
from identity.groups.eviction import EpochSender, Finding, Reason, reason_of
from identity.groups.roles import Admins

KEPT = 30 * 86_400  # seconds that a proposal's reason is remembered: longer than any epoch that can be taken back
WHY = {
    Reason.LAPSED: "its certificate ended more than 38 days ago",
    Reason.REVOKED: "its certificate was revoked",
    Reason.IDLE: "it was not used for longer than this chat allows",
}
PROPOSED = "The delivery service proposes to remove it"
PENDING_WORDS = {
    Finding.HOLDS: " This device sees the same; the next member's program carries it out.",
    Finding.UNDECIDED: " This device cannot confirm that yet, and does not carry it out.",
    Finding.FALSE: " That is not so; this program does not carry it out.",
}


@dataclass(frozen=True, slots=True)
class Proposed:
    """A row: why the service proposes a removal, and when it did."""

    reason: Reason
    at: int


class Evictions:
    """The rows of `eviction`; runs inside the caller's transaction."""

    def __init__(self, groups: Groups, history: History, intents: Intents, alarms: Alarms) -> None:
        self._groups = groups
        self._store = groups.store
        self._history = history
        self._intents = intents
        self._alarms = alarms
        self.wants_list = False  # somebody is proposed as revoked whom the list at hand does not name

    def proposed(self, group: mls_rs.Group, proposal: mls_rs.Proposal, seq: int, at: int, now: int) -> list[Event]:
        """Judge a removal that the service proposes at the time `at`. Rules 3 and 4 were checked before."""
        assert proposal.removed is not None, "rule 3"
        leaf, reason = proposal.removed, reason_of(proposal.authenticated_data)
        self._store.execute("DELETE FROM eviction WHERE at < ?", now - KEPT)
        insert = "INSERT OR IGNORE INTO eviction (reference, group_id, reason, at) VALUES (?, ?, ?, ?)"
        self._store.execute(insert, proposal.reference, group.group_id, reason, at)
        received: Event = ProposalReceived(group.group_id, proposal.type, None)
        known = Proposed(reason, at)
        self.wants_list |= reason is Reason.REVOKED and self._is_undecided(group, leaf, known)
        alarmed = self._act(group, leaf, known, seq, now)
        return [received, Alarmed(self._alarms.waiting())] if alarmed else [received]

    def _act(self, group: mls_rs.Group, leaf: mls_rs.Member, known: Proposed, seq: int | None, now: int) -> bool:
        """Want a removal committed, or raise the alarm about it; whether that is new."""
        reason = known.reason
        match self._judge(EpochSender.of(group), leaf, known):
            case Finding.HOLDS if leaf.index != group.own_index:
                self._intents.add_once(group.group_id, CommitProposals())
            case Finding.HOLDS if reason is Reason.LAPSED and self._is_accepted(group.group_id):
                self._intents.add_once(group.group_id, RotateCredential())  # it is here, with a certificate that lasts
            case Finding.FALSE:
                words = self._false(group.group_id, leaf, reason)
                subject = f"{group.group_id.hex()}/{leaf.identity.decode()}/{reason}"
                if self._alarms.raise_(AlarmKind.EVICTION, subject, words, known.at, now):
                    self._history.note(Kind.NOTICE, group.group_id, seq, words, now)
                    return True
        return False

    def pending(self, group_id: bytes) -> dict[int, str]:
        """By leaf index: that the service proposes to remove it, why, and what this device can say of that."""
        group = self._groups.copy(group_id)
        epoch, found = EpochSender.of(group), {}
        for each in group.proposals():
            known = None if each.reference is None else self._row(each.reference)
            if each.sender is None and each.removed is not None and known is not None:
                finding = self._judge(epoch, each.removed, known)
                found[each.removed.index] = f"{PROPOSED}: {WHY[known.reason]}.{PENDING_WORDS[finding]}"
        return found

    def left_out(self, group: mls_rs.Group) -> list[bytes]:
        """The references of what own commits do not carry out."""
        epoch = EpochSender.of(group)
        return [
            each.reference
            for each in group.proposals()
            if each.reference is not None and each.sender is None and self._found(epoch, each) is not Finding.HOLDS
        ]

    def look_again(self, now: int) -> bool:
        """Judge once more, because a newer list of revocations is here; whether there is an alarm that is new."""
        alarmed = False
        for (group_id,) in self._store.rows("SELECT DISTINCT group_id FROM eviction"):
            chat = self._groups.chats.get(group_id)
            if chat is None or not chat.standing.is_member:
                continue
            with self._store.transaction():
                group = self._groups.copy(group_id)
                for each in group.proposals():
                    known = None if each.reference is None else self._row(each.reference)
                    if each.removed is not None and known is not None:
                        alarmed |= self._act(group, each.removed, known, None, now)
        return alarmed

    def check_commit(self, commit: mls_rs.Commit, admins: Admins) -> None:
        """Raise GroupRefusedError for a removal that nobody may carry out but an admin, for a reason that is false."""
        epoch = EpochSender.read(commit.context_extensions)
        committer = None if commit.committer is None else number_of(commit.committer)
        if admins is None or committer in admins:
            return
        for each in commit.proposals:
            if each.sender is None and self._found(epoch, each) is Finding.FALSE:
                raise GroupRefusedError(
                    "it removes a member on the service's word alone, and the reason is false", code="reason-false"
                )

    def words(self, commit: mls_rs.Commit) -> Iterator[str]:
        """What to say of removals that a commit carries out because the service has proposed them."""
        epoch = EpochSender.read(commit.context_extensions)
        for each in commit.proposals:
            if each.sender is not None or each.removed is None or each.reference is None:
                continue
            known = self._row(each.reference)
            if known is None:
                yield f"The delivery service had proposed to remove a device of {number_of(each.removed)}."
                continue
            doubt = {
                Finding.HOLDS: "",
                Finding.UNDECIDED: " This device cannot confirm that yet.",
                Finding.FALSE: " As far as this device can see, that is not so.",
            }[self._judge(epoch, each.removed, known)]
            who = f"a device of {number_of(each.removed)}"
            yield f"The delivery service had proposed it: {who}, {WHY[known.reason]}.{doubt}"

    def _is_undecided(self, group: mls_rs.Group, leaf: mls_rs.Member, known: Proposed) -> bool:
        return self._judge(EpochSender.of(group), leaf, known) is Finding.UNDECIDED

    def _is_accepted(self, group_id: bytes) -> bool:
        return self._groups.chats.known(group_id).consent is Consent.INBOX

    def _false(self, group_id: bytes, leaf: mls_rs.Member, reason: Reason) -> str:
        chat, who = self._groups.chats.known(group_id).name, number_of(leaf)
        return (
            f"The delivery service proposes to remove a device of {who} from {chat!a}, and says: {WHY[reason]}. "
            "That is not so. This program does not carry it out."
        )

    def _found(self, epoch: EpochSender, each: mls_rs.Proposed) -> Finding:
        known = None if each.reference is None else self._row(each.reference)
        if known is None or each.removed is None:
            return Finding.UNDECIDED  # it came before a restart of another version, or is over
        return self._judge(epoch, each.removed, known)

    def _judge(self, epoch: EpochSender, leaf: mls_rs.Member, proposed: Proposed) -> Finding:
        return epoch.judge(proposed.reason, leaf, self._groups.revocations.current(), proposed.at)

    def _row(self, reference: bytes) -> Proposed | None:
        row = self._store.row("SELECT reason, at FROM eviction WHERE reference = ?", reference)
        return None if row is None else Proposed(Reason(row[0]), row[1])
