"""A delivery service that drops, repeats, invents or relabels entries: the client notices, and goes on."""

import random
from collections.abc import Callable
from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest

from client.events import Gap, MembersChanged, MessageReceived
from client.records.intents import RefreshKeys
from client.session import Session
from client.steps.device import make_engine
from delivery_service.wire import Entry, EntryBatch
from identity.binding import DeviceVerifier
from identity.certificates import TrustAnchors
from identity.number import TelephoneNumber

ALICE, BOB, CAROL = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4))
Lie = Callable[[list[Entry]], list[Entry]]


class Liar(httpx.AsyncBaseTransport):
    """Changes the entries in the answers of a delivery service."""

    def __init__(self, honest: httpx.AsyncBaseTransport) -> None:
        self._honest = honest
        self.lie: Lie | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._honest.handle_async_request(request)
        if self.lie is None or request.method != "GET" or not request.url.path.endswith("/entries"):
            return response
        batch = msgspec.msgpack.decode(await response.aread(), type=EntryBatch)
        entries = self.lie(batch.entries)
        head = max([batch.head, *(entry.seq for entry in entries)])
        body = msgspec.msgpack.encode(EntryBatch(entries, head, False))
        headers = {"content-type": response.headers["content-type"]}
        return httpx.Response(response.status_code, headers=headers, stream=httpx.ByteStream(body))


@pytest.fixture
def liar(world) -> Liar:
    liar = Liar(world.network.services["delivery.test"])
    world.network.services["delivery.test"] = liar
    return liar


async def chatting(world, stack: AsyncExitStack) -> tuple[Session, Session, bytes]:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("lies", [BOB])
    await bob.receive()
    return alice, bob, chat.group_id


def texts(events: list[object]) -> list[str]:
    return [event.message.text for event in events if isinstance(event, MessageReceived)]


async def test_an_entry_left_out_is_a_visible_gap(world, liar: Liar, stack: AsyncExitStack) -> None:
    alice, bob, group_id = await chatting(world, stack)
    for text in ("one", "two", "three"):
        await alice.send(group_id, text)
    left_out = (await alice.history(group_id))[-1].seq - 1
    liar.lie = lambda entries: [entry for entry in entries if entry.seq != left_out]
    events = await bob.receive()
    assert texts(events) == ["one", "three"]
    (gap,) = (event for event in events if isinstance(event, Gap))
    assert (gap.code, gap.reason) == ("withheld", "the service left out 1 entry")
    kinds = [row.kind for row in await bob.history(group_id)]
    assert kinds[-3:] == ["received", "gap", "received"]


async def test_garbage_among_entries_is_a_gap_and_costs_nothing_else(world, liar: Liar, stack: AsyncExitStack) -> None:
    alice, bob, group_id = await chatting(world, stack)
    for text in ("one", "two"):
        await alice.send(group_id, text)

    def invent(entries: list[Entry]) -> list[Entry]:
        garbage = msgspec.structs.replace(entries[0], seq=entries[1].seq, body=b"garbage", idempotency_key="0" * 32)
        return [entries[0], garbage, msgspec.structs.replace(entries[1], seq=entries[1].seq + 1)]

    liar.lie = invent
    events = await bob.receive()
    assert texts(events) == ["one", "two"]
    assert [event.code for event in events if isinstance(event, Gap)] == ["malformed"]


@pytest.mark.parametrize("kind", ["application", "commit"])
async def test_no_changed_octet_is_believed_or_does_harm(world, liar: Liar, stack: AsyncExitStack, kind: str) -> None:
    alice, bob, group_id = await chatting(world, stack)
    await (alice.send(group_id, "intact") if kind == "application" else alice.refresh(group_id))
    seeded = random.Random(20261123)

    def corrupt(entries: list[Entry]) -> list[Entry]:
        (honest,) = entries
        bodies = [bytearray(honest.body) for _ in range(40)]
        for body in bodies:
            body[seeded.randrange(len(body))] ^= 1 << seeded.randrange(8)
        bodies += [honest.body[:length] for length in range(0, len(honest.body), 97)]
        first = honest.seq
        return [
            *(msgspec.structs.replace(honest, seq=first + n, body=bytes(body)) for n, body in enumerate(bodies)),
            msgspec.structs.replace(honest, seq=first + len(bodies)),
        ]

    liar.lie = corrupt
    *refused, last = await bob.receive()
    assert len(refused) > 40
    assert all(isinstance(event, Gap) for event in refused)
    assert isinstance(last, MessageReceived if kind == "application" else MembersChanged)
    assert await _authenticator(alice, group_id) == await _authenticator(bob, group_id)


