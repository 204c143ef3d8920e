"""Every place where RFC 9420 §5.3.1 wants a credential validated asks the callable, and its refusal changes nothing."""

import mls_rs as mls
import pytest
from mls_people import DAY, NOW, Gate, Person, RefusalError, gathered, identity

pytestmark = pytest.mark.parametrize("kind", ["basic", "x509"])
MALLORY = "mallory"


def varint(size: int) -> bytes:
    return bytes([size]) if size < 64 else (0x4000 | size).to_bytes(2, "big")


def opaque(data: bytes) -> bytes:
    return varint(len(data)) + data


def external_senders(person: Person) -> tuple[int, bytes]:
    credential = person.engine.credential
    if credential.kind == "basic":
        encoded = b"\0\1" + opaque(credential.identifier)
    else:
        encoded = b"\0\2" + opaque(b"".join(opaque(der) for der in credential.chain))
    return 5, opaque(opaque(person.engine.signature_key) + encoded)


def refuse(person: Person, attempt, error=mls.CredentialRefusedError) -> None:
    """The attempt is refused, the callable's exception is the cause, and the stored state still stands."""
    before = person.standing() if person.group and not person.group.poisoned else None
    with pytest.raises(error) as caught:
        attempt()
    assert isinstance(caught.value.__cause__, RefusalError)
    assert caught.value.__cause__ is person.gate.raised[-1]
    assert caught.value.code in ("credential_refused", "successor_refused")
    if before:
        assert person.group.poisoned
        with pytest.raises(mls.PoisonedError):
            person.group.encrypt(b"x")
        person.reload()
        assert person.standing() == before
        assert person.group.pending_proposals() == 0


def test_own_leaf_at_creation(kind):
    alice = Person("alice", kind)
    alice.gate.refused.add("alice")
    refuse(alice, alice.create)
    assert alice.group is None


def test_key_package_looked_at(kind):
    alice, mallory = Person("alice", kind), Person(MALLORY, kind)
    package = mallory.offer()
    assert alice.engine.check_key_package(package, NOW).identity == b"mallory"
    alice.gate.refused.add(MALLORY)
    stranger = Person(MALLORY, kind).offer()
    refuse(alice, lambda: alice.engine.check_key_package(stranger, NOW))


def test_key_package_added_by_us(kind):
    alice, bob = gathered("alice", "bob", kind=kind)
    alice.gate.refused.add(MALLORY)
    package = Person(MALLORY, kind).offer()
    refuse(alice, lambda: alice.group.commit(NOW, add=[package]))
    refuse(alice, lambda: alice.group.propose_add(package, NOW))
    assert bob.group.process(alice.group.encrypt(b"still here"), NOW).data == b"still here"


def test_add_proposal_received(kind):
    alice, bob = gathered("alice", "bob", kind=kind)
    alice.gate.refused.add(MALLORY)
    proposal = bob.group.propose_add(Person(MALLORY, kind).offer(), NOW)
    refuse(alice, lambda: alice.group.process(proposal, NOW))


def test_commit_received_with_an_add(kind):
    alice, bob = gathered("alice", "bob", kind=kind)
    alice.gate.refused.add(MALLORY)
    commit = bob.group.commit(NOW, add=[Person(MALLORY, kind).offer()]).commit
    refuse(alice, lambda: alice.group.process(commit, NOW))


def test_update_proposal_received(kind):
    alice, bob = gathered("alice", "bob", kind=kind)
    alice.gate.refused.add(MALLORY)
    proposal = bob.group.propose_update(NOW, bob.rotated(MALLORY))
    refuse(alice, lambda: alice.group.process(proposal, NOW))


def test_update_proposal_of_a_wrong_successor(kind):
    alice, bob = gathered("alice", "bob", kind=kind)
    alice.gate.no_heirs = True
    proposal = bob.group.propose_update(NOW, bob.rotated())
    refuse(alice, lambda: alice.group.process(proposal, NOW), mls.SuccessorRefusedError)


def test_new_credential_in_a_commit_path(kind):
    alice, bob = gathered("alice", "bob", kind=kind)
    alice.gate.refused.add(MALLORY)
    commit = bob.group.commit(NOW, identity=bob.rotated(MALLORY)).commit
    refuse(alice, lambda: alice.group.process(commit, NOW))


def test_wrong_successor_in_a_commit_path(kind):
    alice, bob = gathered("alice", "bob", kind=kind)
    alice.gate.no_heirs = True
    commit = bob.group.commit(NOW, identity=bob.rotated("bobby")).commit
    refuse(alice, lambda: alice.group.process(commit, NOW), mls.SuccessorRefusedError)
    assert alice.gate.succeeded == [("bob", "bobby")]


