"""The lying transport over real HTTP: its view of a log fits together in every answer, the event stream included."""

import asyncio
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import httpx
import pytest

from client.enrolling import enrol
from client.events import ChatJoined, Gap, MessageReceived
from client.session import Session
from identity.authority.wire import ChallengeOpened
from identity.number import TelephoneNumber
from lab.lying import LyingTransport
from lab.world import COST, PASSPHRASE, World

ALICE, BOB = "+12025550142", "+12025550143"
PATIENCE = 20  # seconds for what takes milliseconds on an idle machine


async def victim(world: World, folder: Path, liar: LyingTransport, stack: AsyncExitStack) -> Session:
    number = TelephoneNumber.parse(BOB)

    async def read_code(_: ChallengeOpened) -> str:
        return world.codes.codes[number]

    services = {"authority": world.authority_url, "delivery": world.delivery_url}
    await enrol(folder, PASSPHRASE, number, **services, ask_code=read_code, cost=COST, clock=world.clock)
    session = await stack.enter_async_context(
        Session.open(folder, PASSPHRASE, clock=world.clock, transport=liar, jitter=0)
    )
    await session.maintain()
    return session


async def told(events: asyncio.Queue[object], kind: type) -> object:
    async with asyncio.timeout(PATIENCE):
        while not isinstance(event := await events.get(), kind):
            pass
    return event


@pytest.mark.parametrize("lie", ["hold", "replay"])
async def test_a_follower_sees_the_view_of_the_liar_and_no_other(tmp_path: Path, lie: str) -> None:
    async with World() as world, AsyncExitStack() as stack:
        liar = LyingTransport(httpx.AsyncHTTPTransport())
        alice = await world.person("Alice", ALICE)
        bob = await victim(world, tmp_path / "bob", liar, stack)
        events: asyncio.Queue[object] = asyncio.Queue()
        bob.add_listener(events.put_nowait)

        async def follow() -> None:
            async with aclosing(bob.follow()) as stream:
                async for _ in stream:
                    pass

        following = asyncio.create_task(follow())
        chat = await alice.create_chat("lies", [TelephoneNumber.parse(BOB)])
        await told(events, ChatJoined)
        await alice.send(chat.group_id, "first")
        await told(events, MessageReceived)
        if lie == "hold":
            liar.hold()
            await alice.send(chat.group_id, "held")
            await bob.receive()
            assert not [row for row in await bob.history(chat.group_id) if row.text == "held"]
            liar.release()
            await alice.send(chat.group_id, "next")
            assert (await told(events, MessageReceived)).message.text == "held"
        else:
            liar.replay = lambda entry: True
            await alice.send(chat.group_id, "twice")
            assert (await told(events, Gap)).code == "already_read"
        following.cancel()
        await asyncio.wait((following,))
