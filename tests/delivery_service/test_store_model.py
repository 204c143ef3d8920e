"""T1 of the delivery service: whatever is asked in whatever order, every engine answers as a plain model does.

RINGTRUE_STORE_EXAMPLES and RINGTRUE_STORE_STEPS make the campaign larger than the few examples that each run has time
for.
"""

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from delivery_service.errors import RefusedError
from delivery_service.quotas import Quotas
from delivery_service.storage.database import Database
from delivery_service.storage.engine import Engine
from delivery_service.storage.postgresql import PostgresqlEngine
from delivery_service.storage.sqlite import SqliteEngine
from delivery_service.storage.store import Store
from delivery_service.storage.values import NewCommit, NewEntry, NewGroup, NewWelcome
from tests.delivery_service.stored import NOW, approach, package

EXAMPLES = int(os.environ.get("RINGTRUE_STORE_EXAMPLES", "15"))
STEPS = int(os.environ.get("RINGTRUE_STORE_STEPS", "30"))

GROUPS = [b"group 0", b"group 1"]
NUMBERS = ["+10", "+11", "+12"]
DEVICES = [f"{number}/{device}".encode() for number in NUMBERS for device in ("a", "b")]
KEYS = [bytes([turn]) * 16 for turn in range(6)]
BODIES = [b"one", b"another"]
QUOTAS = Quotas(2, None, 2)

T = TypeVar("T")
groups, devices, numbers = st.sampled_from(GROUPS), st.sampled_from(DEVICES), st.sampled_from(NUMBERS)
keys, bodies, epochs = st.sampled_from(KEYS), st.sampled_from(BODIES), st.integers(0, 3)


@dataclass
class ModelGroup:
    """What a group must be: its epoch, its entries as (epoch, kind, key, body), and what each device may read."""

    founder: tuple[bytes, bytes]
    epoch: int = 0
    entries: list[tuple[int, str, bytes, bytes]] = field(default_factory=list)
    terms: dict[bytes, list[list[int | None]]] = field(default_factory=dict)

    def member(self, device: bytes) -> bool:
        return any(until is None for _, until in self.terms.get(device, []))


@dataclass
class Model:
    """What the storage must say."""

    groups: dict[bytes, ModelGroup] = field(default_factory=dict)
    stock: dict[bytes, list[bytes]] = field(default_factory=dict)  # one-time key packages of each device
    reached: set[tuple[str, str]] = field(default_factory=set)

    def append(self, group_id: bytes, device: bytes, kind: str, epoch: int, key: bytes, body: bytes) -> Any:
        """The answer, or the word of the refusal and what it says."""
        group = self.groups.get(group_id)
        if group is None:
            return "unknown-group", {}
        for seq, entry in enumerate(group.entries, 1):
            if entry[2] == key:
                return (seq, entry[0]) if entry[3] == body else ("malformed", {})
        if not group.member(device):
            return "not-a-member", {}
        if group.epoch != epoch:
            return "stale-epoch", {"epoch": group.epoch, "head": len(group.entries)}
        group.entries.append((epoch, kind, key, body))
        return len(group.entries), epoch

    def read(self, group_id: bytes, device: bytes, after: int) -> Any:
        """The numbers of the entries, the head and whether the device is a member, or the word of the refusal."""
        group = self.groups.get(group_id)
        if group is None:
            return "unknown-group"
        terms = group.terms.get(device)
        if terms is None:
            return "not-a-member"
        head = len(group.entries)
        last = head if terms[-1][1] is None else terms[-1][1]
        visible = [
            seq
            for seq in range(after + 1, head + 1)
            if any(since < seq <= (head if until is None else until) for since, until in terms)  # type: ignore[operator]
        ]
        return visible, last, group.member(device)

    def claim(self, number: str, target: str) -> Any:
        """The key packages, or the word of the refusal."""
        others = [device for device in DEVICES if device.startswith(f"{target}/".encode()) and device in self.stock]
        others = [device for device in others if device != f"{number}/device".encode()]
        if not others:
            return "unknown-number"
        first = not self.acquainted(number, target)
        if first:
            for place, who in ((0, number), (1, target)):
                if sum(each[place] == who for each in self.reached) >= 2:
                    return "rate-limited"
        taken = [self.stock[device].pop(0) for device in others if self.stock[device]]
        if not taken:
            return "no-key-package"
        if first:
            self.reached.add((number, target))
        return taken

    def acquainted(self, number: str, other: str) -> bool:
        return number == other or not self.reached.isdisjoint({(number, other), (other, number)})


