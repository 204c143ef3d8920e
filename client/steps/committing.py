"""Carrying intents out: from what is wanted to the octets to post, and from the service's answer to what follows."""

import secrets
from collections.abc import Iterable, Sequence
from functools import partial

import mls_rs
import msgspec

from client.defence.evictions import Evictions
from client.defence.lies import LOST_LIMIT, Lie, lost_words
from client.defence.lookout import Lookout
from client.errors import ChatError, ClientError, GroupRefusedError
from client.events import Event, IntentSettled, Outcome
from client.records.chats import Standing
from client.records.intents import (
    AddMembers,
    Body,
    CommitProposals,
    CreateGroup,
    Intent,
    Intents,
    IntentState,
    Leave,
    RefreshKeys,
    RemoveDevice,
    RemoveMembers,
    RotateCredential,
    SetAdmins,
)
from client.records.service_facts import ServiceFacts
from client.steps import roles
from client.steps.device import number_of
from client.steps.groups import Groups, Step
from delivery_service.wire import CommitBundle
from identity.errors import CertificateError
from identity.groups.eviction import with_sender
from identity.groups.group_trust import with_anchors
from identity.number import TelephoneNumber

GROUP_ID_SIZE = 16  # octets, random
LAST_ADMIN = "you are the only admin: make somebody else an admin first"


class MootError(Exception):
    """What an intent wants is the case already, or cannot be any more."""