def test_ones_own_rotation(kind):
    alice, _ = gathered("alice", "bob", kind=kind)
    alice.gate.refused.add(MALLORY)
    refuse(alice, lambda: alice.group.commit(NOW, identity=alice.rotated(MALLORY)))
    refuse(alice, lambda: alice.group.propose_update(NOW, alice.rotated(MALLORY)))
    alice.gate.refused.clear()
    alice.gate.no_heirs = True
    refuse(alice, lambda: alice.group.commit(NOW, identity=alice.rotated()), mls.SuccessorRefusedError)


@pytest.mark.parametrize("refused", ["alice", "bob", "carol"])
def test_every_leaf_when_joining_from_a_welcome(kind, refused):
    alice, _ = gathered("alice", "bob", kind=kind)
    carol = Person("carol", kind)
    pending = alice.commit(add=[carol.offer()])
    carol.gate.refused.add(refused)
    refuse(carol, lambda: carol.join(pending))
    carol.gate.refused.clear()
    carol.join(pending)
    assert carol.standing() == alice.standing()
    assert set(carol.gate.names()) == {"alice", "bob", "carol"}
    assert {now for _, _, now in carol.gate.asked} == {NOW}


@pytest.mark.parametrize("refused", ["alice", "bob", "carol"])
def test_every_leaf_when_joining_by_external_commit(kind, refused):
    alice, _ = gathered("alice", "bob", kind=kind)
    carol = Person("carol", kind)
    carol.gate.refused.add(refused)
    info = alice.group.group_info()
    refuse(carol, lambda: carol.engine.external_join(info, NOW))


def test_the_newcomer_of_an_external_commit(kind):
    alice, _ = gathered("alice", "bob", kind=kind)
    _, commit, _ = Person(MALLORY, kind).engine.external_join(alice.group.group_info(), NOW)
    alice.gate.refused.add(MALLORY)
    refuse(alice, lambda: alice.group.process(commit, NOW))


def test_replacing_a_leaf_by_external_commit_needs_a_successor_on_both_sides(kind):
    alice, _ = gathered("alice", "bob", kind=kind)
    newcomer = Person("robert", kind)
    newcomer.gate.no_heirs = True
    info = alice.group.group_info()
    refuse(newcomer, lambda: newcomer.engine.external_join(info, NOW, remove=1), mls.SuccessorRefusedError)
    newcomer.gate.no_heirs = False
    _, commit, _ = newcomer.engine.external_join(info, NOW, remove=1)
    alice.gate.no_heirs = True
    refuse(alice, lambda: alice.group.process(commit, NOW), mls.SuccessorRefusedError)


@pytest.mark.parametrize("refused", ["alice", "bob"])
def test_every_leaf_when_an_observer_opens(kind, refused):
    alice, _ = gathered("alice", "bob", kind=kind)
    gate = Gate({refused})
    with pytest.raises(mls.CredentialRefusedError) as caught:
        mls.Observer.open(alice.group.group_info(), gate.validate, gate.succeed, NOW)
    assert caught.value.__cause__ is gate.raised[-1]


def test_what_an_observer_receives(kind):
    alice, bob = gathered("alice", "bob", kind=kind)
    gate = Gate({MALLORY})
    observer = mls.Observer.open(alice.group.group_info(), gate.validate, gate.succeed, NOW)
    snapshot, hashed = observer.snapshot(), observer.tree_hash()
    offer = Person(MALLORY, kind).offer()
    messages = [
        alice.group.propose_add(offer, NOW),
        bob.group.propose_update(NOW, bob.rotated(MALLORY)),
        bob.group.commit(NOW, identity=bob.rotated(MALLORY)).commit,
        bob.group.commit(NOW, add=[offer]).commit,
        Person(MALLORY, kind).engine.external_join(alice.group.group_info(), NOW)[1],
    ]
    for message in messages:
        with pytest.raises(mls.CredentialRefusedError) as caught:
            observer.process(message, NOW)
        assert caught.value.__cause__ is gate.raised[-1]
        assert observer.poisoned
        with pytest.raises(mls.PoisonedError):
            observer.members()
        observer = mls.Observer.load(snapshot, gate.validate, gate.succeed)
        assert observer.tree_hash() == hashed


def test_external_senders(kind):
    mallory = Person(MALLORY, kind)
    extension = external_senders(mallory)
    alice, bob = gathered("alice", "bob", kind=kind)
    alice.gate.refused.add(MALLORY)
    refuse(alice, lambda: alice.group.commit(NOW, context_extensions=[extension]))
    refuse(alice, lambda: alice.group.propose_context_extensions([extension]))
    refuse(alice, lambda: alice.group.process(bob.group.propose_context_extensions([extension]), NOW))
    bob.reload()
    refuse(alice, lambda: alice.group.process(bob.group.commit(NOW, context_extensions=[extension]).commit, NOW))
    founder = Person("founder", kind)
    founder.gate.refused.add(MALLORY)
    refuse(founder, lambda: founder.create(context_extensions=[extension]))