class Machine(RuleBasedStateMachine):
    """Asks the store and the model the same."""

    engine: Engine
    runner: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.store = Store(self.engine)

    def ask(self, request: Awaitable[T]) -> T | tuple[str, dict[str, Any]]:
        async def answered() -> T | tuple[str, dict[str, Any]]:
            try:
                return await request
            except RefusedError as error:
                return error.word, error.members

        return self.runner.run(answered())

    @initialize()
    def found(self) -> None:
        self.create(GROUPS[0], DEVICES[0], KEYS[0], BODIES[0])

    @rule(group_id=groups, device=devices, key=keys, body=bodies)
    def create(self, group_id: bytes, device: bytes, key: bytes, body: bytes) -> None:
        answer = self.ask(self.store.create_group(NewGroup(group_id, device, key, body, b"observer")))
        there = self.model.groups.get(group_id)
        if there is None:
            self.model.groups[group_id] = ModelGroup((key, body), terms={device: [[0, None]]})
        elif there.founder[0] != key:
            assert isinstance(answer, tuple)
            assert answer[0] == "group-exists"
            return
        elif there.founder[1] != body:
            assert isinstance(answer, tuple)
            assert answer[0] == "malformed"
            return
        assert not isinstance(answer, tuple)
        assert (answer.seq, answer.epoch) == (0, 0)

    @rule(group_id=groups, device=devices, epoch=epochs, key=keys, body=bodies)
    def append(self, group_id: bytes, device: bytes, epoch: int, key: bytes, body: bytes) -> None:
        expected = self.model.append(group_id, device, "application", epoch, key, body)
        entry = NewEntry(group_id, device, "application", epoch, key, hashlib.sha256(body).digest(), NOW * 1000, body)
        assert self.said(self.ask(self.store.append(entry))) == expected

    @rule(group_id=groups, key=keys, body=bodies)
    def append_now(self, group_id: bytes, key: bytes, body: bytes) -> None:
        """A member appends in the epoch that there is: what usually happens."""
        if (group := self.model.groups.get(group_id)) is not None:
            member = next((device for device in DEVICES if group.member(device)), DEVICES[0])
            self.append(group_id, member, group.epoch, key, body)

    @rule(group_id=groups, device=devices, key=keys, subject=devices, how=st.sampled_from(["remove", "add", "rename"]))
    def commit(self, group_id: bytes, device: bytes, key: bytes, subject: bytes, how: str) -> None:
        group = self.model.groups.get(group_id)
        epoch = 0 if group is None else group.epoch
        inside = group is not None and group.member(subject)
        changes: dict[str, Any] = {"added": frozenset(), "removed": frozenset(), "renamed": (), "welcomes": ()}
        if how == "remove" and inside:
            changes["removed"] = frozenset((subject,))
        if how == "rename" and not inside and group is not None and group.member(device):
            changes["renamed"] = ((device, subject),)
        if how == "add" and not inside and (welcome := self.welcome(device, subject)) is not None:
            changes |= {"added": frozenset((subject,)), "welcomes": (welcome,)}
        version, _ = self.version(group_id)
        body = b"commit " + how.encode() + subject
        digest = hashlib.sha256(body).digest()
        entry = NewEntry(group_id, device, "commit", epoch, key, digest, NOW * 1000, body, b"observer", version)
        before = 0 if group is None else len(group.entries)
        expected = self.model.append(group_id, device, "commit", epoch, key, body)
        assert self.said(self.ask(self.store.commit(NewCommit(entry, **changes)))) == expected
        if group is not None and len(group.entries) > before:
            self.move(group, len(group.entries), changes)

    @rule(group_id=groups, device=devices, after=st.integers(0, 5))
    def read(self, group_id: bytes, device: bytes, after: int) -> None:
        answer = self.ask(self.store.read(group_id, device, after))
        expected = self.model.read(group_id, device, after)
        if isinstance(answer, tuple):
            assert answer[0] == expected
            return
        assert ([entry.seq for entry in answer.entries], answer.head, answer.current) == expected
        kept = self.model.groups[group_id].entries
        assert [
            (entry.epoch, entry.kind, bytes.fromhex(entry.idempotency_key), entry.body) for entry in answer.entries
        ] == [kept[entry.seq - 1] for entry in answer.entries]

    @rule(device=devices, count=st.integers(1, 3))
    def publish(self, device: bytes, count: int) -> None:
        stock = self.model.stock.setdefault(device, [])
        fresh = [os.urandom(16) for _ in range(count)]
        number = device.partition(b"/")[0].decode()
        self.ask(self.store.add_key_packages(device, number, [package(each) for each in fresh], None, NOW))
        stock += [b"package " + each for each in fresh]

    @rule(number=numbers, whom=numbers)
    def claim(self, number: str, whom: str) -> None:
        answer = self.ask(self.store.claim(approach(number, whom), QUOTAS))
        expected = self.model.claim(number, whom)
        assert (answer[0] if isinstance(answer, tuple) else answer) == expected

    @invariant()
    def heads_agree(self) -> None:
        for device in DEVICES[:1]:
            heads = self.ask(self.store.heads(device))
            assert not isinstance(heads, tuple)
            expected = {
                group_id: self.model.read(group_id, device, 0)[1]
                for group_id, group in self.model.groups.items()
                if device in group.terms
            }
            assert heads.groups == expected

    def welcome(self, device: bytes, subject: bytes) -> NewWelcome | None:
        """What adds the subject, if the committer's number has reached its number, and it has a package left."""
        number, target = (each.partition(b"/")[0].decode() for each in (device, subject))
        if not self.model.stock.get(subject):
            return None
        body = self.model.stock[subject][0]
        self.claim(number, target)
        if body in self.model.stock[subject] or not self.model.acquainted(number, target):
            return None
        return NewWelcome(b"welcome", (body.removeprefix(b"package "),))

    def version(self, group_id: bytes) -> tuple[int, bytes | None]:
        answer = self.ask(self.store.observer(group_id))
        return (0, None) if answer[0] == "unknown-group" else answer  # type: ignore[return-value]

    @staticmethod
    def said(answer: Any) -> Any:
        return answer if isinstance(answer, tuple) else (answer.seq, answer.epoch)

    @staticmethod
    def move(group: ModelGroup, seq: int, changes: dict[str, Any]) -> None:
        group.epoch += 1
        for device in changes["removed"]:
            group.terms[device][-1][1] = seq
        for before, after in changes["renamed"]:
            since = group.terms[before][-1][0]
            group.terms[before][-1][1] = seq
            terms = group.terms.setdefault(after, [])
            terms[:] = sorted([*(term for term in terms if term[0] != since), [since, None]], key=lambda term: term[0])
        for device in changes["added"]:
            group.terms.setdefault(device, []).append([seq, None])