class Committer:
    """The steps of an intent."""

    def __init__(
        self, groups: Groups, intents: Intents, lookout: Lookout, evictions: Evictions, facts: ServiceFacts
    ) -> None:
        self._evictions = evictions
        self._facts = facts
        self._lookout = lookout
        self._groups = groups
        self._intents = intents

    def create(
        self,
        name: str,
        then: Sequence[Body],
        now: int,
        admins: Iterable[TelephoneNumber] = (),
        *,
        named: bool = True,
        idle: int | None = None,
    ) -> tuple[bytes, list[int]]:
        """Make a group with this device alone, to be published and then changed; returns its id and the intents.

        Unless it is `named` by a person, the others do not learn its name. With `admins` it has roles: this number is
        an admin at once, the others after `then` has made them members. The delivery service may propose to remove who
        is no member any more, if it does that; with `idle`, also who was not there for so many seconds.
        """
        founder, admins = frozenset({self._groups.account.number}), frozenset(admins)
        context = with_anchors(roles.context(founder) if admins else (), self._groups.trust.fingerprint)
        facts = self._facts.known
        context = with_sender(context, None if facts is None else facts.sender, idle)
        group = self._groups.engine.create(secrets.token_bytes(GROUP_ID_SIZE), now, context_extensions=context)
        if admins - founder:
            then = [*then, SetAdmins(_texts(admins | founder), _texts(founder))]
        with self._groups.store.transaction():
            _, token = self._groups.adopt(group, name, 0, now)
            self._lookout.began(group, 0)
            if named:
                self._groups.chats.rename(group.group_id, name, own=True)
            intent = self._intents.get(self._intents.add(group.group_id, CreateGroup()))
            assert intent is not None, "added just now"
            self._intents.requested(intent, group.epoch, group.group_info(), None)
            intents = [self._intents.add(group.group_id, body) for body in then]
        self._groups.adopted(group, token)
        return group.group_id, intents

    def want(self, group_id: bytes, bodies: Sequence[Body]) -> list[int]:
        """Want changes to a group; returns the intents. Raises ChatError if this device is no member."""
        self._groups.chats.require_member(group_id)
        with self._groups.store.transaction():
            return [self._intents.add(group_id, body) for body in bodies]

    def want_admin(self, group_id: bytes, number: TelephoneNumber, *, admin: bool) -> list[int]:
        """Want a member made an admin, or an admin's role ended; returns the intents. Raises ChatError."""
        admins = self._groups.admins(group_id)
        if admins is None:
            why = "this chat has no admins: everybody in it may change who is in it"
            raise ChatError(why, code="no-roles", hint="Begin a new chat with admins.")
        if number not in map(number_of, self._groups.members(group_id)):
            raise ChatError(f"{number} is no member of this chat", code="unknown-member", hint="Add the person first.")
        wanted = admins | {number} if admin else admins - {number}
        if wanted == admins:
            why = f"{number} is an admin already" if admin else f"{number} is no admin"
            raise ChatError(why, code="unchanged", hint="Nothing is to be done.")
        if not wanted:
            raise ChatError(LAST_ADMIN, code="last-admin", hint="Then end the role.")
        return self.want(group_id, [SetAdmins(_texts(wanted), _texts(admins))])

    def leave(self, group_id: bytes) -> int | None:
        """Want to leave; returns the intent, or None if nobody else is there and the chat is closed at once.

        Raises ChatError if the others would be left without an admin.
        """
        alone = len(self._groups.members(group_id)) == 1
        if not alone:
            self._require_another_admin(group_id)
        with self._groups.store.transaction():
            self._groups.chats.set_standing(group_id, Standing.LEFT if alone else Standing.LEAVING)
            if alone:
                self._intents.forget_group(group_id)
                self._lookout.left(group_id)
                return None
            # A second proposal would be refused, and with it the first one's would be forgotten.
            return self._intents.add_once(group_id, Leave())

    def is_published(self, group_id: bytes) -> bool:
        """Whether the service has, or may have, the group's log."""
        return not any(isinstance(intent.body, CreateGroup) for intent in self._intents.of(group_id))

    def others_may_commit(self, group_id: bytes) -> bool:
        """Whether the next thing to do is to commit proposals, which any member may do."""
        following = next((intent for intent in self._intents.of(group_id) if not intent.is_proposed), None)
        return following is not None and (following.state, following.body) == (IntentState.WAITING, CommitProposals())

    def rotate(self, group_id: bytes) -> None:
        """Want the account's certificate in a group, because nothing is to be sent before."""
        with self._groups.store.transaction():
            self._intents.add_once(group_id, RotateCredential())

    def commit_proposals(self, group_id: bytes) -> None:
        """Want cached proposals committed, because nothing can be sent before."""
        with self._groups.store.transaction():
            self._intents.add_once(group_id, CommitProposals())

    def prepare(self, group_id: bytes, now: int) -> tuple[Intent | None, list[Event]]:
        """The intent whose request is to be posted now, and what was settled on the way to it."""
        events: list[Event] = []
        for intent in self._intents.of(group_id):
            if intent.is_proposed:
                continue  # one's own removal is for others to commit; what they propose can be committed here
            if intent.state is IntentState.ACCEPTED:
                return None, events  # the log will show what became of it
            if intent.state is IntentState.REQUESTED:
                return intent, events
            try:
                self._request(intent, now)
                return self._intents.get(intent.id), events
            except MootError as reason:
                events += self._settle(intent, "moot", str(reason))
            except GroupRefusedError as error:
                events += self._settle(intent, "refused", str(error), error.code)
            except mls_rs.MlsError as error:
                cause = f" ({error.__cause__})" if error.__cause__ else ""
                events += self._settle(intent, "refused", f"{error}{cause}")
        return None, events

    def accepted(self, intent: Intent) -> list[Event]:
        """Note that the service has ordered the request; a new group is ready with that."""
        if isinstance(intent.body, CreateGroup):
            return self._settle(intent, "done", "")
        with self._groups.store.transaction():
            self._intents.accepted(intent)
        return []

    def lost(self, intent: Intent) -> None:
        """Note that the request was for a past epoch."""
        with self._groups.store.transaction():
            current = self._intents.get(intent.id)
            if current is not None and current.state is not IntentState.WAITING:
                self._intents.lost(current)

    def refused(self, intent: Intent, error: ClientError) -> list[Event]:
        """Note that the service will not accept the request."""
        match intent.body:
            case Leave():
                with self._groups.step(intent.group_id) as step:
                    # What others have proposed stays; with the commit that it needs, the own proposal is forgotten too.
                    if step.group.pending_proposals() == 1:
                        step.group.forget_proposals()
            case CreateGroup():
                with self._groups.step(intent.group_id) as step:
                    step.standing = Standing.LEFT
                    moot = self._intents.forget_group(intent.group_id)
                return [IntentSettled(intent.group_id, each.id, "refused", str(error)) for each in moot]
        return self._settle(intent, "refused", str(error))

    def unconfirmed(self, group_id: bytes) -> list[Intent]:
        """What the service has accepted and the log has not shown."""
        intents = self._intents.of(group_id)
        return [each for each in intents if each.state is IntentState.ACCEPTED and each.request is not None]

    def missing(self, intent: Intent, now: int) -> list[Event]:
        """Deal with what the log, read to its end, does not hold although it was accepted: it is made again."""
        assert intent.request is not None, "what is unconfirmed has a request"
        group_id = intent.group_id
        with self._groups.step(group_id) as step:
            times = self._lookout.lost(group_id, intent.request.message, -intent.id, now)
            line = self._lookout.say(group_id, Lie.LOST, lost_words(again=times <= LOST_LIMIT), now)
            if isinstance(intent.body, Leave) and step.group.pending_proposals() == 1:
                step.group.forget_proposals()
            self._intents.lost(intent)
        if times <= LOST_LIMIT:
            return [line]
        return [line, *self._settle(intent, "refused", lost_words(again=False))]

    def _settle(self, intent: Intent, outcome: Outcome, why: str, code: str | None = None) -> list[Event]:
        with self._groups.store.transaction():
            self._intents.settle(intent.id)
            if isinstance(intent.body, Leave):
                self._groups.chats.set_standing(intent.group_id, Standing.ACTIVE)  # it stays after all
        return [IntentSettled(intent.group_id, intent.id, outcome, why, code)]

    def _request(self, intent: Intent, now: int) -> None:
        with self._groups.step(intent.group_id) as step:
            epoch = step.group.epoch
            if isinstance(intent.body, Leave):
                proposal = step.group.leave()
                roles.check_own_proposals(step.group)
                self._intents.requested(intent, epoch, proposal, None)
                return
            pending = self._commit(step, intent, now)
            if roles.admins(step.group) is not None:
                roles.check_own_commit(self._groups.copy(intent.group_id), pending)
            bundle = CommitBundle(pending.commit, list(pending.welcomes), pending.group_info)
            self._intents.requested(intent, epoch, msgspec.msgpack.encode(bundle), pending.secrets)

    def _commit(self, step: Step, intent: Intent, now: int) -> mls_rs.Pending:
        group = step.group
        # Whatever a commit is for, it puts the account's certificate into the leaf (client.credentials.renewal).
        newer = None if self._groups.is_newest(group) else self._groups.engine
        commit = partial(group.commit, now, identity=newer, leave_out=self._evictions.left_out(group))
        match intent.body:
            case AddMembers(key_packages=key_packages):
                self._require_current_members(group, now)
                absent = self._still_absent(step, key_packages, now)
                context = self._without_departed(group, ())
                return commit(add=absent, context_extensions=context)
            case RemoveMembers() | RemoveDevice():
                leaves = _leaves(group, intent.body)
                context = self._without_departed(group, leaves)
                return commit(remove=leaves, context_extensions=context)
            case SetAdmins():
                return commit(context_extensions=_changed_admins(group, intent.body))
            case RotateCredential():
                if newer is None:
                    raise MootError("the leaf has the current certificate")
                return commit(path=True)
            case RefreshKeys():
                return commit(path=True)
            case CommitProposals():
                own = sum(each.is_proposed for each in self._intents.of(intent.group_id))
                if group.pending_proposals() <= own:
                    raise MootError("the proposals were committed by somebody else")
                return commit()
            case _:
                raise AssertionError(f"{type(intent.body).__name__} is no commit")

    def _without_departed(self, group: mls_rs.Group, leaving: Sequence[int]) -> Sequence[tuple[int, bytes]] | None:
        """The context without admins who are no members any more: who comes in again is no admin by having been one."""
        listed = roles.admins(group)
        if listed is None or self._groups.account.number not in listed:
            return None
        members = {number_of(member) for member in group.members() if member.index not in leaving}
        return None if listed <= members else roles.context(listed & members, group.context_extensions())

    def check_leaving(self, group_id: bytes) -> None:
        """Raise ChatError if this device is out already, or if the others would be left without an admin.

        The person leaves with all devices.
        """
        self._groups.chats.require_member(group_id)
        if self._groups.numbers(self._groups.copy(group_id)) != {self._groups.account.number}:
            self._require_another_admin(group_id, whole=True)

    def _require_another_admin(self, group_id: bytes, *, whole: bool = False) -> None:
        try:
            roles.check_leaving(self._groups.copy(group_id), self._groups.account.number if whole else None)
        except GroupRefusedError as error:
            raise ChatError(LAST_ADMIN, code="last-admin", hint="Then leave again.") from error

    def _require_current_members(self, group: mls_rs.Group, now: int) -> None:
        """Whoever joins judges every leaf by this rule (RFC 9420 §5.3.1): beside one long expired, nobody can join."""
        for member in group.members():
            try:
                self._groups.verifier.verify_member(member.credential.chain, member.signature_key, now)
            except CertificateError as error:
                number = number_of(member)
                raise GroupRefusedError(
                    f"nobody can join while {number} is a member whose certificate is not valid: {error}. That device "
                    f"renews it when it is next used; or remove {number} first",
                    code="member-expired",
                ) from error

    def _still_absent(self, step: Step, key_packages: Sequence[bytes], now: int) -> list[bytes]:
        present = {member.signature_key for member in step.group.members()}
        if any(self._groups.is_revoked(each, now) for each in key_packages):
            raise GroupRefusedError("a certificate of theirs was revoked: nobody is added by it", code="revoked")
        absent = [
            key_package
            for key_package in key_packages
            if self._groups.engine.check_key_package(key_package, now).signature_key not in present
        ]
        if not absent:
            raise MootError("they are members already")
        return absent


