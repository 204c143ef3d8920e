"""Days pass in a whole world: late messages are shown as late, certificates are renewed, a world leaves nothing."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from client.events import MessageReceived
from identity.binding import Verdict
from lab.casting import cast
from lab.people import Person
from lab.stage import Stage
from lab.world import World

HOUR, DAY = 3_600, 86_400  # seconds


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    async with World() as world:
        yield await cast(world)


async def verdicts(reader: Person) -> list[Verdict | None]:
    events = await reader.session.receive()
    received = [event.message for event in events if isinstance(event, MessageReceived)]
    return [message.verification.verdict if message.verification else None for message in received]


@pytest.mark.parametrize(("away", "verdict"), [(30, Verdict.VERIFIED), (2 * HOUR, Verdict.DELAYED)])
async def test_message_read_later_is_shown_as_late(stage: Stage, away: int, verdict: Verdict) -> None:
    await stage.alice.session.send(stage.group, "Are you there?")
    stage.world.clock.advance(away)
    assert await verdicts(stage.people[1]) == [verdict]


async def test_certificates_are_renewed_and_messages_stay_verified(stage: Stage) -> None:
    before = {person.name: person.session.account.chain for person in stage.people}
    stage.world.clock.advance(5 * DAY)
    for _ in range(2):
        for person in stage.people:
            await person.session.receive()
    assert all(person.session.account.chain != before[person.name] for person in stage.people)
    for person in stage.people:
        assert (await stage.say(person, "Still me.")).verified


async def test_world_ends_without_a_trace() -> None:
    async with httpx.AsyncClient() as client:
        async with World() as world:
            folder, status = world.folder, f"{world.delivery_url}/v1/status"
            await world.person("Alice", "+12025550101")
            assert (await client.get(status)).status_code == 200
        assert not folder.exists()
        with pytest.raises(httpx.ConnectError):
            await client.get(status)
