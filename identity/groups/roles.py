"""Roles: which of a group's numbers may change the group, as its GroupContext says, and the rules for a change.

Members and the delivery service judge by the same functions. They are about numbers and import no MLS engine: groups,
commits and proposals come in as whatever has the attributes below.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from identity.device import number_of
from identity.errors import RolesError
from identity.groups.eviction import is_eviction
from identity.number import TelephoneNumber

ROLES_EXTENSION = 0xF100  # a GroupContext extension, private use (RFC 9420 §17.3)
ADMINS_LIMIT = 64  # numbers in the extension

Admins = frozenset[TelephoneNumber] | None  # None: the group has no roles, every member may change it
Extensions = Iterable[tuple[int, bytes]]

_KEY = b"\xa1\x66admins"  # RFC 8949: a map of one entry, whose key is the text "admins"
_NUMBER = re.compile(rb"\+([1-9][0-9]{0,14})")
_OF_ONESELF = frozenset({"update", "remove"})  # a removal only of one's own number


class Leaf(Protocol):
    """A member; `identity` is DeviceIdentity.identity."""

    @property
    def index(self) -> int: ...
    @property
    def identity(self) -> bytes: ...


class Proposed(Protocol):
    """A proposal with the members that it is about; `sender` is None if it comes from outside the group."""

    @property
    def type(self) -> str: ...
    @property
    def sender(self) -> Leaf | None: ...
    @property
    def external(self) -> int | None: ...
    @property
    def removed(self) -> Leaf | None: ...


class Committed(Protocol):
    """What a commit did; the context extensions are those after it."""

    @property
    def committer(self) -> Leaf | None: ...
    @property
    def added(self) -> Sequence[Leaf]: ...
    @property
    def removed(self) -> Sequence[Leaf]: ...
    @property
    def proposals(self) -> Sequence[Proposed]: ...
    @property
    def context_extensions(self) -> Extensions: ...


class Group(Protocol):
    """A group in an epoch."""

    def context_extensions(self) -> Extensions: ...
    def members(self) -> Sequence[Leaf]: ...


def encode_admins(admins: Iterable[TelephoneNumber]) -> bytes:
    """The extension's content: deterministic CBOR of {"admins": ["+E164", ...]}, sorted. Raises RolesError."""
    numbers = sorted({number.e164.encode("ascii") for number in admins})
    if not 1 <= len(numbers) <= ADMINS_LIMIT:
        raise RolesError("malformed-roles", f"a group with roles lists 1 to {ADMINS_LIMIT} admins")
    head = bytes([0x80 | len(numbers)]) if len(numbers) < 24 else bytes([0x98, len(numbers)])
    return _KEY + head + b"".join(bytes([0x60 | len(number)]) + number for number in numbers)


def decode_admins(octets: bytes) -> frozenset[TelephoneNumber]:
    """The inverse of `encode_admins`. Raises RolesError for any other octets."""
    # A list has one encoding, so whatever the numbers found in the octets do not encode to is something else.
    found = frozenset(TelephoneNumber.from_digits(match[1].decode("ascii")) for match in _NUMBER.finditer(octets))
    if not found or len(found) > ADMINS_LIMIT or encode_admins(found) != octets:
        raise RolesError("malformed-roles", "the list of admins is not in the one form that it may have")
    return found


def admins_of(extensions: Extensions) -> Admins:
    """The admins that a GroupContext names. Raises RolesError."""
    found = [content for kind, content in extensions if kind == ROLES_EXTENSION]
    if len(found) > 1:
        raise RolesError("malformed-roles", "the group's context has two lists of admins")
    return decode_admins(found[0]) if found else None


def with_admins(extensions: Extensions, admins: Iterable[TelephoneNumber]) -> list[tuple[int, bytes]]:
    """The same GroupContext extensions with these admins. Raises RolesError."""
    others = [(kind, content) for kind, content in extensions if kind != ROLES_EXTENSION]
    return [*others, (ROLES_EXTENSION, encode_admins(admins))]


