"""A service that refuses what would wait for too long: people wait as they are told, and nothing is lost or doubled."""

from contextlib import AsyncExitStack
from types import SimpleNamespace

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from client.events import MessageReceived
from delivery_service import entrance as entrances
from delivery_service.entrance import Entrance
from delivery_service.http.connections import BEGIN
from tests.client.conftest import ALICE, BOB, DELIVERY


@pytest.fixture
def crowd(world, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The world's service; while it is `late`, its event loop seems to take a second for each request."""
    monkeypatch.setattr(entrances, "WAITING_LIMIT", 0)
    crowd = SimpleNamespace(late=False, now=0.0)

    def clock() -> float:
        crowd.now += crowd.late
        return crowd.now

    entrance, host = Entrance(clock), DELIVERY.removeprefix("https://")
    app = world.network.services[host].app

    async def crowded(scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"] = {BEGIN: {BEGIN: entrance.arrive()}}
        await app(scope, receive, send)

    world.network.services[host] = httpx.ASGITransport(crowded)
    return crowd


async def test_what_is_written_to_an_overloaded_service_arrives_once_when_it_has_room(
    world, stack: AsyncExitStack, crowd: SimpleNamespace
) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("crowded", [BOB])
    await bob.receive()
    crowd.late = True
    before = world.network.statuses[503]
    message = await alice.send(chat.group_id, "in the end")
    assert message.state == "sending"
    assert world.network.statuses[503] > before + 1
    crowd.late = False
    await alice.receive()
    (event,) = [event for event in await bob.receive() if isinstance(event, MessageReceived)]
    assert event.message.text == "in the end"
    assert [event for event in await bob.receive() if isinstance(event, MessageReceived)] == []
