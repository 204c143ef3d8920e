"""The GIL is released before any lock is taken, and a callback cannot wait for itself."""

import threading
import time

import mls_rs as mls
import pytest
from mls_people import NOW, Person, gathered


def test_two_threads_make_progress_together():
    """While one thread is inside a slow call, another runs Python and uses another group."""
    alice, bob = gathered("alice", "bob")
    entered, release = threading.Event(), threading.Event()

    def slow(credential, signature_key, now):
        entered.set()
        assert release.wait(10)
        return mls.accept_basic(credential, signature_key, now)

    engine = mls.Engine(1, mls.Credential.basic(b"slow"), mls.generate_signature_key(1)[0], slow)
    thread = threading.Thread(target=engine.create, args=(b"slow", NOW))
    thread.start()
    assert entered.wait(10)
    assert bob.group.process(alice.group.encrypt(b"meanwhile"), NOW).data == b"meanwhile"
    release.set()
    thread.join(10)
    assert not thread.is_alive()


def test_python_runs_while_rust_works():
    people = [Person(f"p{number}", suite=2) for number in range(64)]
    alice = people[0]
    alice.create()
    packages = [person.offer() for person in people[1:]]
    ticks, stop = [], threading.Event()

    def tick():
        while not stop.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.0005)

    thread = threading.Thread(target=tick)
    thread.start()
    start = time.perf_counter()
    alice.group.commit(NOW, add=packages)
    end = time.perf_counter()
    stop.set()
    thread.join()
    assert sum(start < at < end for at in ticks) >= 3


def test_one_object_serves_many_threads_in_turn():
    alice, bob = gathered("alice", "bob")
    sealed = []
    threads = [threading.Thread(target=lambda: sealed.append(alice.group.encrypt(b"x"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({bytes(message) for message in sealed}) == 16
    assert {bob.group.process(message, NOW).data for message in sealed} == {b"x"}


@pytest.mark.parametrize("members", [2, 40])
def test_a_callback_into_its_own_group_is_told_so(members):
    alice, *_ = gathered(*(f"p{number}" for number in range(members)))
    caught = []
    honest = alice.gate.validate

    def reentrant(credential, signature_key, now):
        for use in (lambda: alice.group.epoch, alice.group.members, lambda: alice.group.encrypt(b"x")):
            with pytest.raises(mls.ReentrantCallError) as error:
                use()
            caught.append(error.value.code)
        assert not alice.group.poisoned
        return honest(credential, signature_key, now)

    alice.engine = mls.Engine(1, alice.engine.credential, bytearray(alice.seed), reentrant, alice.gate.succeed)
    alice.reload()
    pending = alice.group.commit(NOW, add=[Person("new").offer()])
    assert set(caught) == {"reentrant_call"}
    assert alice.group.apply(pending.secrets).epoch == 2


def test_a_callback_into_its_own_observer_is_told_so():
    alice, bob = gathered("alice", "bob")
    seen = []

    def reentrant(credential, signature_key, now):
        if observers:
            with pytest.raises(mls.ReentrantCallError):
                observers[0].members()
            seen.append(credential)
        return mls.accept_basic(credential, signature_key, now)

    observers = []
    observers.append(mls.Observer.open(alice.group.group_info(), reentrant, None, NOW))
    observers[0].process(bob.group.commit(NOW, add=[Person("new").offer()]).commit, NOW)
    assert seen


def test_a_callback_may_use_other_groups():
    alice, bob = gathered("alice", "bob")
    heard = []

    def helpful(credential, signature_key, now):
        heard.append(bob.group.process(alice.group.encrypt(b"x"), now).data)
        return mls.accept_basic(credential, signature_key, now)

    engine = mls.Engine(1, mls.Credential.basic(b"c"), mls.generate_signature_key(1)[0], helpful)
    engine.create(b"other", NOW)
    assert heard == [b"x"]
