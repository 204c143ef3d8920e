"""New credentials for old members."""

import mls_rs as mls
import pytest
from mls_people import NOW, SUITES, Person, gathered


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("kind", ["basic", "x509"])
def test_rotation_inside_a_commit(kind, suite):
    alice, bob = gathered("alice", "bob", kind=kind, suite=suite)
    old, new = alice.engine, alice.rotated()
    pending = alice.group.commit(NOW, identity=new)
    ours = alice.group.apply(pending.secrets)
    theirs = bob.group.process(pending.commit, NOW)
    for report in (ours, theirs):
        ((before, after),) = report.updated
        assert (before.signature_key, after.signature_key) == (old.signature_key, new.signature_key)
        assert (before.credential, after.credential) == (old.credential, new.credential)
        assert report.committer.signature_key == old.signature_key
    alice.save()
    alice.group = new.load(alice.state, alice.tree)
    heard = bob.group.process(alice.group.encrypt(b"renewed"), NOW)
    assert heard.sender.signature_key == new.signature_key
    assert alice.standing() == bob.standing()


def test_rotation_by_update_proposal():
    alice, bob = gathered("alice", "bob", kind="x509", suite=2)
    new = alice.rotated()
    bob.group.process(alice.group.propose_update(NOW, new), NOW)
    alice.save()
    alice.reload()
    report = alice.group.process(bob.commit().commit, NOW)
    ((before, after),) = report.updated
    assert (before.credential, after.credential) == (alice.engine.credential, new.credential)
    assert bob.group.process(alice.group.encrypt(b"renewed"), NOW).sender.signature_key == new.signature_key


def test_rotation_needs_the_same_suite():
    alice, _ = gathered("alice", "bob")
    other = gathered("alice", suite=2)[0].engine
    with pytest.raises(mls.UnsupportedError):
        alice.group.commit(NOW, identity=other)


def carried(person, index: int) -> tuple[tuple[int, bytes], ...]:
    return person.group.leaf_extensions(index)


def test_leaves_carry_the_extensions_of_the_engine_that_made_them():
    options = {"extension_types": (0xF0F0,)}
    alice = Person("alice", leaf_extensions=[(0xF0F0, b"first")], **options)
    bob = Person("bob", leaf_extensions=[(0xF0F0, b"bob's")], **options)
    carol = Person("carol")
    alice.create()
    pending = alice.commit(add=[bob.offer(), carol.offer()])
    for person in (bob, carol):
        person.join(pending)
    for person in (alice, bob, carol):
        assert carried(person, alice.group.own_index) == ((0xF0F0, b"first"),)
        assert carried(person, bob.group.own_index) == ((0xF0F0, b"bob's"),)
        assert carried(person, carol.group.own_index) == ()
    with pytest.raises(mls.NotAMemberError):
        carol.group.leaf_extensions(9)


def test_a_commit_replaces_them_with_those_of_the_engine_that_it_names_and_leaves_them_otherwise():
    alice, bob = gathered("alice", "bob", extension_types=(0xF0F0,), leaf_extensions=[(0xF0F0, b"old")])
    new = alice.engine.rotate(alice.engine.credential, bytearray(alice.seed), leaf_extensions=[(0xF0F0, b"new")])
    assert (alice.engine.leaf_extensions, new.leaf_extensions) == (((0xF0F0, b"old"),), ((0xF0F0, b"new"),))
    assert new.rotate(new.credential, bytearray(alice.seed)).leaf_extensions == new.leaf_extensions
    renewed = alice.group.commit(NOW, identity=new)
    alice.group.apply(renewed.secrets)
    bob.group.process(renewed.commit, NOW)
    for person in (alice, bob):
        assert carried(person, alice.group.own_index) == ((0xF0F0, b"new"),)
    plain = alice.group.commit(NOW, path=True)
    alice.group.apply(plain.secrets)
    bob.group.process(plain.commit, NOW)
    for person in (alice, bob):
        assert carried(person, alice.group.own_index) == ((0xF0F0, b"new"),)


def test_an_extension_that_the_leaf_does_not_advertise_is_refused():
    alice = Person("alice", leaf_extensions=[(0xF0F0, b"unheard of")])
    with pytest.raises(mls.MlsError):
        alice.create()