async def test_an_entry_handed_out_twice_is_read_once(world, liar: Liar, stack: AsyncExitStack) -> None:
    alice, bob, group_id = await chatting(world, stack)
    await alice.send(group_id, "once")
    liar.lie = lambda entries: [*entries, msgspec.structs.replace(entries[-1], seq=entries[-1].seq + 1)]
    events = await bob.receive()
    assert texts(events) == ["once"]
    assert [event.code for event in events if isinstance(event, Gap)] == ["already_read"]


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_is_repeated_and_however_it_is_mixed_the_history_is_that_of_the_log(
    world, liar: Liar, stack: AsyncExitStack, seed: int
) -> None:
    alice, bob, group_id = await chatting(world, stack)
    mixing, said = random.Random(seed), ["one", "two", "three", "four"]
    shown: list[Entry] = []

    def mix(entries: list[Entry]) -> list[Entry]:
        shown.extend(entries)
        return mixing.sample(shown * 2, k=2 * len(shown))

    liar.lie = mix
    events: list[object] = []
    for words in (said[:2], said[2:]):
        for text in words:
            await alice.send(group_id, text)
        await alice.refresh(group_id)
        events += await bob.receive()
    assert texts(events) == said
    named = {event.code for event in events if isinstance(event, Gap)}
    assert {"duplicated", "served-again"} <= named <= {"reordered", "duplicated", "served-again"}
    rows = [row for row in await bob.history(group_id) if row.kind == "received"]
    assert [row.text for row in rows] == said
    assert [row.seq for row in rows] == [row.seq for row in await alice.history(group_id) if row.text in said]
    assert await _authenticator(alice, group_id) == await _authenticator(bob, group_id)


async def test_an_own_key_on_a_strangers_commit_applies_nothing_own(world, liar: Liar, stack: AsyncExitStack) -> None:
    """The service knows every idempotency key; only the octets say whose commit it is."""
    alice, bob, group_id = await chatting(world, stack)
    await bob.worker.run(lambda: bob.steps.committer.want(group_id, [RefreshKeys()]))
    intent, _ = await bob.worker.run(bob.steps.committer.prepare, group_id, int(world.clock()))
    await alice.refresh(group_id)
    own_key = intent.request.idempotency_key
    liar.lie = lambda entries: [msgspec.structs.replace(entry, idempotency_key=own_key) for entry in entries]
    events = await bob.receive()
    assert next(event.committer for event in events if isinstance(event, MembersChanged)) == ALICE
    liar.lie = None
    await alice.receive()
    await bob.receive()
    assert await _authenticator(alice, group_id) == await _authenticator(bob, group_id)


async def test_nobody_joins_by_an_external_commit(world, liar: Liar, stack: AsyncExitStack) -> None:
    alice, bob, group_id = await chatting(world, stack)
    (carol,) = await world.people(stack, CAROL)
    with_tree = await alice.worker.run(_group_info, alice, group_id)
    engine = make_engine(carol.account, DeviceVerifier(TrustAnchors.from_pem(carol.account.anchors)))
    _, commit, _ = engine.external_join(with_tree, int(world.clock()))
    await alice.send(group_id, "still here")

    def intrude(entries: list[Entry]) -> list[Entry]:
        first = entries[0]
        intrusion = msgspec.structs.replace(first, kind="commit", idempotency_key="0" * 32, body=commit)
        return [intrusion, *(msgspec.structs.replace(entry, seq=entry.seq + 1) for entry in entries)]

    liar.lie = intrude
    events = await bob.receive()
    assert [event.code for event in events if isinstance(event, Gap)] == ["not-from-a-member"]
    assert texts(events) == ["still here"]
    assert await bob.members(group_id) == [ALICE, BOB]


async def test_an_encrypted_handshake_is_refused_before_the_group_is_touched(
    world, liar: Liar, stack: AsyncExitStack
) -> None:
    alice, bob, group_id = await chatting(world, stack)
    await alice.send(group_id, "really an application message")

    def pretend(entries: list[Entry]) -> list[Entry]:
        (honest,) = entries
        body = bytearray(honest.body)
        body[4 + 1 + len(group_id) + 8] = 3  # RFC 9420 §6.3: the content type of a PrivateMessage: commit
        return [msgspec.structs.replace(honest, body=bytes(body)), msgspec.structs.replace(honest, seq=honest.seq + 1)]

    liar.lie = pretend
    events = await bob.receive()
    assert [event.code for event in events if isinstance(event, Gap)] == ["encrypted-handshake"]
    assert texts(events) == ["really an application message"]


async def test_a_device_that_was_away_for_days_reads_everything(world, stack: AsyncExitStack) -> None:
    """Certificates that were valid when they came, and have ended since, do not stop a returning reader."""
    alice, bob, group_id = await chatting(world, stack)
    for day in range(3):
        world.clock.now += 3 * 86_400
        await alice.receive()
        await alice.send(group_id, f"day {day}")
    world.clock.now += 86_400
    events = await bob.receive()
    assert not [event for event in events if isinstance(event, Gap)]
    verdicts = {event.message.text: event.message.verification.verdict for event in events if _is_message(event)}
    assert verdicts == {"day 0": "delayed", "day 1": "delayed", "day 2": "delayed"}
    await bob.send(group_id, "back")
    assert texts(await alice.receive()) == ["back"]


def _is_message(event: object) -> bool:
    return isinstance(event, MessageReceived)


def _group_info(session: Session, group_id: bytes) -> bytes:
    with session.steps.groups.step(group_id) as step:
        return step.group.group_info()


async def _authenticator(session: Session, group_id: bytes) -> bytes:
    return await session.worker.run(session.steps.groups.authenticator, group_id)
