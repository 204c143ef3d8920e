"""Joining by an external commit, and looking before joining."""

import mls_rs as mls
import pytest
from mls_people import NOW, Person, gathered


@pytest.mark.parametrize("kind", ["basic", "x509"])
@pytest.mark.parametrize("in_band", [True, False])
def test_joining_from_a_group_info(kind, in_band):
    alice, bob = gathered("alice", "bob", kind=kind, suite=2)
    carol = Person("carol", kind, 2)
    tree = None if in_band else alice.group.tree()
    carol.group, commit, info = carol.engine.external_join(
        alice.group.group_info(with_tree=in_band), NOW, tree=tree, authenticated_data=b"aad"
    )
    carol.save()
    for person in (alice, bob):
        report = person.group.process(commit, NOW)
        assert report.external
        assert [member.identity for member in report.added] == [b"carol"]
        assert (report.committer.index, report.committer.identity) == (2, b"carol")
        assert report.authenticated_data == b"aad"
        assert person.standing() == carol.standing()
    inspected = mls.inspect(commit)
    assert (inspected.sender, inspected.sender_index, inspected.has_path) == ("new_member_commit", None, True)
    dave = Person("dave", kind, 2)
    dave.group, commit, _ = dave.engine.external_join(info, NOW)
    carol.reload()
    carol.group.process(commit, NOW)
    assert carol.standing() == dave.standing()


def test_replacing_ones_former_leaf():
    alice, bob = gathered("alice", "bob")
    returned = Person("bobby")
    returned.group, commit, _ = returned.engine.external_join(alice.group.group_info(), NOW, remove=1)
    report = alice.group.process(commit, NOW)
    assert [member.identity for member in report.removed] == [b"bob"]
    assert [member.identity for member in report.added] == [b"bobby"]
    assert report.updated == ()
    assert alice.standing() == returned.standing()
    assert bob.group.process(commit, NOW).removed_self


def test_with_a_pre_shared_key():
    people = [Person(name, psks={b"id": bytearray(b"k" * 32)}) for name in ("alice", "bob")]
    alice, bob = people
    alice.create()
    bob.group, commit, _ = bob.engine.external_join(alice.group.group_info(), NOW, psks=[b"id"])
    alice.group.process(commit, NOW)
    assert alice.standing() == bob.standing()


def test_a_tree_and_an_external_key_are_needed():
    alice, _ = gathered("alice", "bob")
    carol = Person("carol")
    with pytest.raises(mls.MissingTreeError):
        carol.engine.external_join(alice.group.group_info(with_tree=False), NOW)
    with pytest.raises(mls.EngineError) as caught:
        carol.engine.external_join(alice.group.group_info(external=False), NOW)
    assert caught.value.code == "missing_external_pub_extension"
    with pytest.raises(mls.EngineError):
        carol.engine.external_join(alice.group.group_info(), NOW, remove=9)


@pytest.mark.parametrize("kind", ["basic", "x509"])
def test_looking_into_a_welcome_and_a_group_info(kind):
    alice = Person("alice", kind, extension_types=[0xF000])
    alice.create(b"party", context_extensions=[(0xF000, b"topic")])
    bob = Person("bob", kind, extension_types=[0xF000])
    pending = alice.commit(add=[bob.offer()])
    looks = [
        bob.engine.preview(pending.welcomes[0], [bob.package.secret], NOW),
        bob.engine.preview_group_info(pending.group_info, NOW),
    ]
    for look in looks:
        assert (look.group_id, look.epoch, look.cipher_suite, look.signer_index) == (b"party", 1, 1, 0)
        assert look.context_extensions == ((0xF000, b"topic"),)
        assert [(index, credential) for index, credential, _ in look.members] == [
            (0, alice.engine.credential),
            (1, bob.engine.credential),
        ]
    assert set(bob.gate.names()) == {"alice"}
    bob.join(pending)
    assert bob.used == [bob.package.reference]


def test_a_forged_group_info_is_refused_when_looked_at():
    alice, _ = gathered("alice", "bob")
    info = alice.group.group_info()
    carol = Person("carol")
    forged = info[:-1] + bytes([info[-1] ^ 1])
    for attempt in (carol.engine.preview_group_info, carol.engine.external_join):
        with pytest.raises(mls.InvalidSignatureError):
            attempt(forged, NOW)
    without = carol.engine.preview_group_info(alice.group.group_info(with_tree=False), NOW)
    assert without.members == ()
    assert carol.engine.preview_group_info(
        alice.group.group_info(with_tree=False), NOW, tree=alice.group.tree()
    ).members


def test_kinds_and_suites_are_checked():
    alice, _ = gathered("alice", "bob")
    other = Person("carol", suite=2)
    with pytest.raises(mls.UnsupportedError):
        other.engine.external_join(alice.group.group_info(), NOW)
    with pytest.raises(mls.UnsupportedError):
        alice.engine.join(alice.group.group_info(), [], NOW)
    with pytest.raises(mls.UnsupportedError):
        alice.engine.check_key_package(other.offer(), NOW)
    with pytest.raises(mls.UnsupportedError):
        mls.generate_signature_key(5)
