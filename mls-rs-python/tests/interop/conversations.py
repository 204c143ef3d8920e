"""Conversations of three members, whoever implements them; after every step all members must believe the same."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from .certificates import Authority, Identity, validator
from .parties import Party, RefusedError, Watcher

GROUP_ID = b"a group of two implementations"


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays; the watchers of their groups are left here."""

    authority: Authority
    alice: Party
    bob: Party
    carol: Party
    watchers: list[Watcher] = field(default_factory=list)

    def successor(self, party: Party) -> Identity:
        names = {id(self.alice): "alice", id(self.bob): "bob", id(self.carol): "carol"}
        return self.authority.device(names[id(party)])


class Room:
    """A group that alice founds; every message reaches every member, and a watcher, before the next one is made."""

    def __init__(self, cast: Cast) -> None:
        cast.alice.create(GROUP_ID)
        self.members = [cast.alice]
        self.watcher = Watcher(cast.alice.group_info(), validator(cast.authority.certificate), cast.authority.now)
        cast.watchers.append(self.watcher)
        self._numbers = count()
        self.check()

    def check(self) -> None:
        first, *others = (member.view() for member in self.members)
        assert len(first.members) == len(self.members)
        assert {key for _, _, key in first.members} == {member.identity.public for member in self.members}
        assert [other for other in others if other != first] == []
        assert (self.watcher.epoch, self.watcher.members()) == (first.epoch, first.members)
        secrets = {member.export("interoperability", b"context", 32) for member in self.members}
        assert len(secrets) == 1

    def index(self, party: Party) -> int:
        (index,) = (index for index, _, key in self.members[0].view().members if key == party.identity.public)
        return index

    def commit(
        self,
        committer: Party,
        *,
        add: Sequence[Party] = (),
        remove: Sequence[Party] = (),
        added_before: Sequence[Party] = (),
        removed_before: Sequence[Party] = (),
        path: bool = False,
        rotate: Identity | None = None,
    ) -> None:
        """Commits these changes and those proposed before; everyone follows, newcomers join by the Welcome."""
        key_packages = [party.key_package() for party in add]
        commit, welcome = committer.commit(key_packages, [self.index(party) for party in remove], path, rotate)
        leaving = [*remove, *removed_before]
        for member in self.others(committer):
            assert member.process(commit).removed_self == (member in leaving)
        committer.merge()
        self.watcher.process(commit)
        for newcomer in (*add, *added_before):
            assert welcome is not None
            newcomer.join(welcome)
            self.members.append(newcomer)
        self.members = [member for member in self.members if member not in leaving]
        self.check()
        self.everyone_talks()

    def join_externally(self, newcomer: Party) -> None:
        """By an external commit, where a member writes a GroupInfo that the newcomer can read; else by a Welcome."""
        encoding = newcomer.abilities.encodes_external_pub
        informants = [member for member in self.members if member.abilities.encodes_external_pub == encoding]
        if not informants:
            self.commit(self.members[0], add=[newcomer])
            return
        informant = informants[-1]
        commit = newcomer.external_join(informant.group_info())
        for member in self.members:
            assert member.process(commit).kind == "commit"
        self.watcher.process(commit)
        self.members.append(newcomer)
        self.check()
        self.everyone_talks()

    def propose(self, proposer: Party, message: bytes) -> None:
        for member in self.others(proposer):
            assert member.process(message).kind == "proposal"
        self.watcher.process(message)

    def others(self, party: Party) -> list[Party]:
        return [member for member in self.members if member is not party]

    def everyone_talks(self) -> None:
        for speaker in self.members:
            text = f"message {next(self._numbers)}".encode()
            message = speaker.encrypt(text, b"authenticated")
            for listener in self.others(speaker):
                received = listener.process(message)
                assert (received.data, received.authenticated_data) == (text, b"authenticated")


def welcome_and_messages(cast: Cast) -> None:
    room = Room(cast)
    room.commit(cast.alice, add=[cast.bob])
    room.commit(cast.bob, add=[cast.carol])


def update_paths(cast: Cast) -> None:
    room = Room(cast)
    room.commit(cast.alice, add=[cast.bob, cast.carol])
    for committer in (cast.bob, cast.alice, cast.carol):
        room.commit(committer, path=True)


def removals(cast: Cast) -> None:
    room = Room(cast)
    room.commit(cast.alice, add=[cast.bob, cast.carol])
    room.commit(cast.bob, remove=[cast.alice])
    message = cast.bob.encrypt(b"after the removal", b"")
    refuses(lambda: cast.alice.process(message))
    room.commit(cast.carol, remove=[cast.bob])


def rotations(cast: Cast) -> None:
    room = Room(cast)
    room.commit(cast.alice, add=[cast.bob, cast.carol])
    for member in (cast.carol, cast.alice, cast.bob):
        if member.abilities.rotates:
            room.commit(member, rotate=cast.successor(member))
    room.commit(cast.alice, path=True)


def external_joins(cast: Cast) -> None:
    room = Room(cast)
    room.join_externally(cast.bob)
    room.join_externally(cast.carol)
    room.commit(cast.alice, path=True)


def proposals(cast: Cast) -> None:
    room = Room(cast)
    room.commit(cast.alice, add=[cast.bob])
    room.propose(cast.bob, cast.bob.propose_add(cast.carol.key_package()))
    room.commit(cast.alice, added_before=[cast.carol])
    if cast.carol.abilities.proposes_updates:
        room.propose(cast.carol, cast.carol.propose_update())
        room.commit(cast.bob)
    room.propose(cast.alice, cast.alice.propose_remove(room.index(cast.bob)))
    room.commit(cast.carol, removed_before=[cast.bob])


def refuses(act: Callable[[], object]) -> None:
    try:
        act()
    except RefusedError:
        return
    raise AssertionError("it was not refused")


CONVERSATIONS: tuple[Callable[[Cast], None], ...] = (
    welcome_and_messages,
    update_paths,
    removals,
    rotations,
    external_joins,
    proposals,
)
# Ours founds and theirs joins, and the other way round, each with a third member of either kind.
CASTINGS = ("ours-theirs-ours", "ours-theirs-theirs", "theirs-ours-ours", "theirs-ours-theirs")
