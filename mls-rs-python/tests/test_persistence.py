"""What is stored is enough, and nothing changes before it must."""

import subprocess
import sys

import mls_rs as mls
import pytest
from mls_people import DAY, NOW, Person, gathered


def test_a_commit_changes_nothing_until_applied():
    alice, _ = gathered("alice", "bob")
    before, stored = alice.standing(), alice.group.delta().state
    pending = alice.group.commit(NOW, add=[Person("carol").offer()], path=True)
    assert alice.standing() == before
    assert alice.group.delta().state == stored
    alice.group.apply(pending.secrets)
    assert alice.group.epoch == before[0] + 1


def test_a_pending_commit_may_be_forgotten():
    alice, bob = gathered("alice", "bob")
    alice.group.commit(NOW, remove=[1])
    alice.group.process(bob.commit(path=True).commit, NOW)
    assert alice.standing() == bob.standing()


def test_a_pending_commit_is_applied_after_a_reload():
    alice, bob = gathered("alice", "bob")
    carol = Person("carol")
    pending = alice.group.commit(NOW, add=[carol.offer()])
    alice.gate.refused = {"alice", "bob", "carol"}
    alice.reload()
    report = alice.group.apply(pending.secrets)
    assert [member.identity for member in report.added] == [b"carol"]
    alice.save()
    alice.reload()
    carol.join(pending)
    bob.group.process(pending.commit, NOW)
    assert alice.standing() == bob.standing() == carol.standing()
    assert alice.group.member(2).identity == b"carol"


RESTORE = """
import sys, mls_rs as mls
state, tree, pending = (bytes.fromhex(text) for text in sys.stdin.read().split())
engine = mls.Engine(1, mls.Credential.basic(b"alice"), mls.generate_signature_key(1)[0], mls.accept_basic)
group = engine.load(state, tree)
group.apply(pending)
print(group.epoch_authenticator().hex())
"""


def test_a_pending_commit_is_applied_by_another_process():
    alice, bob = gathered("alice", "bob")
    pending = alice.group.commit(NOW, path=True)
    stored = "\n".join(data.hex() for data in (alice.state, alice.tree, pending.secrets))
    ran = subprocess.run([sys.executable, "-c", RESTORE], input=stored, capture_output=True, text=True, check=True)
    bob.group.process(pending.commit, NOW)
    assert bytes.fromhex(ran.stdout) == bob.group.epoch_authenticator()


def test_a_pending_commit_belongs_to_one_group_and_epoch():
    alice, bob = gathered("alice", "bob")
    pending = alice.group.commit(NOW, path=True)
    bob.group.process(alice.commit(path=True).commit, NOW)
    namesake = Person("alice")
    namesake.create(b"group")
    namesake.commit(path=True)
    for person in (alice, bob, namesake):
        with pytest.raises(mls.StalePendingError):
            person.group.apply(pending.secrets)
        assert person.group.poisoned


@pytest.mark.parametrize("save_before_crash", [False, True])
def test_a_crash_replays_or_continues(save_before_crash):
    alice, bob = gathered("alice", "bob")
    commit = alice.commit(path=True).commit
    sealed = alice.group.encrypt(b"after")
    bob.group.process(commit, NOW)
    if save_before_crash:
        bob.save()
    bob.reload()
    if not save_before_crash:
        bob.group.process(commit, NOW)
    assert bob.group.process(sealed, NOW).data == b"after"
    assert bob.standing() == alice.standing()


def test_the_tree_is_written_only_when_it_changed():
    alice, bob = gathered("alice", "bob")
    alice.group.encrypt(b"x")
    assert alice.group.delta().tree is None
    alice.group.apply(alice.group.commit(NOW, path=True).secrets)
    first = alice.group.delta()
    second = alice.group.delta()
    assert first.tree == second.tree == alice.group.tree()
    assert first.epoch_inserts == second.epoch_inserts
    alice.group.ack(first.token)
    third = alice.group.delta()
    assert third.tree is None
    assert third.epoch_inserts == second.epoch_inserts[len(first.epoch_inserts) :]
    assert bob.group.epoch == 1


