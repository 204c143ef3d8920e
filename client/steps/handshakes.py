"""What a proposal or a commit of others does to a chat: whether it may, what changed, and what is said of it."""

import mls_rs

from client.credentials.siblings import Siblings
from client.defence.admission import Consent
from client.defence.continuity import Continuity
from client.defence.evictions import Evictions
from client.defence.lookout import Lookout
from client.errors import GroupRefusedError
from client.events import Event, IntentSettled, MembersChanged, Outcome, ProposalReceived
from client.records.chats import Standing
from client.records.history import History
from client.records.intents import CommitProposals, Intents
from client.records.message import Kind
from client.steps import roles
from client.steps.device import number_of
from client.steps.groups import Groups, Step
from client.steps.rollback import Rollbacks
from client.steps.sending import Sender
from client.words.notices import notice
from delivery_service.wire import Entry
from identity.checks import CLOCK_TOLERANCE
from identity.errors import IdentityError
from identity.groups.roles import Admins
from identity.number import TelephoneNumber

_REFUSED_PROPOSALS = frozenset({"reinit", "external_init"})


class Handshakes:
    """Deals with proposals and commits, each inside a step of its group."""

    def __init__(
        self,
        groups: Groups,
        history: History,
        intents: Intents,
        sender: Sender,
        continuity: Continuity,
        lookout: Lookout,
        siblings: Siblings,
        rollbacks: Rollbacks,
        evictions: Evictions,
    ) -> None:
        self._groups = groups
        self._chats = groups.chats
        self._history = history
        self._intents = intents
        self._sender = sender
        self._continuity = continuity
        self._lookout = lookout
        self._siblings = siblings
        self._rollbacks = rollbacks
        self._evictions = evictions
        self._leavers: set[tuple[bytes, int, bytes]] = set()  # group, epoch, identity of who proposed to leave

    def foreign(self, step: Step, inspected: mls_rs.Inspected, entry: Entry, at: int, now: int) -> list[Event]:
        """Deal with somebody else's handshake; certificates are judged at the time `at`. Raises GroupRefusedError."""
        admins = roles.admins(step.group)
        before = self._rollbacks.before(step, entry) if inspected.content == "commit" else None
        leaving = any(intent.is_proposed for intent in self._intents.of(step.group.group_id))
        match roles.process(step.group, entry.body, at, leaving=leaving):
            case mls_rs.Proposal() as proposal:
                if proposal.type in _REFUSED_PROPOSALS:
                    raise GroupRefusedError(f"proposals of the kind {proposal.type} are refused", code="proposal")
                if proposal.sender is None:
                    return self._evictions.proposed(step.group, proposal, entry.seq, at, now)
                self._intents.add_once(step.group.group_id, CommitProposals())
                self._rollbacks.heard(step.group.group_id, proposal.sender.identity)
                self._lookout.heard(step.group.group_id, proposal.sender, now)
                if inspected.removed == (proposal.sender.index,):
                    self.note_leaver(step, proposal.sender)
                return [ProposalReceived(step.group.group_id, proposal.type, number_of(proposal.sender))]
            case mls_rs.Commit() as commit:
                self._require_current(commit, at)
                self._evictions.check_commit(commit, admins)
                self._rollbacks.applied(step.group.group_id, before, commit, entry, now)
                self._rollbacks.goes_on(step.group.group_id)
                return self.committed(step, commit, admins, entry, now)

    def _require_current(self, commit: mls_rs.Commit, at: int) -> None:
        """An expired member may put a valid certificate into its leaf, and change nothing without one."""
        try:
            self._groups.verifier.check_committer(commit, at - CLOCK_TOLERANCE)
        except IdentityError as error:
            raise GroupRefusedError(
                f"its sender has no valid certificate: {error}", code="committer-expired"
            ) from error

    def committed(
        self, step: Step, commit: mls_rs.Commit, admins: Admins, entry: Entry, now: int, *, own: bool = False
    ) -> list[Event]:
        """Note what a commit has changed, and say it; `own`: it is this device's."""
        group_id = step.group.group_id
        self._lookout.changed(group_id, commit, now)
        promoted, demoted = roles.shifts(admins, commit, step.group)
        chat = self._chats.known(group_id)
        for member in (*commit.added, *(after for _, after in commit.updated)):
            self._groups.note_credential(group_id, member, chat.read_at)
        changed = MembersChanged(
            group_id=group_id,
            name=chat.name,
            epoch=commit.epoch,
            committer=None if commit.committer is None else number_of(commit.committer),
            added=tuple(map(number_of, commit.added)),
            removed=tuple(map(number_of, commit.removed)),
            renewed=tuple(number_of(after) for _, after in commit.updated),
            left=self._left(step, commit),
            removed_self=commit.removed_self,
            promoted=promoted,
            demoted=demoted,
            staying=_staying(step.group, commit),
        )
        keys = self._continuity.committed(commit, accepted=chat.consent is Consent.INBOX, now=now)
        self._siblings.committed(commit, now)
        said = (notice(changed, self._groups.account.number), *self._evictions.words(commit), *keys)
        for words in filter(None, said):
            self._history.note(Kind.NOTICE, group_id, entry.seq, words, now, entry.at_ms)
        if commit.removed_self or (step.standing is Standing.LEAVING and len(step.group.members()) == 1):
            return [changed, *self.out(step)]
        ignorant = [member for member in commit.added if not self._siblings.is_being_linked(member.identity, now)]
        if own and ignorant and chat.own_name and step.standing is Standing.ACTIVE:
            self._sender.queue_title(group_id, now)
        for intent in self._intents.of(group_id):
            if intent.is_proposed or (intent.request is not None and intent.request.epoch < commit.epoch):
                self._intents.lost(intent)
        return [changed]

    def note_leaver(self, step: Step, member: mls_rs.Member) -> None:
        """Remember who has proposed to leave, until the epoch ends."""
        group = step.group
        self._leavers = {each for each in self._leavers if each[0] != group.group_id or each[1] == group.epoch}
        self._leavers.add((group.group_id, group.epoch, member.identity))

    def _left(self, step: Step, commit: mls_rs.Commit) -> tuple[TelephoneNumber, ...]:
        """Who of those removed had proposed it themselves; a restart between proposal and commit forgets that."""
        group_id, epoch = step.group.group_id, commit.epoch - 1
        return tuple(
            number_of(member) for member in commit.removed if (group_id, epoch, member.identity) in self._leavers
        )

    def out(self, step: Step) -> list[Event]:
        """This device is a member no more: it has left, or was removed."""
        group_id = step.group.group_id
        left = step.standing is Standing.LEAVING
        step.standing = Standing.LEFT if left else Standing.REMOVED
        why = "this device has left the chat" if left else "this device was removed from the chat"
        return self.close(group_id, "done" if left else "moot", why)

    def close(self, group_id: bytes, outcome: Outcome, why: str) -> list[Event]:
        """Let go of what was still to be posted there."""
        self._lookout.left(group_id)
        events: list[Event] = [
            IntentSettled(group_id, intent.id, outcome, why) for intent in self._intents.forget_group(group_id)
        ]
        return events + self._sender.refuse_all(group_id, why)