_EMPTY = """
DO $$ DECLARE each text; BEGIN
  FOR each IN SELECT tablename FROM pg_tables
    WHERE schemaname = 'public' AND tablename NOT IN ('operation', 'schema_version', 'schema_support')
  LOOP
    EXECUTE format('DELETE FROM %I', each);
  END LOOP;
END $$
"""


@pytest.fixture(params=["memory", "postgresql"])
def machine(request: pytest.FixtureRequest) -> Iterator[type[Machine]]:
    with asyncio.Runner() as runner:
        url = request.getfixturevalue("database") if request.param == "postgresql" else None
        engine = SqliteEngine(None) if url is None else PostgresqlEngine(Database(url, one_copy=True))

        class Fresh(Machine):
            """Each example begins with an empty storage."""

            def __init__(self) -> None:
                self.engine = SqliteEngine(None) if url is None else engine
                self.runner = runner
                if url is None:
                    runner.run(_start(self.engine))
                else:
                    with psycopg.connect(url, autocommit=True) as connection:
                        connection.execute(_EMPTY)
                super().__init__()

            def teardown(self) -> None:
                if url is None:
                    runner.run(self.engine.stop())

        if url is not None:
            runner.run(_start(engine))
        yield Fresh
        if url is not None:
            runner.run(engine.stop())


async def _start(engine: Engine) -> None:
    engine.start(lambda change: None)


def test_every_engine_answers_as_the_model_does(machine: type[Machine]) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, database=None, suppress_health_check=checks
        ),
    )