def _leaves(group: mls_rs.Group, body: RemoveMembers | RemoveDevice) -> list[int]:
    leaves = [
        member.index
        for member in group.members()
        if member.index != group.own_index
        and (
            member.identity == body.identity
            if isinstance(body, RemoveDevice)
            else number_of(member).e164 in body.numbers
        )
    ]
    if not leaves:
        raise MootError("they are no members any more")
    return leaves


def _changed_admins(group: mls_rs.Group, body: SetAdmins) -> Sequence[tuple[int, bytes]]:
    listed = roles.admins(group)
    if listed is None:
        raise GroupRefusedError(
            "a chat that began without admins has none: everybody may change it", code="roles-fixed"
        )
    current = listed & frozenset(map(number_of, group.members()))
    wanted = _numbers(body.numbers)
    known = current if body.instead_of is None else _numbers(body.instead_of)
    changed = (current | (wanted - known)) - (known - wanted)
    if changed == current:
        raise MootError("they are the admins already")
    if not changed:
        raise GroupRefusedError(LAST_ADMIN, code="last-admin")
    return roles.context(changed, group.context_extensions())


def _numbers(texts: Iterable[str]) -> frozenset[TelephoneNumber]:
    return frozenset(TelephoneNumber.from_digits(text.removeprefix("+")) for text in texts)


def _texts(numbers: Iterable[TelephoneNumber]) -> list[str]:
    return sorted(number.e164 for number in numbers)