def test_an_unacknowledged_delta_is_handed_out_again():
    alice = Person("alice")
    alice.create()
    bob = Person("bob")
    pending = alice.commit(add=[bob.offer()])
    bob.group = bob.engine.join(pending.welcomes[0], [bob.package.secret], NOW)
    first, second = bob.group.delta(), bob.group.delta()
    assert first.used_key_packages == second.used_key_packages == (bob.package.reference,)
    bob.group.ack(second.token)
    assert bob.group.delta().used_key_packages == ()
    bob.group.ack(first.token)


def test_an_unknown_token_is_refused():
    alice, _ = gathered("alice", "bob")
    with pytest.raises(mls.EngineError) as caught:
        alice.group.ack(99)
    assert caught.value.code == "unknown_token"


def test_a_last_resort_key_package_is_used_twice_and_never_deleted():
    alice, bob, carol = Person("alice"), Person("bob"), Person("carol")
    package = carol.offer(last_resort=True)
    for person, group_id in ((alice, b"one"), (bob, b"two")):
        person.create(group_id)
        carol.join(person.commit(add=[package]))
        assert carol.standing() == person.standing()
    assert carol.used == []


def test_key_packages_are_backdated_and_expire():
    alice, bob = Person("alice"), Person("bob")
    package = bob.offer(lifetime=DAY)
    assert bob.package.not_after == NOW + DAY
    for now in (NOW - 3600, NOW, NOW + DAY):
        alice.engine.check_key_package(package, now)
    for now in (NOW - 3602, NOW + DAY + 2):
        with pytest.raises(mls.EngineError) as caught:
            alice.engine.check_key_package(package, now)
        assert caught.value.code == "invalid_lifetime"


def test_rejoining_the_same_group():
    alice, bob = gathered("alice", "bob")
    for _ in range(3):
        bob.group.process(alice.commit(path=True).commit, NOW)
        bob.save()
    alice.commit(remove=[1])
    bob.join(alice.commit(add=[bob.offer()]))
    alice.group.process(bob.commit(path=True).commit, NOW)
    alice.save()
    bob.group.process(alice.commit(path=True).commit, NOW)
    assert alice.standing() == bob.standing()
    bob.save()
    bob.reload()
    assert alice.standing() == bob.standing()


def test_a_joiner_needs_the_secret_of_its_own_key_package():
    alice, bob = Person("alice"), Person("bob")
    alice.create()
    pending = alice.commit(add=[bob.offer()])
    other = bob.engine.key_package(NOW, lifetime=DAY)
    with pytest.raises(mls.KeyPackageNotFoundError):
        bob.engine.join(pending.welcomes[0], [other.secret], NOW)
    with pytest.raises(mls.KeyPackageNotFoundError):
        bob.rotated().join(pending.welcomes[0], [bob.package.secret], NOW)
    with pytest.raises(mls.KeyPackageNotFoundError):
        bob.engine.join(pending.welcomes[0], [], NOW)
    assert bob.engine.join(pending.welcomes[0], [other.secret, bob.package.secret], NOW).epoch == 1


