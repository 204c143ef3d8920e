"""The MLS side: each step is one function in one store transaction, and leaves memory and store in agreement.

mls-rs changes a group in memory before it has checked everything, so after any exception the group in memory is
dropped; the next step loads it from its last stored state.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import mls_rs

from client.credentials import staple
from client.credentials.account import Account
from client.credentials.renewal import Leaves
from client.credentials.revocations import KnownRevocations
from client.records.chats import Chats, Standing
from client.records.contacts import Contacts
from client.steps import roles
from client.steps.device import make_engine, number_of
from client.storage.store import Store
from identity.binding import DeviceVerifier, MessageContext, group_uri
from identity.certificate_fields import load_certificate, validity
from identity.groups.group_trust import anchors_of
from identity.number import TelephoneNumber
from identity.status.revocation import StatusState
from identity.trust import TrustAnchors


@dataclass(slots=True)
class Step:
    """A group inside a transaction. `standing` is what it is afterwards: a group that was left is not saved again."""

    group: mls_rs.Group
    standing: Standing


class Groups:
    """The groups of this device: loaded when needed, saved by each step."""

    def __init__(self, store: Store, account: Account, verifier: DeviceVerifier) -> None:
        self.store = store
        self.chats = Chats(store)
        self.contacts = Contacts(store, account.number)
        self.leaves = Leaves(store)
        self.account = account
        self.verifier = verifier
        self.revocations = KnownRevocations(store, account)
        self.engine = make_engine(account, verifier, leaf_extensions=staple.leaf_extensions(store, account.chain))
        self._open: dict[bytes, mls_rs.Group] = {}
        self._numbers: dict[bytes, tuple[int, frozenset[TelephoneNumber]]] = {}

    @property
    def trust(self) -> TrustAnchors:
        """The roots and the policy by which credentials are believed."""
        return self.verifier.chains.anchors

    def use_trust(self, trust: TrustAnchors) -> None:
        """Believe by other roots or another policy from now on: nothing that was found before is remembered."""
        if trust != self.trust:
            self.verifier = DeviceVerifier(trust)
            extensions = staple.leaf_extensions(self.store, self.account.chain)
            self.engine = make_engine(self.account, self.verifier, leaf_extensions=extensions)
            self._open.clear()
            self._numbers.clear()

    def named_anchors(self, group_id: bytes) -> bytes | None:
        """The set of trust anchors that the group names. Raises ChatError if this device is no member."""
        return anchors_of(self._load(group_id).group.context_extensions())

    def use_account(self, account: Account) -> None:
        """Go on with a renewed chain for the same key, and with what its leaves are to carry."""
        extensions = staple.leaf_extensions(self.store, account.chain)
        credential = mls_rs.Credential.x509(account.chain)
        self.engine = self.engine.rotate(credential, account.scalar(), leaf_extensions=extensions)
        self.account = account
        self.revocations.use_account(account)

    def want_staple(self, now: int) -> None:
        """Want the status of the own certificate in every group where it is missing or nearly over."""
        members = [chat.group_id for chat in self.chats.all() if chat.standing is Standing.ACTIVE]
        groups = [self._load(group_id).group for group_id in members]
        carried = [(group.group_id, group.leaf_extensions(group.own_index)) for group in groups]
        staple.want_due(self.store, self.account.chain, carried, now)

    def engine_for(self, chain: tuple[bytes, ...]) -> mls_rs.Engine:
        """The engine with this chain of the same key, which may be an earlier one."""
        if chain == self.account.chain:
            return self.engine
        return self.engine.rotate(mls_rs.Credential.x509(chain), self.account.scalar())

    def is_newest(self, group: mls_rs.Group) -> bool:
        """Whether this device's leaf has the account's certificate and carries what it is to carry."""
        newest = group.member(group.own_index).credential.chain == self.account.chain
        return newest and group.leaf_extensions(group.own_index) == self.engine.leaf_extensions

    def joining_engine(self, chain: tuple[bytes, ...]) -> mls_rs.Engine:
        """An engine with this chain of the same key to join one group with: it accepts members who have expired."""
        return make_engine(self.account.with_chain(chain), self.verifier, joining=True)

    @contextmanager
    def step(self, group_id: bytes) -> Iterator[Step]:
        """One MLS step: everything inside, and the group's new state, is stored together or not at all.

        Raises ChatError if this device is not a member.
        """
        try:
            with self.store.transaction():
                step = self._load(group_id)
                yield step
                token = self._save(step)
        except BaseException:
            self._drop(group_id)
            raise
        if token is None:
            self._drop(group_id)
        else:
            step.group.ack(token)
            self._open[group_id] = step.group

    def adopt(self, group: mls_rs.Group, name: str, cursor: int, now: int) -> tuple[str, int]:
        """Store a group that was created or joined, inside the caller's transaction; returns its name and the token.

        The caller acknowledges with `adopted` once the transaction is done.
        """
        delta = group.delta()
        name = self.chats.add(group.group_id, name, delta.state, delta.tree or group.tree(), delta.epoch, cursor, now)
        for reference in delta.used_key_packages:
            self.store.execute("DELETE FROM key_package WHERE reference = ?", reference)
        self._note_roster(group)
        return name, delta.token

    def adopted(self, group: mls_rs.Group, token: int) -> None:
        """Keep a group in memory after its first transaction."""
        group.ack(token)
        self._open[group.group_id] = group
        self._numbers.pop(group.group_id, None)

    def joined(self, group_id: bytes) -> None:
        """Load a group that was joined when it is used next, with the engine that accepts no expired newcomer."""
        self._drop(group_id)

    def list_members(self) -> None:
        """Note who is in the groups that a store of an earlier version has no lists of."""
        for group_id in self.chats.unlisted():
            with self.store.transaction(), suppress(mls_rs.MlsError):  # a group that cannot be read says so when used
                self._note_roster(self._load(group_id).group)

    def members(self, group_id: bytes) -> list[mls_rs.Member]:
        """The members now. Raises ChatError if this device is not one."""
        return self._load(group_id).group.members()

    def own_index(self, group_id: bytes) -> int:
        """This device's leaf. Raises ChatError if it is no member."""
        return self._load(group_id).group.own_index

    def authenticator(self, group_id: bytes) -> bytes:
        """The epoch authenticator (RFC 9420 §8.7): equal among all who share the group's state."""
        return self._load(group_id).group.epoch_authenticator()

    def admins(self, group_id: bytes) -> frozenset[TelephoneNumber] | None:
        """The members who may change the group; None if it has no roles. Raises ChatError if this device is none."""
        group = self._load(group_id).group
        admins = roles.admins(group)
        return None if admins is None else admins & self.numbers(group)

    def copy(self, group_id: bytes) -> mls_rs.Group:
        """The group as it is stored, to try something out on it."""
        row = self.store.row("SELECT state, tree FROM chat WHERE group_id = ?", group_id)
        assert row is not None, "the chat is known"
        return self.engine.load(*row)

    def numbers(self, group: mls_rs.Group) -> frozenset[TelephoneNumber]:
        """The distinct numbers in the group's epoch."""
        known = self._numbers.get(group.group_id)
        if known is None or known[0] != group.epoch:
            known = group.epoch, frozenset(number_of(member) for member in group.members())
            self._numbers[group.group_id] = known
        return known[1]

    def peer(self, group: mls_rs.Group) -> TelephoneNumber | None:
        """The other number, if the group has exactly two."""
        others = self.numbers(group) - {self.account.number}
        return next(iter(others)) if len(others) == 1 else None

    def context(self, group: mls_rs.Group, sender: mls_rs.Member, epoch: int, now: int) -> MessageContext:
        """What this device knows about a message of this sender in this epoch, before it looks at the message."""
        group_id = group.group_id
        since = self.store.row(
            "SELECT since FROM credential_since WHERE group_id = ? AND fingerprint = ?",
            group_id,
            fingerprint(sender),
        )
        return MessageContext(
            group_uri=group_uri(self.account.host, group_id),
            group_id=group_id,
            epoch=epoch,
            sender_leaf=sender.index,
            sender_chain=sender.credential.chain,
            sender_key=sender.signature_key,
            own_number=self.account.number,
            member_numbers=self.numbers(group),
            arrived=now,
            sender_since=None if since is None else since[0],
            staple=staple.of_leaf(group.leaf_extensions(sender.index)) if epoch == group.epoch else None,
        )

    def is_revoked(self, key_package: bytes, now: int) -> bool:
        """Whether a key package, which is valid otherwise, is of a certificate that was revoked."""
        owner = self.engine.check_key_package(key_package, now)
        return self.revocations.status(owner.credential.chain, now).state is StatusState.REVOKED

    def note_credential(self, group_id: bytes, member: mls_rs.Member, since: int) -> None:
        """Note a credential that entered the group after this device; `since`: when the group was known without it."""
        self.store.execute(
            "INSERT OR REPLACE INTO credential_since VALUES (?, ?, ?)", group_id, fingerprint(member), since
        )

    def go_back(self, step: Step, state: bytes, tree: bytes) -> None:
        """Let a step end with an earlier state of its group."""
        step.group = self.engine.load(state, tree)
        group_id = step.group.group_id
        self.store.execute("UPDATE chat SET tree = ? WHERE group_id = ?", tree, group_id)
        self._numbers.pop(group_id, None)
        self._note_roster(step.group)

    def _load(self, group_id: bytes) -> Step:
        chat = self.chats.require_member(group_id)
        group = self._open.get(group_id)
        if group is None:
            group = self._open[group_id] = self.copy(group_id)
        return Step(group, chat.standing)

    def _save(self, step: Step) -> int | None:
        group_id = step.group.group_id
        if not step.standing.is_member:
            self.chats.set_standing(group_id, step.standing)
            return None
        delta = step.group.delta()
        # Past epochs' secrets (delta.epoch_inserts) are not kept: the log hands every entry over in its own epoch.
        self.store.execute(
            "UPDATE chat SET standing = ?, epoch = ?, state = ?, tree = coalesce(?, tree) WHERE group_id = ?",
            step.standing,
            delta.epoch,
            delta.state,
            delta.tree,
            group_id,
        )
        if delta.tree is not None:
            self._note_roster(step.group)
        return delta.token

    def _note_roster(self, group: mls_rs.Group) -> None:
        has_roles = roles.admins(group) is not None
        peer = None if has_roles else self.peer(group)
        direct = "" if peer is None else peer.e164
        numbers = self.numbers(group)
        self.chats.set_roster(group.group_id, len(numbers), direct, roles=has_roles)
        self.chats.list_members(group.group_id, (number.e164 for number in numbers))
        certificate = group.member(group.own_index).credential.chain[0]
        self.leaves.note(group.group_id, certificate, *validity(load_certificate(certificate)))

    def _drop(self, group_id: bytes) -> None:
        self._open.pop(group_id, None)
        self._numbers.pop(group_id, None)


def fingerprint(member: mls_rs.Member) -> bytes:
    """The SHA-256 of a member's own certificate."""
    return hashlib.sha256(member.credential.chain[0]).digest()
