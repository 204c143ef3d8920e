"""Whatever bytes come in, only the errors of this package come out."""

import contextlib

import mls_rs as mls
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mls_people import NOW, Gate, Person, gathered

NO_DEADLINE = settings(deadline=None, max_examples=150)


@st.composite
def damaged(draw, originals: st.SearchStrategy[bytes]) -> bytes:
    """A real message with octets changed, cut out or put in, or its end cut off."""
    data = bytearray(draw(originals))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.sampled_from(["set", "cut", "put", "end"])):
            case "set" if data:
                data[at] = draw(st.integers(0, 255))
            case "cut":
                del data[at : at + draw(st.integers(1, 8))]
            case "put":
                data[at:at] = draw(st.binary(min_size=1, max_size=8))
            case "end":
                del data[at:]
    return bytes(data)


class World:
    """Real messages of every kind, and readers that can be loaded again and again."""

    def __init__(self) -> None:
        self.alice, self.bob = gathered("alice", "bob", kind="x509", suite=2)
        newcomer = Person("carol", "x509", 2)
        offer = newcomer.offer()
        pending = self.alice.group.commit(NOW, add=[offer])
        self.bob.group.encrypt(b"x")
        self.messages = [
            offer,
            pending.commit,
            *pending.welcomes,
            pending.group_info,
            self.alice.group.encrypt(b"hello", b"aad"),
            self.alice.group.commit(NOW, path=True, remove=[1]).commit,
            self.alice.group.propose_update(NOW),
            self.alice.group.propose_add(offer, NOW),
            self.alice.group.leave(),
            Person("dave", "x509", 2).engine.external_join(pending.group_info, NOW)[1],
        ]
        self.newcomer, self.pending = newcomer, pending
        self.gate = Gate()
        self.snapshot = mls.Observer.open(
            self.bob.group.group_info(), self.gate.validate, self.gate.succeed, NOW
        ).snapshot()


WORLD = World()
MESSAGES = st.sampled_from(WORLD.messages)
ANY = st.one_of(st.binary(max_size=300), MESSAGES, damaged(MESSAGES))
FRAMED = st.builds(lambda kind, body: b"\0\1\0" + bytes([kind]) + body, st.integers(0, 6), st.binary(max_size=200))


@NO_DEADLINE
@given(st.one_of(ANY, FRAMED))
def test_inspect(data):
    with contextlib.suppress(mls.MlsError):
        mls.inspect(data)


@NO_DEADLINE
@given(st.one_of(st.binary(max_size=300), damaged(st.just(WORLD.alice.tree))))
def test_trees(data):
    with contextlib.suppress(mls.MlsError):
        mls.tree_members(data)
    for attempt in (
        lambda: WORLD.newcomer.engine.join(WORLD.pending.welcomes[0], [WORLD.newcomer.package.secret], NOW, tree=data),
        lambda: WORLD.newcomer.engine.external_join(WORLD.bob.group.group_info(with_tree=False), NOW, tree=data),
        lambda: WORLD.alice.engine.load(WORLD.alice.state, data),
    ):
        with contextlib.suppress(mls.MlsError):
            attempt()


@NO_DEADLINE
@given(st.one_of(ANY, FRAMED))
def test_process(data):
    bob = WORLD.bob
    group = bob.reload()
    before = bob.standing()
    try:
        group.process(data, NOW)
    except mls.MlsError as error:
        harmless = isinstance(error, mls.MalformedError | mls.OwnMessageError | mls.CommitRequiredError)
        assert group.poisoned is not harmless
        bob.reload()
        assert bob.standing() == before


@NO_DEADLINE
@given(ANY)
def test_engine_entrances(data):
    engine, package = WORLD.newcomer.engine, WORLD.newcomer.package
    for attempt in (
        lambda: engine.join(data, [package.secret], NOW),
        lambda: engine.join(WORLD.pending.welcomes[0], [data], NOW),
        lambda: engine.preview(data, [package.secret], NOW),
        lambda: engine.preview_group_info(data, NOW),
        lambda: engine.external_join(data, NOW),
        lambda: engine.check_key_package(data, NOW),
        lambda: mls.import_key_package(data, bytearray(32), bytearray(32)),
    ):
        with contextlib.suppress(mls.MlsError):
            attempt()


STORED = [WORLD.alice.state, WORLD.pending.secrets, WORLD.snapshot]


@NO_DEADLINE
@given(damaged(st.sampled_from(STORED)).filter(lambda data: data not in STORED))
def test_stored_bytes(data):
    alice = WORLD.alice
    for attempt in (
        lambda: alice.engine.load(data, alice.tree),
        lambda: alice.engine.load(alice.state, alice.tree, epochs={0: data}),
        lambda: alice.reload().apply(data),
        lambda: mls.Observer.load(data, WORLD.gate.validate, None),
    ):
        with pytest.raises(mls.MlsError):
            attempt()


@NO_DEADLINE
@given(ANY)
def test_observer(data):
    gate = WORLD.gate
    with contextlib.suppress(mls.MlsError):
        mls.Observer.open(data, gate.validate, gate.succeed, NOW)
    observer = mls.Observer.load(WORLD.snapshot, gate.validate, gate.succeed)
    failed = None
    try:
        observer.process(data, NOW)
    except mls.MlsError as error:
        failed = error
    assert observer.poisoned is (failed is not None and not isinstance(failed, mls.MalformedError))
