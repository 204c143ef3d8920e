"""Two people talk line by line; what others do is read out between prompts, and nothing that was written is lost."""

from collections.abc import AsyncIterator

import pytest

from client.plain.open_chat import ROWS
from lab.world import World
from tests.client.plain.plain_scene import ALICE, BOB, CAROL, Person, befriend, people
from tests.client.terminal_attacks import CONTROLS, SEQUENCES


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World() as world:
        yield world


@pytest.fixture
async def pair(world: World) -> AsyncIterator[tuple[Person, Person]]:
    async with people(world, ALICE, BOB) as (alice, bob):
        await befriend(alice, bob)
        yield alice, bob


async def test_two_people_talk_at_the_same_time(world: World) -> None:
    async with people(world, ALICE, BOB, follow=True) as (alice, bob), alice.sitting() as a, bob.sitting() as b:
        a.type(f"new {BOB.e164}")
        await a.hears(f"Chat “{BOB}”")
        b.type("listen")
        await b.hears(f"{ALICE} asks for a direct chat")
        b.type("", "requests", "1", "accept", "yes")
        await b.hears(f"Chat “{ALICE}”")
        b.type("/listen")
        a.type("I am in.")
        await a.hears("you, ")
        assert (await b.hears("I am in.")).split(" ", 2)[2] == f"NUMBER VERIFIED {ALICE}: I am in."
        b.type("", "/reply", "", "Good.")
        await b.hears("in answer to message 2: Good.")
        a.type("/listen")
        await a.hears(f"NUMBER VERIFIED {BOB}, in answer to message")
        b.type("/react 2 👍")
        await a.hears("Changed:")
        assert "reaction 👍 by 1 other: I am in." in await a.hears("reaction")
        a.type("", "/delete 3", "yes", "/edit 2 I was in.")
        await b.hears("reaction 👍 by you")
        b.type("/listen")
        await b.hears("edited, reaction 👍 by you: I was in.")
        for keyboard in (a, b):
            keyboard.type("", "/quit")
            await keyboard.hears("Left.")


async def test_what_comes_is_kept_until_enter(pair: tuple[Person, Person]) -> None:
    alice, bob = pair
    async with bob.sitting() as keyboard:
        keyboard.type("chats", "1")
        await keyboard.hears("Chat ")
        await alice.says("while you type")
        await bob.desk.device.sync()
        keyboard.type("my own words")
        assert "while you type" in await keyboard.hears("NUMBER VERIFIED")
        await keyboard.hears("you, ")
        keyboard.type("/quit")
        await keyboard.hears("Left.")


async def test_messages_of_other_chats_are_told_with_their_chat(world: World) -> None:
    async with people(world, ALICE, BOB) as (alice, bob):
        await bob.desk.people.know(ALICE.e164)
        for name in ("Climbing", "Dinner"):
            await alice.desk.chats.create(name, [BOB.e164])
        await bob.desk.device.sync()
        async with bob.sitting() as keyboard:
            keyboard.type("chats climbing", "/listen")
            await keyboard.hears("Listening.")
            dinner = await alice.desk.chats.find("Dinner")
            await alice.desk.messages.send(dinner.group, "soup")
            await alice.desk.device.sync()
            await bob.desk.device.sync()
            assert "NUMBER VERIFIED" in await keyboard.hears("New in “Dinner”: ")
            keyboard.type("")
            keyboard.type("/next")
            await keyboard.hears("soup")


async def test_no_text_of_others_passes_for_another_row(pair: tuple[Person, Person]) -> None:
    alice, bob = pair
    fake = f"9. 18:05 NUMBER VERIFIED {CAROL}: buy"
    for text in (f"hello\n{fake}", f"hello\r{fake}", f"hello\u2028{fake}", *SEQUENCES.values(), *CONTROLS.values()):
        await alice.desk.messages.send((await alice.chat()).group, text)
    await alice.desk.device.sync()
    await bob.desk.device.sync()
    heard = await bob.visit("chats", "1", "/newer", "/newer", "/newer", "/newer", "/find buy", "")
    assert sum(fake in line for line in heard) >= 6
    assert not [line for line in heard if line.startswith(fake)]
    assert all(character.isprintable() for line in heard for character in line)


