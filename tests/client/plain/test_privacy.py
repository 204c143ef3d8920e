"""The lock and incognito: what is read out, and what stays behind, while somebody else may look on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest

from client.desk.told import MessageArrived, Told
from client.plain.locking import MINUTE
from lab.world import World
from tests.client.plain.plain_scene import ALICE, BOB, PASSPHRASE, Person, befriend, people

LOCKED = "Locked. Nothing is read out"
ASKED = "Passphrase (it is not shown): "


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Person, Person]]:
    async with World() as world, people(world, ALICE, BOB) as (alice, bob):
        await befriend(alice, bob)
        yield alice, bob


class Clock:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


def left_alone(person: Person, minutes: int = 5) -> Clock:
    """Let a person's program lock itself after so many minutes, by this clock."""
    clock = person.clock = Clock()
    person.config = replace(person.config, lock_after_minutes=minutes)
    return clock


async def told(person: Person, by: Person, text: str) -> None:
    """Something reaches a person, and whoever listens at their desk."""
    async with aclosing(person.desk.events()) as events:
        arriving = asyncio.create_task(_arrived(events, text))
        await asyncio.sleep(0)  # it listens
        await by.says(text)
        await person.desk.device.sync()
        await asyncio.wait_for(arriving, 30)


async def _arrived(events: AsyncIterator[Told], text: str) -> None:
    async for told in events:
        if isinstance(told, MessageArrived) and told.message.text == text:
            return


async def test_nothing_is_read_out_until_the_passphrase_is_given(pair: tuple[Person, Person]) -> None:
    alice, bob = pair
    async with bob.sitting() as keyboard:
        keyboard.type("lock")
        await keyboard.hears(LOCKED)
        await told(bob, alice, "while it is locked")
        keyboard.type("chats", "wrong", PASSPHRASE)
        meanwhile = await keyboard.hears_all_until("Opened.")
        assert sum(line.startswith("Error: the passphrase does not open") for line in meanwhile) == 2
        assert not [line for line in meanwhile if "while it is locked" in line]
        await keyboard.hears("while it is locked")


async def test_a_line_that_was_typed_after_a_while_waits_for_the_passphrase(pair: tuple[Person, Person]) -> None:
    alice, bob = pair
    clock = left_alone(bob)
    async with bob.sitting() as keyboard:
        keyboard.type("chats", "1")
        await keyboard.hears("Chat ")
        await told(bob, alice, "nobody is there")
        keyboard.type("/status")
        await keyboard.hears("nobody is there")
        clock.seconds += 5 * MINUTE
        keyboard.type("I am back")
        await keyboard.hears(LOCKED)
        assert all(row.text != "I am back" for row in await bob.rows())
        keyboard.type(PASSPHRASE)
        await keyboard.hears("Opened.")
        await keyboard.hears("you, ")


async def test_listening_stops_by_itself(pair: tuple[Person, Person]) -> None:
    alice, bob = pair
    clock = left_alone(bob)
    async with bob.sitting() as keyboard:
        keyboard.type("listen")
        await keyboard.hears("Listening.")
        await told(bob, alice, "somebody is there")
        await keyboard.hears("somebody is there")
        clock.seconds += 5 * MINUTE
        await told(bob, alice, "nobody is there")
        await keyboard.hears(LOCKED)
        keyboard.type(PASSPHRASE)
        assert not [line for line in await keyboard.hears_all_until("Opened.") if "nobody is there" in line]
        await keyboard.hears("nobody is there")


async def test_the_line_before_the_lock_becomes_a_draft_and_no_passphrase_does(pair: tuple[Person, Person]) -> None:
    _, bob = pair
    clock = left_alone(bob)
    async with bob.sitting() as keyboard:
        keyboard.type("chats", "1")
        await keyboard.hears("Chat ")
        await keyboard.hears("1. ")
        clock.seconds += 5 * MINUTE
        keyboard.type("half a thought")
        await keyboard.hears(LOCKED)
        keyboard.leave(PASSPHRASE[:5])
    assert (await bob.chat()).draft == "half a thought"


async def test_incognito_names_nobody_and_leaves_nothing(pair: tuple[Person, Person]) -> None:
    alice, bob = pair
    bob.incognito = True
    await alice.desk.chats.create("Climbing", [BOB.e164])
    await bob.desk.device.sync()
    async with bob.sitting() as keyboard:
        await keyboard.hears("Incognito: ")
        keyboard.type("listen")
        await keyboard.hears("Listening.")
        climbing = await alice.desk.chats.find("Climbing")
        await alice.desk.messages.send(climbing.group, "the crux is on the left")
        await alice.desk.device.sync()
        await bob.desk.device.sync()
        assert (await keyboard.hears("New: ")) == "New: 1 message."
        keyboard.type("", "chats")
        listed = await keyboard.hears_all_until(". Chat, 2 members, 1 unread")
        assert not [line for line in listed if "Climbing" in line or "crux" in line]
        keyboard.type(listed[-1].partition(".")[0])
        await keyboard.hears("the crux is on the left")
        for refused in ("/draft keep this", "/export", "/proof 1"):
            keyboard.type(refused)
            await keyboard.hears("refused in incognito")
        keyboard.leave("half a thought")
    chat = await bob.desk.chats.get(climbing.group)
    assert (chat.unread, chat.draft) == (1, "")
    assert not bob.config.download_folder.exists()


async def test_incognito_names_no_stranger_either(pair: tuple[Person, Person]) -> None:
    alice, bob = pair
    await alice.desk.people.block(BOB.e164)
    await alice.desk.people.unblock(BOB.e164)
    async with alice.sitting() as keyboard:
        keyboard.type("incognito", "listen")
        await keyboard.hears("Listening.")
        await bob.desk.chats.create("Cheap pills", [ALICE.e164])
        await bob.desk.device.sync()
        await alice.desk.device.sync()
        assert (await keyboard.hears("To decide")) == "Somebody asks for a chat. To decide: /requests"
