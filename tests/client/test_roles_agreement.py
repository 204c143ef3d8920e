"""Whoever tries what in whatever order: all members judge alike, and only admins have ever changed a group with roles.

Real MLS groups, and the check that every client makes of what it receives; nobody checks what it sends.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import mls_rs
from hypothesis import given, settings
from hypothesis import strategies as st

from client.errors import GroupRefusedError
from client.steps import roles
from identity.groups.roles import ADMINS_LIMIT, ROLES_EXTENSION, EpochRoles, admins_of, with_admins
from identity.number import TelephoneNumber

NOW = 1_800_000_000
NUMBERS = [TelephoneNumber.from_digits(f"1202555014{n}") for n in range(4)]
PEOPLE = st.sampled_from(NUMBERS)
ACTS = st.sampled_from(["add", "remove", "promote", "demote", "refresh", "leave", "end roles", "add as admin"])


class Person:
    """A number's only device, and its group as it was last stored, while it is a member."""

    def __init__(self, number: TelephoneNumber) -> None:
        key, _ = mls_rs.generate_signature_key(2)
        credential = mls_rs.Credential.basic(f"{number.e164}/device".encode())
        self.engine = mls_rs.Engine(2, credential, key, mls_rs.accept_basic, extension_types=[ROLES_EXTENSION])
        self.number = number
        self.state = self.tree = b""

    def group(self) -> mls_rs.Group:
        return self.engine.load(self.state, self.tree)

    def save(self, group: mls_rs.Group) -> None:
        delta = group.delta()
        self.state, self.tree = delta.state, delta.tree or group.tree()


@dataclass
class Model:
    """Who is in the group and who its admins are, by the rules as a person would tell them."""

    members: set[TelephoneNumber]
    admins: set[TelephoneNumber]

    def allows(self, actor: TelephoneNumber, act: str, target: TelephoneNumber) -> bool:
        match act:
            case "refresh":
                return True
            case "leave":
                return bool(self.admins & self.members - {actor})
            case "add as admin" | "end roles":
                return False
            case "add":
                return actor in self.admins
            case "remove" | "demote":
                return actor in self.admins and bool(self.admins & self.members - {target})
            case _:
                return actor in self.admins and target in self.members

    def carry_out(self, actor: TelephoneNumber, act: str, target: TelephoneNumber) -> None:
        match act:
            case "add":
                self.members.add(target)
            case "remove":
                self.members.discard(target)
                self.admins.discard(target)
            case "leave":
                self.members.discard(actor)
            case "promote":
                self.admins.add(target)
            case "demote":
                self.admins.discard(target)


class World:
    """A group in which everybody tries what they like."""

    def __init__(self) -> None:
        self.people = {number: Person(number) for number in NUMBERS}
        founder = NUMBERS[0]
        group = self.people[founder].engine.create(b"group", NOW, context_extensions=with_admins([], [founder]))
        self.people[founder].save(group)
        self.model = Model({founder}, {founder})
        self.happened = 0

    def attempt(self, actor: TelephoneNumber, act: str, target: TelephoneNumber) -> None:
        model = self.model
        if actor not in model.members or (target in model.members) == act.startswith("add"):
            return
        if (target == actor and act == "remove") or (act == "leave" and len(model.members) == 1):
            return  # MLS itself has no such commit
        admins = model.admins | {target} if act in ("promote", "add as admin") else model.admins - {target}
        if act in ("promote", "demote") and admins in (set(), model.admins):
            return
        allowed = model.allows(actor, act, target)
        if act == "leave":
            self._leave(actor, allowed)
        else:
            self._commit(actor, act, target, admins, allowed)
        if allowed:
            model.carry_out(actor, act, target)
            self.happened += 1
        self.agree()

    def _commit(
        self, actor: TelephoneNumber, act: str, target: TelephoneNumber, admins: set[TelephoneNumber], allowed: bool
    ) -> None:
        author = self.people[actor]
        group = author.group()
        package = self.people[target].engine.key_package(NOW, lifetime=86_400)
        changes = self._changes(group, act, target, package.message, admins)
        pending = group.commit(NOW, **changes)
        for number in self.model.members - {actor}:
            self._judge(self.people[number], pending.commit, allowed)
        if allowed:
            group.apply(pending.secrets)
            author.save(group)
            if act == "add":
                self.people[target].save(self.people[target].engine.join(pending.welcomes[0], [package.secret], NOW))

    def _changes(
        self, group: mls_rs.Group, act: str, target: TelephoneNumber, package: bytes, admins: set[TelephoneNumber]
    ) -> dict[str, object]:
        context = with_admins([], admins) if admins else None
        leaf = next((member.index for member in group.members() if roles.number_of(member) == target), None)
        match act:
            case "add":
                return {"add": [package], "context_extensions": with_admins([], self.model.admins - {target})} | (
                    {} if target in self._listed(group) else {"context_extensions": None}
                )
            case "add as admin":
                return {"add": [package], "context_extensions": context}
            case "remove":
                return {"remove": [leaf]}
            case "promote" | "demote":
                return {"context_extensions": context}
            case "end roles":
                return {"context_extensions": []}
        return {"path": True}

    def _leave(self, actor: TelephoneNumber, allowed: bool) -> None:
        proposal = self.people[actor].group().leave()
        others = sorted(self.model.members - {actor})
        for number in others:
            self._judge(self.people[number], proposal, allowed)
        if not allowed:
            return
        author = self.people[others[0]]
        group = author.group()
        pending = group.commit(NOW)
        for number in others[1:]:
            self._judge(self.people[number], pending.commit, True)
        group.apply(pending.secrets)
        author.save(group)

    def _judge(self, person: Person, handshake: bytes, allowed: bool) -> None:
        group = person.group()
        try:
            event = roles.process(group, handshake, NOW, leaving=False)
        except GroupRefusedError:
            assert not allowed
            return
        assert allowed
        if not (isinstance(event, mls_rs.Commit) and event.removed_self):
            person.save(group)

    def _listed(self, group: mls_rs.Group) -> frozenset[TelephoneNumber]:
        return admins_of(group.context_extensions()) or frozenset()

    def agree(self) -> None:
        groups = [self.people[number].group() for number in sorted(self.model.members)]
        assert len({(group.epoch, group.epoch_authenticator()) for group in groups}) == 1
        for group in groups:
            epoch = EpochRoles.of(group)
            members = set(epoch.members.values())
            assert members == self.model.members
            assert epoch.admins is not None
            assert epoch.admins & members == self.model.admins & members != frozenset()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(PEOPLE, ACTS, PEOPLE), max_size=25))
def test_all_members_judge_alike_and_only_admins_change_the_group(attempts) -> None:
    world = World()
    for number in NUMBERS[1:3]:
        world.attempt(NUMBERS[0], "add", number)
    assert world.happened == 2
    for actor, act, target in attempts:
        world.attempt(actor, act, target)


def test_the_rules_of_the_specification_are_those_of_the_code() -> None:
    specified = (Path(__file__).parents[2] / "docs" / "binding.md").read_text().partition("### 3.1 Roles")[2]
    stated = re.findall(r"^\| ([0-9]) \| .* \| `([a-z-]+)` \|$", specified.partition("\n### ")[0], re.MULTILINE)
    assert stated == re.findall(r"^ *\| ([0-9]) \| ([a-z-]+) *\| ", EpochRoles.check_commit.__doc__ or "", re.MULTILINE)
    assert [number for number, _ in stated] == list("123456")
    assert f"0x{ROLES_EXTENSION:X}" in specified
    assert f"at most {ADMINS_LIMIT} " in specified
