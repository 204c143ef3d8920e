"""Services whose answers are meant to stop the client, and groups whose trouble is meant to spread to others."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest

from client.errors import GroupRefusedError, UnexpectedAnswerError
from client.events import ChatJoined, Gap, MessageFailed, MessageReceived, Trouble
from client.records.chats import Standing
from client.services.answers import from_json
from client.services.problems import refusal
from client.session import Session
from delivery_service.wire import Entry, EntryBatch, SessionGranted, Status, WelcomeBatch
from identity.base64url import encode_base64url
from identity.number import TelephoneNumber

ALICE, BOB, CAROL = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4))
Ask = Callable[[], Awaitable[bytes]]
Answer = Callable[[httpx.Request, Ask], Awaitable[httpx.Response | None]]


class Impostor(httpx.AsyncBaseTransport):
    """An honest delivery service, but for what `answer` answers in its place."""

    def __init__(self, world) -> None:
        self._honest = world.network.services["delivery.test"]
        self.answer: Answer | None = None
        world.network.services["delivery.test"] = self

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        async def ask() -> bytes:
            return await (await self._honest.handle_async_request(request)).aread()

        changed = None if self.answer is None else await self.answer(request, ask)
        return await self._honest.handle_async_request(request) if changed is None else changed


def packed(value: msgspec.Struct) -> httpx.Response:
    return httpx.Response(200, stream=httpx.ByteStream(msgspec.msgpack.encode(value)))


def problem(word: str, status: int, **more: int) -> httpx.Response:
    body = {"type": f"urn:ringtrue:delivery:{word}", "title": word, "status": status, "detail": word, **more}
    return httpx.Response(status, stream=httpx.ByteStream(msgspec.json.encode(body)))


def entries_as(change: Callable[[list[Entry]], EntryBatch]) -> Answer:
    async def answer(request: httpx.Request, ask: Ask) -> httpx.Response | None:
        if request.method != "GET" or not request.url.path.endswith("/entries"):
            return None
        return packed(change(msgspec.msgpack.decode(await ask(), type=EntryBatch).entries))

    return answer


def stale_posts(path_end: str) -> Answer:
    async def answer(request: httpx.Request, _: Ask) -> httpx.Response | None:
        if request.method != "POST" or not request.url.path.endswith(path_end):
            return None
        return problem("stale-epoch", 409, epoch=1, head=1)

    return answer


async def chatting(world, stack: AsyncExitStack) -> tuple[Session, Session, bytes]:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("hostile", [BOB])
    await bob.receive()
    return alice, bob, chat.group_id


@pytest.mark.parametrize("octets", [b'{"x":' + b"[" * 100_000, b'{"token":"\xff"}', b"\xff"])
def test_an_answer_that_cannot_be_decoded_is_refused(octets: bytes) -> None:
    with pytest.raises(UnexpectedAnswerError):
        from_json(octets, SessionGranted)
    assert isinstance(refusal(400, octets), UnexpectedAnswerError)


@pytest.mark.parametrize("field", ["seq", "at_ms"])
@pytest.mark.parametrize("number", [2**63, -1])
async def test_a_number_that_the_store_cannot_keep_is_refused(
    world, stack: AsyncExitStack, field: str, number: int
) -> None:
    alice, bob, group_id = await chatting(world, stack)
    await alice.send(group_id, "kept")
    impostor = Impostor(world)

    def huge(entries: list[Entry]) -> EntryBatch:
        return EntryBatch([msgspec.structs.replace(entries[0], **{field: number})], 2**63, False)

    impostor.answer = entries_as(huge)
    (trouble,) = await bob.receive()
    assert isinstance(trouble.error, UnexpectedAnswerError)
    impostor.answer = None
    assert [event.message.text for event in await bob.receive()] == ["kept"]


async def test_endless_batches_of_nothing_are_refused(world, stack: AsyncExitStack) -> None:
    _, bob, group_id = await chatting(world, stack)
    impostor = Impostor(world)
    impostor.answer = entries_as(lambda _: EntryBatch([], 9, True))
    with pytest.raises(UnexpectedAnswerError, match="hands out none"):
        async with asyncio.timeout(10):
            await bob.delivery.entries(group_id, 0)


async def test_a_session_token_or_host_name_that_is_none_is_refused(world, stack: AsyncExitStack) -> None:
    alice, _, _ = await chatting(world, stack)
    impostor = Impostor(world)

    async def answer(request: httpx.Request, _: Ask) -> httpx.Response:
        token, host = SessionGranted("schlüssel", "", "", 2**40), Status("a/g/../é", 0, 0, b"")
        value = token if request.url.path == "/v1/sessions" else host
        return httpx.Response(201, stream=httpx.ByteStream(msgspec.json.encode(value)))

    impostor.answer = answer
    with pytest.raises(UnexpectedAnswerError, match="cannot stand in a header"):
        await alice.delivery.open_session()
    with pytest.raises(UnexpectedAnswerError, match="not that of a host"):
        await alice.delivery.status()


async def test_a_new_group_refused_as_outdated_is_refused_for_good(world, stack: AsyncExitStack) -> None:
    alice, _, _ = await chatting(world, stack)
    impostor = Impostor(world)
    impostor.answer = stale_posts("/v1/groups")
    with pytest.raises(GroupRefusedError):
        await alice.create_chat("never", [BOB])
    impostor.answer = None
    assert await alice.receive() == []
    assert (await alice.find_chat("never")).standing is Standing.LEFT


async def test_entries_left_out_before_a_refused_one_are_a_gap_too(world, stack: AsyncExitStack) -> None:
    alice, bob, group_id = await chatting(world, stack)
    for text in ("one", "two"):
        await alice.send(group_id, text)
    impostor = Impostor(world)

    def leave_out(entries: list[Entry]) -> EntryBatch:
        return EntryBatch([msgspec.structs.replace(entries[1], body=b"garbage")], entries[1].seq, False)

    impostor.answer = entries_as(leave_out)
    assert [event.code for event in await bob.receive() if isinstance(event, Gap)] == ["withheld", "malformed"]


async def test_trouble_in_one_chat_keeps_nothing_of_the_others_away(world, stack: AsyncExitStack) -> None:
    alice, bob, group_id = await chatting(world, stack)
    other = await alice.create_chat("other", [BOB])
    await alice.send(group_id, "first")
    await alice.send(other.group_id, "second")
    impostor = Impostor(world)
    troubled = (await alice.find_chat("hostile")).group_id

    async def answer(request: httpx.Request, ask: Ask) -> httpx.Response | None:
        if encode_base64url(troubled).decode() not in request.url.path:
            return None
        return packed(EntryBatch([], 9, True))

    impostor.answer = answer
    events = await bob.receive()
    assert [event.message.text for event in events if isinstance(event, MessageReceived)] == ["second"]
    assert [event.group_id for event in events if isinstance(event, Trouble)] == [troubled]


async def test_a_message_for_a_chat_that_is_lost_meanwhile_fails_visibly(world, stack: AsyncExitStack) -> None:
    alice, bob, group_id = await chatting(world, stack)
    world.network.down.add("delivery.test")
    message = await bob.send(group_id, "on its way")
    assert message.state == "sending"
    world.network.down.clear()
    await alice.refresh(group_id)
    impostor = Impostor(world)

    async def answer(request: httpx.Request, _: Ask) -> httpx.Response | None:
        gone = request.method == "GET" and request.url.path.endswith("/entries")
        return problem("gone", 410, floor=99) if gone else None

    impostor.answer = answer
    events = await bob.receive()
    assert [event.message for event in events if isinstance(event, MessageFailed)] == [message.id]
    assert await bob.receive() == []


async def test_a_welcome_cannot_turn_the_log_back(world, stack: AsyncExitStack) -> None:
    alice, bob, group_id = await chatting(world, stack)
    await alice.send(group_id, "before")
    await bob.receive()
    await alice.remove(group_id, [BOB])
    await bob.receive()
    await alice.add(group_id, [BOB])
    impostor = Impostor(world)

    async def answer(request: httpx.Request, ask: Ask) -> httpx.Response | None:
        if request.url.path != "/v1/inbox":
            return None
        batch = msgspec.msgpack.decode(await ask(), type=WelcomeBatch)
        return packed(WelcomeBatch([msgspec.structs.replace(item, seq=0) for item in batch.items], batch.head))

    impostor.answer = answer
    events = await bob.receive()
    assert isinstance(events[0], ChatJoined)
    texts = [row.text for row in await bob.history(group_id) if row.kind == "received"]
    assert texts == ["before"]
    assert not [event for event in events if isinstance(event, Trouble)]
