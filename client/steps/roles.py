"""Roles of a group on this device: `identity.groups.roles` judges, here its judgement meets the MLS engine."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import mls_rs

from client.errors import GroupRefusedError
from client.steps.device import number_of
from identity.errors import EvictionError, RolesError
from identity.groups.eviction import EpochSender
from identity.groups.roles import Admins, EpochRoles, admins_of, with_admins
from identity.number import TelephoneNumber


@contextmanager
def judged() -> Iterator[None]:
    """Raises GroupRefusedError, with the same code, for what breaks the rules for roles, or for the external sender."""
    try:
        yield
    except (RolesError, EvictionError) as error:
        raise GroupRefusedError(str(error), code=error.code) from error


def admins(group: mls_rs.Group) -> Admins:
    """Who is listed as admin, members or not; None if the group has no roles."""
    with judged():
        return admins_of(group.context_extensions())


def context(
    numbers: Iterable[TelephoneNumber], before: Sequence[tuple[int, bytes]] = ()
) -> Sequence[tuple[int, bytes]]:
    """GroupContext extensions with these admins. Raises GroupRefusedError if they are none or too many."""
    with judged():
        return with_admins(before, numbers)


def process(group: mls_rs.Group, handshake: bytes, now: int, *, leaving: bool) -> mls_rs.Proposal | mls_rs.Commit:
    """Let a group process a handshake. Raises GroupRefusedError if roles forbid it; the group is spoilt then.

    `leaving`: whether the log holds an own proposal. One that was made but is not in the log binds nobody.
    """
    with judged():
        epoch, sender = EpochRoles.of(group), EpochSender.of(group)
        event = group.process(handshake, now)
        assert not isinstance(event, mls_rs.Application), "application data comes encrypted, handshakes do not"
        if isinstance(event, mls_rs.Commit):
            epoch.check_commit(event)
            sender.check_commit(event)
        else:
            sender.check_proposal(event, event.authenticated_data)
            own = () if leaving else (group.own_index,)
            proposals = group.proposals()
            epoch.check_proposals(each for each in proposals if each.sender is None or each.sender.index not in own)
        return event


def check_own_commit(copy: mls_rs.Group, pending: mls_rs.Pending) -> None:
    """Judge an own commit before it is posted, on a copy of the group that is spent by it. Raises GroupRefusedError."""
    with judged():
        EpochRoles.of(copy).check_commit(copy.apply(pending.secrets))


def check_own_proposals(group: mls_rs.Group) -> None:
    """Judge the cached proposals, an own one among them, before it is posted. Raises GroupRefusedError."""
    with judged():
        EpochRoles.of(group).check_proposals(group.proposals())


def check_leaving(group: mls_rs.Group, own: TelephoneNumber | None = None) -> None:
    """Raise GroupRefusedError if this device is the last of the only admin, those who wait for leaving not counted.

    With `own`, every device of that number leaves.
    """
    leaving = {proposed.removed.index for proposed in group.proposals() if proposed.removed is not None}
    leaving |= {member.index for member in group.members() if own is not None and number_of(member) == own}
    epoch = EpochRoles.of(group)
    with judged():
        EpochRoles(epoch.admins, epoch.without({group.own_index, *leaving})).check_standing()


def check_joined(group: mls_rs.Group, inviter: TelephoneNumber, own: TelephoneNumber) -> None:
    """Judge a group that a Welcome leads to, which may be by another device of the own number.

    Raises GroupRefusedError.
    """
    with judged():
        epoch = EpochRoles.of(group)
        epoch.check_standing()
        EpochSender.of(group)
    if epoch.admins is not None and inviter not in epoch.admins and inviter != own:
        raise GroupRefusedError(f"{inviter} is no admin of that chat, and only admins add people", code="not-an-admin")


def shifts(
    before: Admins, commit: mls_rs.Commit, group: mls_rs.Group
) -> tuple[Sequence[TelephoneNumber], Sequence[TelephoneNumber]]:
    """Who of the members has become an admin by a commit, and who is none any more."""
    after = admins_of(commit.context_extensions)
    if before is None or after is None or before == after:
        return (), ()
    present = frozenset(map(number_of, group.members()))
    return sorted((after - before) & present), sorted((before - after) & present)
