"""New credentials for old members."""

import mls_rs as mls
import pytest
from mls_people import NOW, SUITES, gathered


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
