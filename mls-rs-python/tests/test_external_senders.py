"""Who is named in external_senders may propose from outside, and what members can do about it (RFC 9420 §12.1.8.1)."""

import mls_rs as mls
import pytest
from mls_people import NOW, Gate, Person, RefusalError, gathered

SERVICE = mls.Credential.basic(b"service")
EXTERNAL_SENDERS = 5


class Service:
    """An external sender with a key, and an observer of one group."""

    def __init__(self, *others: tuple[mls.Credential, bytes]) -> None:
        private, self.public = mls.generate_signature_key(2)
        self.private = bytes(private)
        entries = [*others, (SERVICE, self.public)]
        self.extension = EXTERNAL_SENDERS, mls.encode_external_senders(entries)
        self.gate = Gate()

    def observe(self, group: mls.Group) -> None:
        info = group.group_info()
        self.observer = mls.Observer.open(info, self.gate.validate, self.gate.succeed, NOW)

    def remove(self, index: int, data: bytes = b"") -> bytes:
        return self.observer.propose_remove(index, SERVICE, bytearray(self.private), data)


def served(*names: str, others: tuple[tuple[mls.Credential, bytes], ...] = ()) -> tuple[Service, list[Person]]:
    service = Service(*others)
    first, *rest = people = [Person(name, suite=2) for name in names]
    first.create(context_extensions=[service.extension])
    pending = first.commit(add=[person.offer() for person in rest])
    for person in rest:
        person.join(pending)
    service.observe(first.group)
    return service, people


def test_an_external_senders_remove_is_carried_out_by_a_members_commit():
    service, (alice, bob, carol) = served("alice", "bob", "carol")
    proposal = service.remove(2, b"why")
    assert service.observer.proposals() == []
    for event in (service.observer.process(proposal, NOW), *(p.group.process(proposal, NOW) for p in (alice, bob))):
        assert (event.type, event.sender, event.external, event.authenticated_data) == ("remove", None, 0, b"why")
        assert event.removed.identity == b"carol"
        assert [each.reference for each in alice.group.proposals()] in ([event.reference], [])
    pending = alice.group.commit(NOW)
    for commit in (
        alice.group.apply(pending.secrets),
        bob.group.process(pending.commit, NOW),
        service.observer.process(pending.commit, NOW),
    ):
        assert [member.identity for member in commit.removed] == [b"carol"]
        (proposed,) = commit.proposals
        assert (proposed.type, proposed.sender, proposed.external) == ("remove", None, 0)
        assert proposed.reference == event.reference
    assert carol.group.process(proposal, NOW).removed.identity == b"carol"
    assert carol.group.process(pending.commit, NOW).removed_self
    assert alice.standing() == bob.standing()


def test_a_member_may_leave_a_proposal_out_and_still_read_a_commit_that_carries_it():
    service, (alice, bob, carol) = served("alice", "bob", "carol")
    proposal = service.remove(2)
    references = [person.group.process(proposal, NOW).reference for person in (alice, bob, carol)]
    without = alice.group.commit(NOW, leave_out=references[:1])
    rival = bob.group.commit(NOW)
    bob.group.apply(rival.secrets)
    twin = alice.engine.load(alice.group.delta().state, alice.tree)
    assert [each.identity for each in twin.process(rival.commit, NOW).removed] == [b"carol"]
    commit = alice.group.apply(without.secrets)
    assert commit.removed == commit.proposals == ()
    assert alice.group.proposals() == []  # it was for the epoch that has ended
    assert carol.group.process(without.commit, NOW).removed == ()
    assert service.observer.process(proposal, NOW).type == "remove"
    assert service.observer.process(without.commit, NOW).removed == ()
    assert alice.standing() == carol.standing()


