"""What messages say of themselves without any state."""

import mls_rs as mls
import pytest
from mls_people import NOW, SUITES, Person, gathered


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("kind", ["basic", "x509"])
def test_key_packages_and_welcomes(kind, suite):
    alice, bob = Person("alice", kind, suite), Person("bob", kind, suite)
    alice.create()
    package = mls.inspect(bob.offer())
    assert (package.kind, package.cipher_suite, package.content) == ("key_package", suite, None)
    assert package.key_package_references == (bob.package.reference,)
    assert package.proposed_credentials == ((bob.engine.credential, bob.engine.signature_key),)
    pending = alice.commit(add=[bob.package.message])
    welcome = mls.inspect(pending.welcomes[0])
    assert (welcome.kind, welcome.cipher_suite, welcome.group_id) == ("welcome", suite, None)
    assert welcome.key_package_references == (bob.package.reference,)
    info = mls.inspect(pending.group_info)
    assert (info.kind, info.group_id, info.epoch, info.cipher_suite) == ("group_info", b"group", 1, suite)


def test_commits():
    alice, bob, _ = gathered("alice", "bob", "carol")
    dave, new = Person("dave"), bob.rotated()
    commit = bob.group.commit(NOW, add=[dave.offer()], remove=[2], identity=new, psks=()).commit
    seen = mls.inspect(commit)
    assert (seen.kind, seen.content, seen.sender, seen.sender_index) == ("public_message", "commit", "member", 1)
    assert (seen.group_id, seen.epoch, seen.cipher_suite) == (b"group", 1, None)
    assert sorted(seen.proposals) == ["add", "remove"]
    assert seen.removed == (2,)
    assert seen.has_path
    assert [key for _, key in seen.proposed_credentials] == [dave.engine.signature_key, new.signature_key]
    assert not mls.inspect(bob.group.commit(NOW, add=[dave.package.message]).commit).has_path
    assert alice.group.epoch == 1


def test_proposals():
    alice, _ = gathered("alice", "bob", psks={})
    dave = Person("dave")
    for message, name, credentials, removed in (
        (alice.group.propose_add(dave.offer(), NOW), "add", 1, ()),
        (alice.group.propose_update(NOW), "update", 1, ()),
        (alice.group.propose_remove(1), "remove", 0, (1,)),
        (alice.group.propose_context_extensions([]), "group_context_extensions", 0, ()),
        (alice.group.propose_psk(b"id"), "psk", 0, ()),
    ):
        seen = mls.inspect(message)
        assert (seen.content, seen.proposals, seen.removed) == ("proposal", (name,), removed)
        assert len(seen.proposed_credentials) == credentials


def test_private_messages():
    alice, _ = gathered("alice", "bob")
    seen = mls.inspect(alice.group.encrypt(b"x"))
    assert (seen.kind, seen.content, seen.epoch, seen.group_id) == ("private_message", "application", 1, b"group")
    assert (seen.sender, seen.sender_index, seen.authenticated_data) == (None, None, b"")


@pytest.mark.parametrize("length", [0, 1, 63, 64, 16_383, 16_384])
def test_authenticated_data_is_that_of_the_message(length):
    alice, bob = gathered("alice", "bob")
    data = bytes(length)
    message = alice.group.encrypt(b"x", data)
    assert mls.inspect(message).authenticated_data == data == bob.group.process(message, NOW).authenticated_data
    assert mls.inspect(alice.group.propose_remove(1, data)).authenticated_data == data
    assert mls.inspect(bob.group.commit(NOW, authenticated_data=data).commit).authenticated_data == data
    assert mls.inspect(bob.offer()).authenticated_data is None
