"""How long the delivery service keeps messages: said in a sentence, warned of when it shrinks; what is gone is told."""

from contextlib import AsyncExitStack

import pytest

from client.desk.desk import open_desk
from client.doctor import look_at_account
from client.events import Gap, MessageReceived, Trouble
from client.records.service_facts import kept_for
from delivery_service.policy import Policy
from delivery_service.service import Service
from identity.number import TelephoneNumber
from tests.client.conftest import PASSPHRASE

ALICE, BOB = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3))
DAY, HOUR = 86_400, 3_600
WEEK = pytest.mark.parametrize("service_policy", [Policy(retention=7 * DAY)])


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (30 * DAY, "30 days"),
        (2 * DAY, "2 days"),
        (2 * DAY - 1, "47 hours"),
        (HOUR, "1 hour"),
        (-5, "0 hours"),
        (10**400, f"{2**53 // DAY} days"),
    ],
)
def test_it_is_one_sentence_whatever_a_service_says(seconds: int, words: str) -> None:
    assert kept_for(seconds).startswith(f"The delivery service keeps messages for {words}. ")


@WEEK
async def test_the_status_the_doctor_and_the_screens_say_it(world, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)
    assert (await alice.delivery.status()).retention == 7 * DAY
    findings = {each.subject: each.words async for each in look_at_account(alice)}
    assert findings["retention"] == kept_for(7 * DAY)
    await stack.aclose()
    opening = open_desk(
        world.home(ALICE), PASSPHRASE, clock=world.clock, transport=world.network, jitter=0, follow=False
    )
    async with opening as desk:
        assert (await desk.device.status()).retention == 7 * DAY


async def test_a_shorter_time_is_told_once_and_a_longer_one_is_not(world, stack: AsyncExitStack) -> None:
    (alice,) = await world.people(stack, ALICE)

    def decide(seconds: int) -> None:
        service: Service = world.network.services["delivery.test"].app.state.service
        service.policy = Policy(retention=seconds)

    async def told() -> list[str]:
        world.clock.now += HOUR
        events = await alice.receive()
        return [str(event.error) for event in events if isinstance(event, Trouble) and event.code == "retention"]

    decide(60 * DAY)
    assert await told() == []
    decide(10 * DAY)
    (words,) = await told()
    assert words.startswith("The delivery service keeps messages for 10 days from now on, and kept them for 60 days")
    assert words.endswith("is told so")  # whoever shows it ends the sentence and adds what to do
    assert await told() == []


@WEEK
async def test_who_comes_back_after_it_is_told_what_it_missed(world, stack: AsyncExitStack) -> None:
    """A device that was away for less misses nothing; one that was away for longer is told from where on."""
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("kept", [BOB])
    await bob.receive()
    service: Service = world.network.services["delivery.test"].app.state.service

    async def said(text: str, days: int) -> list[object]:
        await alice.send(chat.group_id, text)
        for _ in range(days):
            world.clock.now += DAY
            await alice.receive()
        await service.store.expire_before(service.now() - service.policy.retention, service.now())
        return await bob.receive()

    events = await said("in time", 6)
    assert [each.message.text for each in events if isinstance(each, MessageReceived)] == ["in time"]
    events = await said("too late", 8)
    (gap,) = [each for each in events if isinstance(each, Gap)]
    assert gap.code == "gone"
    assert "no longer kept" in gap.reason
    last = (await bob.history(chat.group_id))[-1]
    assert "cannot be followed any more" in last.text
    assert "remove this device and to add it again" in last.text