def _staying(group: mls_rs.Group, commit: mls_rs.Commit) -> frozenset[TelephoneNumber]:
    """The numbers with a device that was there before a commit and one that is there after it."""
    if not commit.added and not commit.removed:
        return frozenset()
    gone = {member.identity for member in commit.removed} if commit.removed_self else set()  # the group is as it was
    after = {number_of(member) for member in group.members() if member.identity not in gone}
    came = {member.identity for member in commit.added}
    before = {number_of(member) for member in group.members() if member.identity not in came}
    return frozenset(after & (before | set(map(number_of, commit.removed))))


def check_admissible(inspected: mls_rs.Inspected) -> None:
    """Refuse what no member sent: an external commit needs no member's consent, and a resync shows no continuity.

    Refuse also what this profile does not use, before the group is touched.
    """
    if inspected.kind == "private_message" and inspected.content != "application":
        # What an encrypted commit proposes can be judged by nobody before it is applied (docs/binding.md §3).
        raise GroupRefusedError("handshakes are not encrypted in this profile", code="encrypted-handshake")
    if inspected.sender not in (None, "member") and (inspected.sender, inspected.content) != ("external", "proposal"):
        resync = inspected.sender == "new_member_commit" and bool(inspected.removed)
        what = "a device rejoining by itself" if resync else "somebody who is not a member"
        raise GroupRefusedError(f"it comes from {what}; members are added by members", code="not-from-a-member")
    refused = _REFUSED_PROPOSALS.intersection(inspected.proposals)
    if refused:
        raise GroupRefusedError(f"proposals of the kind {min(refused)} are refused", code="proposal")