@dataclass(frozen=True, slots=True)
class EpochRoles:
    """What an epoch says of roles, noted before it ends; `members` are numbers by leaf, empty if there are no roles."""

    admins: Admins
    members: Mapping[int, TelephoneNumber]

    @classmethod
    def of(cls, group: Group) -> Self:
        """The roles of the group's current epoch. Raises RolesError if they are malformed."""
        admins = admins_of(group.context_extensions())
        return cls(admins, {} if admins is None else _numbers(group.members()))

    def check_standing(self) -> None:
        """What a group that is founded or joined must fulfil: rules 1 and 6. Raises RolesError."""
        _check_an_admin_stays(self.admins, self.members)

    def check_proposals(self, proposals: Iterable[Proposed]) -> None:
        """Judge all proposals that stand in the log, as if a commit carried them out: rules 3 and 6. Raises RolesError.

        Every commit must cover them, so one that no commit may carry out would bring the group to a halt.
        """
        if self.admins is None:
            return
        leaving = set()
        for proposed in proposals:
            _check_of_oneself(proposed)
            if proposed.removed is not None:
                leaving.add(proposed.removed.index)
        _check_an_admin_stays(self.admins, self.without(leaving))

    def check_commit(self, commit: Committed) -> None:
        """Judge a commit that ends this epoch. Raises RolesError.

        | # | code            | rule                                                                               |
        |---|-----------------|------------------------------------------------------------------------------------|
        | 1 | malformed-roles | the list of admins, where there is one, is in its one form                         |
        | 2 | roles-fixed     | a group has roles from its first epoch on, or never                                |
        | 3 | standing-change | another's proposal renews its sender's leaf, or removes a leaf of its sender's number; |
        |   |                 | but the service proposes removals (eviction.py)                                    |
        | 4 | not-an-admin    | every other proposal is an admin's; who adds is an admin in the new epoch, too; but |
        |   |                 | anybody adds devices of their own number                                           |
        | 5 | not-a-member    | who becomes an admin was a member and stays one; who comes in is no admin          |
        | 6 | last-admin      | an admin is left among the members                                                 |
        """
        after = admins_of(commit.context_extensions)
        if (self.admins is None) != (after is None):
            raise RolesError("roles-fixed", "a chat has admins from its beginning or never")
        if self.admins is None or after is None:
            return
        self._check_committer(commit, after)
        members = self.without({leaf.index for leaf in commit.removed}) | _numbers(commit.added)
        self._check_admins(after, frozenset(members.values()))
        _check_an_admin_stays(after, members)

    def without(self, leaves: Iterable[int]) -> dict[int, TelephoneNumber]:
        """The members but for some leaves."""
        gone = frozenset(leaves)
        return {index: number for index, number in self.members.items() if index not in gone}

    def _check_committer(self, commit: Committed, after: frozenset[TelephoneNumber]) -> None:
        assert self.admins is not None, "asked only where there are roles"
        committer = None if commit.committer is None else number_of(commit.committer.identity)
        own_devices = {number_of(leaf.identity) for leaf in commit.added} == {committer}
        for proposed in commit.proposals:
            if _sender(proposed) != committer:
                _check_of_oneself(proposed)
            elif not _is_of_oneself(proposed) and not (proposed.type == "add" and own_devices):
                lasting = self.admins & after if proposed.type == "add" else self.admins
                if committer not in lasting:
                    raise RolesError("not-an-admin", f"{committer} is no admin of this chat, and only admins {_ACTS}")

    def _check_admins(self, after: frozenset[TelephoneNumber], members: frozenset[TelephoneNumber]) -> None:
        assert self.admins is not None, "asked only where there are roles"
        before = frozenset(self.members.values())
        for number in sorted(after):
            if number in members - before or number not in (self.admins | (members & before)):
                raise RolesError("not-a-member", f"{number} is no member yet, and only members are made admins")


_ACTS = "change who is in it and who its admins are"


def _numbers(leaves: Iterable[Leaf]) -> dict[int, TelephoneNumber]:
    return {leaf.index: number_of(leaf.identity) for leaf in leaves}


def _sender(proposed: Proposed) -> TelephoneNumber | None:
    return None if proposed.sender is None else number_of(proposed.sender.identity)


def _is_of_oneself(proposed: Proposed) -> bool:
    removed = proposed.removed
    return proposed.type in _OF_ONESELF and (removed is None or number_of(removed.identity) == _sender(proposed))


def _check_of_oneself(proposed: Proposed) -> None:
    if is_eviction(proposed):
        return  # whether its reason holds is judged by identity.groups.eviction
    if proposed.sender is None or not _is_of_oneself(proposed):
        words = "it proposes what in this chat only an admin's own commit does: admins alone"
        raise RolesError("standing-change", f"{words} {_ACTS}")


def _check_an_admin_stays(admins: Admins, members: Mapping[int, TelephoneNumber]) -> None:
    if admins is not None and admins.isdisjoint(members.values()):
        raise RolesError("last-admin", "it leaves the chat without an admin: make somebody else an admin first")
