"""A group's life, for every suite and both kinds of credential."""

import mls_rs as mls
import pytest
from mls_people import NOW, SUITES, Person, gathered, name_of

EVERY = pytest.mark.parametrize(("kind", "suite"), [(kind, suite) for kind in ("basic", "x509") for suite in SUITES])


@EVERY
def test_create_add_talk_remove(kind, suite):
    alice, bob, carol = gathered("alice", "bob", "carol", kind=kind, suite=suite)
    sealed = alice.group.encrypt(b"hello", b"aad")
    for reader in (bob, carol):
        heard = reader.group.process(sealed, NOW)
        assert (heard.data, heard.authenticated_data, heard.epoch) == (b"hello", b"aad", 1)
        assert (heard.sender.index, heard.sender.identity) == (0, b"alice")
        assert heard.sender.credential == alice.engine.credential
        assert heard.sender.signature_key == alice.engine.signature_key

    pending = bob.commit(remove=[2])
    at_alice = alice.group.process(pending.commit, NOW)
    at_carol = carol.group.process(pending.commit, NOW)
    assert [member.identity for member in at_alice.removed] == [b"carol"]
    assert at_carol.removed_self
    assert not at_alice.removed_self
    assert at_alice.committer.identity == b"bob"
    assert alice.standing() == bob.standing()
    assert [member.identity for member in alice.group.members()] == [b"alice", b"bob"]
    assert name_of(alice.group.member(1).credential) == "bob"
    with pytest.raises(mls.NotAMemberError):
        alice.group.member(2)
    assert not alice.group.poisoned


def test_members_and_properties():
    alice, bob = gathered("alice", "bob")
    assert (bob.group.group_id, bob.group.epoch, bob.group.own_index) == (b"group", 1, 1)
    assert bob.group.cipher_suite == bob.engine.cipher_suite == 1
    assert alice.group.tree() == bob.group.tree()
    assert mls.tree_members(alice.group.tree()) == [
        (member.index, member.credential, member.signature_key) for member in alice.group.members()
    ]


def test_exporter_agrees_and_is_bound_to_label_and_context():
    alice, bob = gathered("alice", "bob")
    secret = alice.group.export(b"label", b"context", 24)
    assert isinstance(secret, bytearray)
    assert len(secret) == 24
    assert secret == bob.group.export(b"label", b"context", 24)
    assert secret != bob.group.export(b"other", b"context", 24)


def test_own_messages_come_back_harmlessly():
    alice, bob = gathered("alice", "bob")
    proposal = alice.group.propose_remove(1)
    for own in (proposal, alice.group.commit(NOW, path=True).commit):
        with pytest.raises(mls.OwnMessageError) as caught:
            alice.group.process(own, NOW)
        assert caught.value.code == "own_message"
    alice.group.forget_proposals()
    sealed = alice.group.encrypt(b"x")
    with pytest.raises(mls.OwnMessageError):
        alice.group.process(sealed, NOW)
    assert bob.group.process(sealed, NOW).data == b"x"


def test_proposals_must_be_committed_before_sending():
    alice, bob = gathered("alice", "bob")
    bob.group.process(alice.group.propose_update(NOW), NOW)
    for group in (alice.group, bob.group):
        with pytest.raises(mls.CommitRequiredError):
            group.encrypt(b"x")
        assert not group.poisoned
    assert alice.group.pending_proposals() == bob.group.pending_proposals() == 1
    pending = bob.commit()
    alice.group.process(pending.commit, NOW)
    assert alice.standing() == bob.standing()
    assert bob.group.process(alice.group.encrypt(b"x"), NOW).data == b"x"


def test_leaving_is_a_proposal_that_another_member_commits():
    alice, bob, carol = gathered("alice", "bob", "carol")
    farewell = bob.group.leave(b"bye")
    heard = alice.group.process(farewell, NOW)
    assert (heard.type, heard.sender.identity, heard.authenticated_data) == ("remove", b"bob", b"bye")
    carol.group.process(farewell, NOW)
    pending = alice.commit()
    assert bob.group.process(pending.commit, NOW).removed_self
    assert [m.identity for m in carol.group.process(pending.commit, NOW).removed] == [b"bob"]


def told(proposals) -> set[tuple[str, bytes | None, bytes | None]]:
    identities = ((each.type, each.sender, each.removed) for each in proposals)
    return {(kind, sender and sender.identity, removed and removed.identity) for kind, sender, removed in identities}


def test_a_commit_tells_who_proposed_what_it_carries_out():
    alice, bob, carol, dave = gathered("alice", "bob", "carol", "dave")
    assert alice.group.proposals() == []
    leave = carol.group.leave()
    for person in (alice, bob, dave):
        person.group.process(leave, NOW)
    for person in (alice, bob, carol, dave):
        assert told(person.group.proposals()) == {("remove", b"carol", b"carol")}
    pending = alice.commit(remove=[bob.group.own_index], add=[Person("erin").offer()])
    carried_out = {("remove", b"carol", b"carol"), ("remove", b"alice", b"bob"), ("add", b"alice", None)}
    for person in (bob, carol, dave):
        assert told(person.group.process(pending.commit, NOW).proposals) == carried_out
    assert dave.group.proposals() == []


def test_a_commit_tells_the_context_extensions_of_its_epoch_also_to_whom_it_removes():
    alice, bob, carol = gathered("alice", "bob", "carol", extension_types=[0xF000])
    pending = alice.commit(remove=[bob.group.own_index], context_extensions=[(0xF000, b"topic")])
    for person, removed in ((bob, True), (carol, False)):
        report = person.group.process(pending.commit, NOW)
        assert (report.removed_self, report.context_changed) == (removed, True)
        assert report.context_extensions == ((0xF000, b"topic"),)
    assert bob.group.context_extensions() == ()
    report = carol.group.process(alice.commit(path=True).commit, NOW)
    assert (report.context_changed, report.context_extensions) == (False, ((0xF000, b"topic"),))
    assert report.proposals == ()