def test_state_and_tree_belong_together():
    alice, bob = gathered("alice", "bob")
    with pytest.raises(mls.MalformedError):
        alice.engine.load(alice.state, gathered("x", "y")[0].tree)
    damaged = bytearray(alice.state)
    damaged[len(damaged) // 2] ^= 1
    with pytest.raises(mls.MalformedError):
        alice.engine.load(bytes(damaged), alice.tree)
    with pytest.raises(mls.UnsupportedError):
        Person("alice", suite=2).engine.load(alice.state, alice.tree)
    assert bob.group.epoch == 1


@pytest.mark.parametrize("suite", [1, 2, 7])
def test_a_tree_changed_in_one_bit_is_not_the_tree_of_its_state(suite):
    alice, *_ = gathered("alice", "bob", "carol", suite=suite)
    alice.commit(path=True)  # now some parents are not blank
    assert alice.engine.load(alice.state, alice.tree).tree_hash() == alice.group.tree_hash()
    for position in range(0, len(alice.tree), 7):
        damaged = bytearray(alice.tree)
        damaged[position] ^= 1
        with pytest.raises(mls.MalformedError):
            alice.engine.load(alice.state, bytes(damaged))
    for shorter in (b"", alice.tree[:-1], alice.tree + b"\0"):
        with pytest.raises(mls.MalformedError):
            alice.engine.load(alice.state, shorter)


@pytest.mark.parametrize("removed", [[1], [3], [2, 4], [1, 2, 3, 4]])
def test_a_tree_with_blank_leaves_loads(removed):
    alice, *_ = gathered("alice", "bob", "carol", "dave", "eve")
    alice.commit(remove=removed)
    standing = alice.standing()
    alice.reload()
    assert alice.standing() == standing


def test_late_messages_are_read_from_stored_epochs():
    alice, bob, carol = gathered("alice", "bob", "carol")
    late = [alice.group.encrypt(b"late 0")]
    for number in (1, 2):
        commit = carol.commit(path=True).commit
        for person in (alice, bob):
            person.group.process(commit, NOW)
            person.save()
        late.append(alice.group.encrypt(b"late %d" % number))
    bob.reload(epochs=bob.epochs)
    heard = [bob.group.process(message, NOW) for message in late]
    assert [(message.data, message.epoch) for message in heard] == [(b"late 0", 1), (b"late 1", 2), (b"late 2", 3)]
    bob.save()
    bob.reload(epochs=bob.epochs)
    with pytest.raises(mls.AlreadyReadError):
        bob.group.process(late[0], NOW)


def test_a_late_message_needs_every_epoch_since():
    alice, bob = gathered("alice", "bob")
    late = alice.group.encrypt(b"late")
    for _ in range(2):
        bob.group.process(alice.commit(path=True).commit, NOW)
        bob.save()
    bob.reload(epochs={1: bob.epochs[1]})
    with pytest.raises(mls.WrongEpochError):
        bob.group.process(late, NOW)
    bob.reload(epochs=bob.epochs)
    assert bob.group.process(late, NOW).data == b"late"


@pytest.mark.parametrize("past_epochs", [0, 2])
def test_a_live_group_keeps_as_many_past_epochs_as_asked(past_epochs):
    alice, bob = gathered("alice", "bob", past_epochs=past_epochs)
    late = []
    for _ in range(3):
        late.append(alice.group.encrypt(b"late"))
        bob.group.process(alice.commit(path=True).commit, NOW)
        bob.save()
    for age, message in zip((1, 2, 3), reversed(late), strict=True):
        if age <= past_epochs:
            assert bob.group.process(message, NOW).data == b"late"
            bob.save()
            continue
        with pytest.raises(mls.WrongEpochError):
            bob.group.process(message, NOW)
        bob.reload()


def test_the_sender_of_a_late_message_is_the_one_of_its_epoch():
    alice, bob = gathered("alice", "bob", past_epochs=5)
    late = alice.group.encrypt(b"late")
    renewed = alice.engine.rotate(mls.Credential.basic(b"alicia"), bytearray(alice.seed))
    pending = alice.group.commit(NOW, identity=renewed)
    alice.group.apply(pending.secrets)
    report = bob.group.process(pending.commit, NOW)
    assert [(old.identity, new.identity) for old, new in report.updated] == [(b"alice", b"alicia")]
    bob.save()
    for _ in range(2):
        heard = bob.group.process(late, NOW)
        assert heard.sender.identity == b"alice"
        assert bob.group.member(0).identity == b"alicia"
        bob.reload(epochs=bob.epochs)