def test_only_the_proposals_that_are_named_are_left_out():
    service, (alice, bob, carol, dave) = served("alice", "bob", "carol", "dave")
    unwanted, wanted = service.remove(2), service.remove(3)
    for person in (alice, bob, carol, dave):
        refused = person.group.process(unwanted, NOW).reference
        person.group.process(wanted, NOW)
    pending = alice.group.commit(NOW, leave_out=[refused])
    assert [member.identity for member in bob.group.process(pending.commit, NOW).removed] == [b"dave"]
    alice.group.apply(pending.secrets)
    assert [member.identity for member in alice.group.members()] == [b"alice", b"bob", b"carol"]
    with_all = alice.group.commit(NOW, remove=[2])  # nothing of an earlier call stays in force
    assert [each.identity for each in alice.group.apply(with_all.secrets).removed] == [b"carol"]


def test_who_is_not_named_cannot_propose():
    service, _ = served("alice", "bob")
    stranger = bytearray(mls.generate_signature_key(2)[0])
    with pytest.raises(mls.EngineError):
        service.observer.propose_remove(1, SERVICE, stranger)
    assert not any(stranger)  # wiped all the same
    with pytest.raises(mls.EngineError):
        service.observer.propose_remove(1, mls.Credential.basic(b"another"), bytearray(service.private))
    with pytest.raises(mls.NotAMemberError):
        service.remove(7)
    plain, _ = gathered("alice", "bob", suite=2)
    service.observe(plain.group)
    with pytest.raises(mls.EngineError):
        service.remove(1)
    assert not service.observer.poisoned


def test_a_changed_proposal_is_not_the_senders():
    service, (alice, bob) = served("alice", "bob")
    proposal = bytearray(service.remove(1))
    proposal[-1] ^= 1
    with pytest.raises(mls.InvalidSignatureError):
        alice.group.process(bytes(proposal), NOW)
    assert alice.group.poisoned
    alice.reload()
    assert alice.group.proposals() == []
    bob.group.process(service.remove(1), NOW)


def test_a_proposal_names_which_of_the_senders_it_is_by():
    other = mls.Credential.basic(b"other"), mls.generate_signature_key(2)[1]
    service, (alice, _) = served("alice", "bob", others=(other,))
    assert alice.group.process(service.remove(1), NOW).external == 1


def test_external_senders_are_asked_about_apart_from_leaves():
    """A callable for them alone is asked for each one, and what it says counts for no leaf."""
    service, asked = Service(), []

    def external(credential: mls.Credential, key: bytes, now: int) -> None:
        asked.append((credential, key, now))
        if key != service.public:
            raise RefusalError("another service")

    alice, bob = (Person(name, suite=2, validate_external=external) for name in ("alice", "bob"))
    alice.gate.refused.add("service")
    alice.create(context_extensions=[service.extension])
    bob.join(alice.commit(add=[bob.offer()]))
    assert set(asked) == {(SERVICE, service.public, NOW)}
    mls.Observer.open(
        alice.group.group_info(), alice.gate.validate, alice.gate.succeed, NOW, validate_external=external
    )
    assert "service" not in alice.gate.names()
    posing = Person("service", suite=2)
    with pytest.raises(mls.CredentialRefusedError):
        alice.engine.check_key_package(posing.offer(), NOW)
    with pytest.raises(mls.CredentialRefusedError) as caught:
        alice.group.commit(NOW, context_extensions=[Service().extension])
    assert str(caught.value.__cause__) == "another service"
    with pytest.raises(mls.CredentialRefusedError):
        alice.engine.create(b"another", NOW, context_extensions=[Service().extension])


def test_the_extension_is_read_as_it_was_written():
    key = mls.generate_signature_key(2)[1]
    chain = mls.Credential.x509([b"leaf", b"issuer"])
    content = mls.encode_external_senders([(SERVICE, key), (chain, b"k")])
    assert mls.decode_external_senders(content) == [(SERVICE, key), (chain, b"k")]
    assert mls.decode_external_senders(mls.encode_external_senders([])) == []
    for broken in (content[:-1], content + b"\0", b""):
        with pytest.raises(mls.MalformedError):
            mls.decode_external_senders(broken)