def test_every_kind_of_proposal_by_reference():
    psks = {b"psk": bytearray(b"s" * 32)}
    people = [Person(name, psks={k: bytearray(v) for k, v in psks.items()}, extension_types=[0xF000]) for name in "ab"]
    alice, bob = people
    alice.create(b"g")
    bob.join(alice.commit(add=[bob.offer()]))
    carol = Person("c", psks={b"psk": bytearray(b"s" * 32)}, extension_types=[0xF000])
    proposals = [
        alice.group.propose_add(carol.offer(), NOW),
        alice.group.propose_context_extensions([(0xF000, b"topic")]),
        alice.group.propose_psk(b"psk"),
        alice.group.propose_update(NOW),
    ]
    kinds = [bob.group.process(proposal, NOW).type for proposal in proposals]
    assert kinds == ["add", "group_context_extensions", "psk", "update"]
    pending = bob.group.commit(NOW)
    assert pending.unused_proposals == 0
    report = bob.group.apply(pending.secrets)
    assert [member.identity for member in report.added] == [b"c"]
    assert report.context_changed
    alice.group.process(pending.commit, NOW)
    carol.join(pending)
    assert alice.standing() == bob.standing() == carol.standing()
    assert carol.group.context_extensions() == ((0xF000, b"topic"),)


def test_context_extensions_are_replaced_as_a_whole():
    people = [Person(name, extension_types=[0xF000, 0xF001]) for name in ("alice", "bob")]
    alice, bob = people
    alice.create(context_extensions=[(0xF000, b"one")])
    bob.join(alice.commit(add=[bob.offer()]))
    assert bob.group.context_extensions() == ((0xF000, b"one"),)
    report = bob.group.process(alice.commit(context_extensions=[(0xF001, b"two")]).commit, NOW)
    assert report.context_changed
    assert alice.group.context_extensions() == bob.group.context_extensions() == ((0xF001, b"two"),)


def test_a_context_extension_that_a_leaf_does_not_support_is_refused():
    with pytest.raises(mls.UnsupportedError) as caught:
        Person("alice").create(context_extensions=[(0xF000, b"x")])
    assert caught.value.code == "unsupported_group_extension"


def test_pre_shared_keys():
    people = [Person(name, psks={b"id": bytearray(b"k" * 32)}) for name in ("alice", "bob")]
    alice, bob = people
    alice.create()
    bob.join(alice.commit(add=[bob.offer()]))
    bob.group.process(alice.commit(psks=[b"id"]).commit, NOW)
    assert alice.standing() == bob.standing()
    bob.group.process(alice.commit(resumption_psks=[2]).commit, NOW)
    assert alice.standing() == bob.standing()


def test_a_missing_pre_shared_key_refuses_the_commit():
    alice = Person("alice", psks={b"id": bytearray(b"k" * 32)})
    bob = Person("bob")
    alice.create()
    bob.join(alice.commit(add=[bob.offer()]))
    with pytest.raises(mls.MissingPskError):
        bob.group.process(alice.commit(psks=[b"id"]).commit, NOW)
    assert bob.group.poisoned


def test_handshakes_can_be_encrypted():
    people = [Person(name, encrypt_handshakes=True) for name in ("alice", "bob")]
    alice, bob = people
    alice.create()
    bob.join(alice.commit(add=[bob.offer()]))
    proposal = alice.group.propose_update(NOW)
    assert mls.inspect(proposal).kind == "private_message"
    with pytest.raises(mls.OwnMessageError):
        alice.group.process(proposal, NOW)
    assert bob.group.process(proposal, NOW).type == "update"
    alice.group.process(bob.commit().commit, NOW)
    assert alice.standing() == bob.standing()


def test_messages_of_other_groups_and_epochs():
    alice, bob = gathered("alice", "bob")
    late = alice.group.encrypt(b"late")
    bob.group.process(alice.commit(path=True).commit, NOW)
    bob.save()
    with pytest.raises(mls.WrongEpochError):
        bob.group.process(late, NOW)
    bob.reload()
    elsewhere = Person("zoe")
    elsewhere.create(b"elsewhere")
    with pytest.raises(mls.WrongGroupError):
        bob.group.process(elsewhere.group.encrypt(b"x"), NOW)


def test_a_message_is_read_once():
    alice, bob = gathered("alice", "bob")
    sealed = alice.group.encrypt(b"once")
    bob.group.process(sealed, NOW)
    with pytest.raises(mls.AlreadyReadError):
        bob.group.process(sealed, NOW)


def test_a_generation_too_far_ahead_is_refused():
    alice, bob = gathered("alice", "bob")
    for _ in range(1026):
        sealed = alice.group.encrypt(b"x")
    with pytest.raises(mls.TooFarAheadError):
        bob.group.process(sealed, NOW)


@pytest.mark.parametrize("padding", ["step", "padme", "none"])
def test_padding_hides_lengths_or_not(padding):
    alice, _ = gathered("alice", "bob", padding=padding)
    sizes = {len(alice.group.encrypt(b"x" * size)) for size in (33, 34, 35)}
    assert len(sizes) == (3 if padding == "none" else 1)
    with pytest.raises(ValueError, match="padding"):
        Person("x", padding="other")


def test_talking_goes_on_through_reloads():
    alice, bob = gathered("alice", "bob")
    for number in range(20):
        sealed = alice.group.encrypt(str(number).encode())
        alice.save()
        alice.reload()
        assert bob.group.process(sealed, NOW).data == str(number).encode()
        bob.save()
        bob.reload()
