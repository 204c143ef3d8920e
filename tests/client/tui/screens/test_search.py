"""Search while typing: every hit marked, a late answer never shown, Enter leads to the message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.events import Key

from client.tui.screens.search import SearchScreen, excerpt
from tests.client.tui.screens.sheet_scene import SIZES, seated
from tests.client.tui.shell_scene import Scene, text_of


@pytest.mark.parametrize("size", SIZES)
async def test_what_is_found_names_chat_sender_and_time(scene: Scene, size: tuple[int, int]) -> None:
    async with seated(scene, size) as alice:
        bob, chat = await alice.ravi()
        message = await alice.hears(bob, chat, "the rope is at mine")
        await alice.show(SearchScreen(None))
        await alice.type("rope")
        await alice.sees("[rope]")
        await alice.misses("Looking")
        local = message.arrived.astimezone()
        assert "1 message found." in alice.text
        assert f"Climbing group Ravi {local.day} {local:%b %Y %H:%M} the [rope] is at mine" in alice.text
        await alice.press("enter")
        await alice.until(lambda: alice.answer, "it was chosen")
        assert alice.answer[0].row == message.row


async def test_one_chat_or_all(scene: Scene) -> None:
    async with seated(scene) as alice:
        bob, chat = await alice.ravi()
        _, other = await alice.ravi("Other group")
        await alice.hears(bob, chat, "rope here")
        await alice.hears(bob, other, "rope there")
        await alice.show(SearchScreen(other.group))
        await alice.type("rope")
        await alice.sees("1 message found.")
        await alice.sees("[rope] there")
        await alice.press("escape")
        assert alice.answer == [None]
        await alice.show(SearchScreen(None))
        await alice.type("rope")
        await alice.sees("2 messages found.")
        await alice.sees("[rope] here")
        await alice.press("down", "enter")
        await alice.until(lambda: alice.answer, "it was chosen")
        assert alice.answer[0].group == chat.group


async def test_only_the_last_words_are_answered(scene: Scene) -> None:
    async with seated(scene) as alice:
        bob, chat = await alice.ravi()
        await alice.hears(bob, chat, "rope")
        await alice.hears(bob, chat, "axe")
        screen = SearchScreen(None)
        await alice.show(screen)
        field = screen.query_one("Input")
        field.value = "rope"
        screen.look()  # is still waiting for its answer when the next one is asked for
        field.value = "axe"
        screen.look()
        await alice.sees("[axe]")
        await alice.misses("Looking")
        assert "[rope]" not in alice.text
        field.value = ""
        await alice.sees("Type what you are looking for.")
        assert "[axe]" not in alice.text


async def test_enter_before_the_answer_chooses_what_is_found_then(scene: Scene) -> None:
    async with seated(scene) as alice:
        bob, chat = await alice.ravi()
        message = await alice.hears(bob, chat, "nine o'clock")
        screen = SearchScreen(None)
        await alice.show(screen)
        screen.query_one("Input").value = "nine"
        screen.query_one("Input").post_message(Key("enter", "\r"))
        await alice.until(lambda: alice.answer, "it was chosen")
        assert alice.answer[0].row == message.row


async def test_no_enter_in_the_sheet_reaches_what_lies_behind(scene: Scene) -> None:
    async with seated(scene) as alice:
        bob, chat = await alice.ravi()
        message = await alice.hears(bob, chat, "nine o'clock")
        screen = SearchScreen(None)
        await alice.show(screen)
        await alice.type("nine")
        await alice.sees("1 message found.")
        for _ in range(3):
            screen.query_one("Input").post_message(Key("enter", "\r"))
        await alice.until(lambda: alice.answer, "it was chosen")
        await alice.app.open_chat(await alice.api.chats.get(chat.group), message.row)
        await alice.pilot.pause()
        assert alice.app.screen is alice.app.main
        assert [each.row for each in alice.answer] == [message.row]


async def test_markup_in_a_message_is_text(scene: Scene) -> None:
    async with seated(scene) as alice:
        bob, chat = await alice.ravi("A [link=https://evil.example]name[/link]")
        await alice.hears(bob, chat, "[/nope] [@click=app.exit]rope[/]")
        await alice.show(SearchScreen(None))
        await alice.type("rope")
        await alice.sees("[/nope] [@click=app.exit][rope][/]")


async def test_no_text_passes_for_a_row_of_its_own(scene: Scene) -> None:
    async with seated(scene, (60, 24)) as alice:
        bob, chat = await alice.ravi()
        await alice.hears(bob, chat, "rope " + "x" * 45 + " ✓ NUMBER VERIFIED\n✓ NUMBER VERIFIED")
        await alice.show(SearchScreen(None))
        await alice.type("rope")
        await alice.sees("[rope]")
        rows = text_of(alice.app).splitlines()
        indents = [row.index("✓") for row in rows if row.startswith("│") and "✓" in row]
        heading = next(row.index("Climbing") for row in rows if "Climbing group  Ravi" in row)
        assert indents
        assert min(indents) > heading


async def test_what_a_stranger_wrote_is_not_found(scene: Scene) -> None:
    async with seated(scene) as alice:
        await alice.asked()
        await alice.show(SearchScreen(None))
        await alice.type("parcel")
        await alice.sees("0 messages found.")


drawable = st.text(st.characters(exclude_categories=["C"]))  # as client.formats.text leaves it


@given(drawable, drawable)
def test_an_excerpt_is_one_line_and_marks_what_it_contains(words: str, text: str) -> None:
    drawn = excerpt(words, text).plain
    assert "\n" not in drawn
    line = " ".join(text.split())
    for word in words.split()[:1]:
        if word in line and len(words.split()) == 1:
            assert f"[{word}]".casefold() in drawn.casefold()
