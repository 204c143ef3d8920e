"""A delivery service's view stays in step with the members."""

import random

import mls_rs as mls
import pytest
from mls_people import NOW, Gate, Person


class Crowd:
    """Members and an observer who take random steps together."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = 1
        self.gate = Gate()
        founder = Person("p0")
        founder.create()
        self.members = [founder]
        self.observer = mls.Observer.open(founder.group.group_info(), self.gate.validate, self.gate.succeed, NOW)

    def newcomer(self) -> Person:
        person = Person(f"p{self.count}")
        self.count += 1
        return person

    def others(self, committer: Person) -> list[Person]:
        return [person for person in self.members if person is not committer]

    def deliver(self, message: bytes, sender: Person | None) -> None:
        self.observer.process(message, NOW)
        for person in self.members:
            if person is not sender:
                person.group.process(message, NOW)

    def step(self) -> None:
        committer = self.random.choice(self.members)
        steps = [self.add, self.remove, self.update, self.rotate, self.propose, self.external]
        self.random.choice(steps)(committer)
        if self.random.random() < 0.3:
            self.observer = mls.Observer.load(self.observer.snapshot(), self.gate.validate, self.gate.succeed)

    def commit(self, committer: Person, **options) -> mls.Pending:
        pending = committer.group.commit(NOW, **options)
        self.deliver(pending.commit, committer)
        committer.group.apply(pending.secrets)
        return pending

    def add(self, committer: Person) -> None:
        newcomers = [self.newcomer() for _ in range(self.random.randint(1, 3))]
        pending = self.commit(committer, add=[person.offer() for person in newcomers])
        for person in newcomers:
            person.join(pending)
        self.members.extend(newcomers)

    def remove(self, committer: Person) -> None:
        if others := self.others(committer):
            gone = self.random.choice(others)
            self.commit(committer, remove=[gone.group.own_index])
            self.members.remove(gone)

    def update(self, committer: Person) -> None:
        self.commit(committer, path=True)

    def rotate(self, committer: Person) -> None:
        committer.engine = committer.rotated()
        self.commit(committer, identity=committer.engine)

    def propose(self, committer: Person) -> None:
        for person in self.others(committer)[:2]:
            self.deliver(person.group.propose_update(NOW), person)
        self.commit(committer)

    def external(self, committer: Person) -> None:
        person = self.newcomer()
        person.group, commit, _ = person.engine.external_join(committer.group.group_info(), NOW)
        self.deliver(commit, None)
        self.members.append(person)

    def agree(self) -> None:
        assert {person.standing() for person in self.members} == {self.members[0].standing()}
        first = self.members[0].group
        assert (self.observer.epoch, self.observer.tree_hash()) == (first.epoch, first.tree_hash())
        assert self.observer.tree() == first.tree()
        seen = [(member.index, member.identity) for member in self.observer.members()]
        assert seen == [(member.index, member.identity) for member in first.members()]


@pytest.mark.parametrize("seed", range(4))
def test_observer_and_members_agree_over_random_steps(seed):
    crowd = Crowd(seed)
    for _ in range(40):
        crowd.step()
        crowd.agree()


def test_what_an_observer_reports():
    alice, bob = Person("alice"), Person("bob")
    alice.create()
    gate = Gate()
    observer = mls.Observer.open(alice.group.group_info(), gate.validate, None, NOW)
    assert (observer.group_id, observer.epoch, observer.cipher_suite) == (b"group", 0, 1)
    pending = alice.commit(add=[bob.offer()])
    report = observer.process(pending.commit, NOW)
    assert (report.epoch, report.committer.identity, report.added[0].identity) == (1, b"alice", b"bob")
    bob.join(pending)
    proposal = observer.process(bob.group.leave(b"bye"), NOW)
    assert (proposal.type, proposal.sender.identity, proposal.epoch) == ("remove", b"bob", 1)
    assert proposal.authenticated_data == b"bye"


def test_an_observer_tells_context_extensions_and_who_proposed_what():
    alice, bob = Person("alice", extension_types=[0xF000]), Person("bob", extension_types=[0xF000])
    alice.create(context_extensions=[(0xF000, b"one")])
    gate = Gate()
    observer = mls.Observer.open(alice.group.group_info(), gate.validate, None, NOW)
    assert (observer.context_extensions(), observer.proposals()) == (((0xF000, b"one"),), [])
    pending = alice.commit(add=[bob.offer()], context_extensions=[(0xF000, b"two")])
    report = observer.process(pending.commit, NOW)
    assert {(each.type, each.sender.identity) for each in report.proposals} == {
        ("add", b"alice"),
        ("group_context_extensions", b"alice"),
    }
    assert report.context_extensions == observer.context_extensions() == ((0xF000, b"two"),)
    bob.join(pending)
    leave = bob.group.leave()
    observer.process(leave, NOW)
    observer = mls.Observer.load(observer.snapshot(), gate.validate, None)
    (proposed,) = observer.proposals()
    assert (proposed.type, proposed.sender.identity, proposed.removed.identity) == ("remove", b"bob", b"bob")
    alice.group.process(leave, NOW)
    (proposed,) = observer.process(alice.commit().commit, NOW).proposals
    assert (proposed.sender.identity, proposed.removed.identity) == (b"bob", b"bob")
    assert observer.proposals() == []


def test_an_observer_refuses_what_it_cannot_follow():
    alice = Person("alice")
    alice.create()
    gate = Gate()
    snapshot = mls.Observer.open(alice.group.group_info(), gate.validate, None, NOW).snapshot()
    old = alice.group.commit(NOW, path=True).commit
    sealed = alice.group.encrypt(b"x")
    alice.commit(path=True)
    for message, error in (
        (sealed, mls.UnsupportedError),
        (alice.group.commit(NOW, path=True).commit, mls.WrongEpochError),
        (alice.offer(), mls.UnsupportedError),
        (old[:-40] + bytes([old[-40] ^ 1]) + old[-39:], mls.MlsError),
    ):
        observer = mls.Observer.load(snapshot, gate.validate, None)
        if error is mls.MlsError:
            observer.process(message, NOW)  # the confirmation tag is for members to check (RFC 9420 §8.1)
            continue
        with pytest.raises(error):
            observer.process(message, NOW)
        assert observer.poisoned
    observer = mls.Observer.load(snapshot, gate.validate, None)
    with pytest.raises(mls.MalformedError):
        observer.process(b"garbage", NOW)
    assert not observer.poisoned


def test_an_observer_refuses_a_forged_signature():
    alice = Person("alice")
    alice.create()
    observer = mls.Observer.open(alice.group.group_info(), Gate().validate, None, NOW)
    commit = alice.group.commit(NOW, path=True).commit
    signature = len(commit) - 2 * 33 - 10
    with pytest.raises(mls.InvalidSignatureError):
        observer.process(commit[:signature] + bytes([commit[signature] ^ 1]) + commit[signature + 1 :], NOW)