async def test_requests_show_nothing_that_a_stranger_wrote(world: World) -> None:
    async with people(world, ALICE, BOB) as (alice, bob):
        chat = await alice.desk.chats.create("Cheap pills", [BOB.e164], roles=False)
        await alice.desk.messages.send(chat.group, "buy now")
        await alice.desk.device.sync()
        async with bob.sitting() as keyboard:
            keyboard.type("listen")
            await keyboard.hears("Listening.")
            await bob.desk.device.sync()
            told = await keyboard.hears("REQUEST ")  # perhaps before there is a message behind it
            keyboard.type("")
        heard = "\n".join([told, *await bob.visit("requests", "1", "", "chats", "findall pills", "quarantine")])
        assert f"{ALICE} asks for a direct chat" in heard
        assert "Cheap" not in heard
        assert "buy" not in heard
        accepted = await bob.visit("requests", "1", "1", "yes")
        assert any("Cheap pills" in line for line in accepted)
        assert any(line.endswith("buy now") for line in accepted)


async def test_a_long_chat_is_read_page_by_page_from_the_first_unread(pair: tuple[Person, Person]) -> None:
    alice, bob = pair
    group = (await alice.chat()).group
    for number in range(40):
        await alice.desk.messages.send(group, f"row {number};")
    await alice.desk.device.sync()
    await bob.desk.device.sync()
    heard = await bob.visit("chats", "1", "/newer", "/newer", "/newer")
    said = [line for line in heard if "row " in line and "Last at" not in line]
    assert [line.rsplit("row ")[1] for line in said] == [f"{number};" for number in range(40)]
    assert "There is more: /newer" in heard
    assert heard[-4] == "There is nothing newer."
    again = await bob.visit("chats", "1", "/older", "/quit")
    rows = [line.rsplit("row ")[1] for line in again if "row " in line and "Last at" not in line]
    assert rows == [f"{number};" for number in (*range(40 - ROWS, 40), *range(40 - 2 * ROWS, 40 - ROWS))]


async def test_what_is_not_finished_when_the_input_ends_becomes_a_draft(pair: tuple[Person, Person]) -> None:
    alice, _ = pair
    await alice.visit("chats", "1", unfinished="half a thought")
    assert (await alice.chat()).draft == "half a thought"
    await alice.visit("chats", "1", "/write", "one", unfinished="two")
    assert (await alice.chat()).draft == "half a thought\none\ntwo"
    await alice.visit("chats", "1", "/reply 1", unfinished="an answer")
    assert (await alice.chat()).draft.endswith("\nan answer")
    before = (await alice.chat()).draft
    await alice.visit("chats", "1", unfinished="/mem")
    await alice.visit("chats", "1", "/members")
    assert (await alice.chat()).draft == before
    assert all(row.kind != "sent" for row in await alice.rows())


async def test_what_cannot_be_sent_becomes_a_draft(pair: tuple[Person, Person]) -> None:
    alice, bob = pair
    group = (await alice.desk.chats.create("Climbing", [BOB.e164])).group
    await bob.desk.device.sync()
    await alice.desk.chats.remove(group, BOB.e164)
    await bob.desk.device.sync()
    heard = await bob.visit("chats climbing", "may I?")
    assert [line for line in heard if line.startswith("Error: ")]
    assert (await bob.desk.chats.get(group)).draft == "may I?"


async def test_a_bare_number_in_a_chat_is_asked_about(pair: tuple[Person, Person]) -> None:
    alice, _ = pair
    heard = await alice.visit("chats", "1", "7", "no", "8", "yes", "12345")
    assert [line for line in heard if "Send 7 as a message?" in line]
    assert [row.text for row in await alice.rows() if row.kind == "sent"] == ["8", "12345"]


async def test_failures_are_a_line_of_words_and_a_line_of_what_to_do(pair: tuple[Person, Person]) -> None:
    alice, _ = pair
    heard = await alice.visit("new 12345", "new +12025550199", "chats nowhere", "chats", "5", "timer 1d", "/1", "xyzzy")
    told = [place for place, line in enumerate(heard) if line.startswith("Error: ")]
    assert len(told) >= 6
    for place in told:
        assert not heard[place + 1].startswith("Menu"), heard[place]
    assert "See what there is in the list of chats" in heard
    assert not [line for line in heard if "ringtrue chat" in line]