def test_external_senders_when_joining(kind):
    alice = Person("alice", kind)
    alice.create(context_extensions=[external_senders(Person(MALLORY, kind))])
    bob = Person("bob", kind)
    pending = alice.commit(add=[bob.offer()])
    bob.gate.refused.add(MALLORY)
    refuse(bob, lambda: bob.join(pending))
    refuse(bob, lambda: bob.engine.external_join(alice.group.group_info(), NOW))
    bob.gate.refused.clear()
    bob.join(pending)
    assert {now for _, _, now in bob.gate.asked} == {NOW}
    gate = Gate({MALLORY})
    with pytest.raises(mls.CredentialRefusedError):
        mls.Observer.open(alice.group.group_info(), gate.validate, gate.succeed, NOW)


def test_an_identity_may_be_in_a_group_once(kind):
    alice, _ = gathered("alice", "bob", kind=kind)
    twin = Person("bob", kind).offer()
    with pytest.raises(mls.CredentialRefusedError) as caught:
        alice.group.commit(NOW, add=[twin])
    assert caught.value.__cause__ is None


def test_an_approval_is_remembered_while_it_lasts(kind):
    alice, bob = gathered("alice", "bob", kind=kind)
    bob.gate.asked.clear()
    bob.group.process(alice.commit(path=True).commit, NOW + 5)
    assert bob.gate.asked == []
    later = alice.commit(path=True).commit
    if kind == "x509":
        with pytest.raises(mls.CredentialRefusedError) as caught:
            bob.group.process(later, NOW + 40 * DAY)
        assert str(caught.value.__cause__) == "expired"
    else:
        bob.group.process(later, NOW + 40 * DAY)
    assert bob.gate.asked[0][::2] == ("alice", NOW + 40 * DAY)


def test_a_succession_is_remembered_and_identity_needs_none(kind):
    alice, bob = gathered("alice", "bob", kind=kind)
    commit = bob.group.commit(NOW, identity=bob.rotated()).commit
    alice.group.process(commit, NOW)
    alice.reload()
    alice.group.process(commit, NOW)
    assert alice.gate.succeeded == [("bob", "bob")]


def test_without_succeed_a_successor_keeps_the_identity(kind):
    gate = Gate()
    credential, key = identity(kind, 1, "alice")
    engine = mls.Engine(1, credential, key, gate.validate)
    group = engine.create(b"g", NOW)
    group.commit(NOW, identity=engine.rotate(*identity(kind, 1, "alice")))
    with pytest.raises(mls.SuccessorRefusedError) as caught:
        group.commit(NOW, identity=engine.rotate(*identity(kind, 1, "other")))
    assert caught.value.__cause__ is None


def test_an_expired_member_can_still_be_removed_after_a_reload(kind):
    alice, bob, _ = gathered("alice", "bob", "carol", kind=kind)
    bob.gate.refused.add("carol")
    bob.reload()
    pending = bob.commit(remove=[2])
    report = alice.group.process(pending.commit, NOW)
    assert [member.identity for member in report.removed] == [b"carol"]


def test_a_validator_must_answer_with_an_approval(kind):
    credential, key = identity(kind, 1, "alice")
    engine = mls.Engine(1, credential, key, lambda *_: None)
    with pytest.raises(mls.CredentialRefusedError) as caught:
        engine.create(b"g", NOW)
    assert isinstance(caught.value.__cause__, TypeError)


def test_an_interrupt_passes_through_unchanged(kind):
    def interrupted(*_):
        raise KeyboardInterrupt

    credential, key = identity(kind, 1, "alice")
    with pytest.raises(KeyboardInterrupt):
        mls.Engine(1, credential, key, interrupted).create(b"g", NOW)


def test_joining_asks_about_ended_lifetimes_unless_the_validator_alone_is_to_judge(kind):
    alice, bob, carol = (Person(name, kind) for name in ("alice", "bob", "carol"))
    alice.create()
    bob.join(alice.commit(add=[bob.offer(lifetime=DAY)]))
    pending = alice.commit(add=[carol.offer()])
    later, secrets = NOW + 2 * DAY, [carol.package.secret]
    with pytest.raises(mls.MlsError, match="ifetime"):
        carol.engine.join(pending.welcomes[0], secrets, later)
    joined = carol.engine.join(pending.welcomes[0], secrets, later, lifetimes=False)
    assert joined.epoch_authenticator() == alice.group.epoch_authenticator()
    assert [at for name, _, at in carol.gate.asked if name == "bob"] == [later]


def test_joining_without_lifetimes_still_asks_about_every_leaf(kind):
    alice, bob, carol = (Person(name, kind) for name in ("alice", "bob", "carol"))
    alice.create()
    bob.join(alice.commit(add=[bob.offer()]))
    pending = alice.commit(add=[carol.offer()])
    carol.gate.refused.add("bob")
    with pytest.raises(mls.CredentialRefusedError):
        carol.engine.join(pending.welcomes[0], [carol.package.secret], NOW, lifetimes=False)
