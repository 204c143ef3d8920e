"""The composer: what Enter does, what is completed, what is pasted, and what never happens by surprise."""

import pytest
from textual import events
from textual.app import App, ComposeResult

from client.formats.text import safe_text
from client.tui.composer import Choices, Composer
from tests.client.conftest import ALICE, BOB, World
from tests.client.terminal_attacks import CONTROLS, SEQUENCES, UNSEEN
from tests.client.tui.pane_scene import Talk, talking


class Alone(App[None]):
    """A composer and nothing else."""

    def compose(self) -> ComposeResult:
        choices = Choices()
        yield choices
        yield Composer(choices)


def texts(talk: Talk) -> list[str]:
    return [row.message.text for row in talk.rows if row.message.kind == "sent"]


def offered(talk: Talk) -> list[str]:
    """The rows of the open list of choices."""
    choices = talk.pane.query_one(Choices)
    return [str(option.prompt) for option in choices.options] if choices.display else []


async def test_enter_sends_and_ctrl_j_breaks_the_line(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.pilot.press(*"one", "ctrl+j", *"two", "enter")
        await talk.until(lambda: texts(talk) == ["one\ntwo"], "the message")
        await talk.pilot.press("enter")
        await talk.pilot.press("ctrl+j", "enter")
        await talk.pilot.pause()
        assert texts(talk) == ["one\ntwo"]


async def test_messages_sent_in_haste_keep_their_order(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        for word in "abcde":
            await talk.pilot.press(word, "enter")
        await talk.until(lambda: texts(talk) == list("abcde"), "five messages")


async def test_keys_that_come_all_at_once_are_taken_in_their_order(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        burst = ["o", "m", "backspace", "n", "e", "ctrl+j", "2", "enter", "t", "o", "left", "w", "enter", "l", "e", "f"]
        for key in burst:
            talk.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await talk.until(lambda: texts(talk) == ["one\n2", "two"], "both messages")
        await talk.until(lambda: talk.pane.composer.text == "lef", "what was typed after the last Enter")


async def test_a_command_typed_all_at_once_is_not_completed_to_another(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        for key in [*"/contacts", "enter"]:
            talk.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await talk.until(lambda: bool(talk.app.commands), "the command")
        assert talk.app.commands == ["/contacts"]


async def test_another_key_can_send(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        talk.app.set_keymap({"send": "f6"})
        await talk.pilot.press("a", "enter", "b", "f6")
        await talk.until(lambda: texts(talk) == ["a\nb"], "the message")


async def test_a_command_is_posted_and_not_sent(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.write("/mute 8h")
        assert talk.app.commands == ["/mute 8h"]
        assert talk.pane.composer.text == ""
        await talk.write("//mute 8h")
        await talk.until(lambda: texts(talk) == ["/mute 8h"], "the text with its slash")


async def test_a_mistyped_command_stays_where_it_can_be_mended(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.write("/mutee 8h")
        await talk.shows("there is no command '/mutee'; nothing was sent")
        assert talk.pane.composer.text == "/mutee 8h"
        assert texts(talk) == [] == talk.app.commands


async def test_commands_are_listed_while_one_is_typed_and_completed_by_tab_or_enter(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.pilot.press("/", "m", "u")
        assert [row.split()[0] for row in offered(talk)] == ["/mute"]
        await talk.pilot.press("tab")
        assert talk.pane.composer.text == "/mute "
        assert offered(talk) == []
        talk.pane.composer.begin("")
        await talk.pilot.press("/", "m", "u", "enter")
        assert talk.pane.composer.text == "/mute "
        assert talk.app.commands == []


async def test_the_list_is_moved_in_by_arrows_and_closed_by_escape(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.pilot.press("/")
        listed = offered(talk)
        assert len(listed) > 2
        await talk.pilot.press("down", "escape")
        assert offered(talk) == []
        assert talk.pane.composer.text == "/"
        await talk.pilot.press("backspace", "/", "down", "tab")
        assert talk.pane.composer.text == listed[1].split()[0] + " "


async def test_a_mention_is_completed_to_a_number_and_shown_as_a_name(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.until(lambda: len(talk.pane.composer.people) == 1, "the members")
        await talk.pilot.press(*"hi @ra")
        assert offered(talk) == ["Ravi  +1 202-555-0143"]
        await talk.pilot.press("enter")
        assert talk.pane.composer.text == f"hi @{BOB.e164} "
        await talk.pilot.press("enter")
        await talk.sees("hi @Ravi")
        await talk.me.device.sync()
        await talk.friend.device.sync()
        page = await talk.friend.messages.page(talk.chat.group)
        assert page[-1].mentions_me


async def test_an_address_in_a_word_offers_nobody(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.until(lambda: len(talk.pane.composer.people) == 1, "the members")
        await talk.pilot.press(*"me@ra")
        assert offered(talk) == []


@pytest.mark.parametrize("attack", [*SEQUENCES.values(), *CONTROLS.values(), *UNSEEN.values()])
async def test_what_is_pasted_is_made_harmless(attack: str) -> None:
    app = Alone()
    async with app.run_test() as pilot:
        composer = app.query_one(Composer)
        composer.focus()
        composer.post_message(events.Paste(f"a{attack}b"))
        await pilot.pause()
        assert composer.text == safe_text(f"a{attack}b").text


async def test_what_is_sent_is_harmless_however_it_came_into_the_composer(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.write("a\x1b]52;c;x\x07b\u202ec")
        await talk.until(lambda: len(texts(talk)) == 1, "the message")
        assert texts(talk) == ["a␛]52;c;x␇bc"]


async def test_the_up_arrow_leaves_an_empty_composer_but_moves_in_a_text(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.pilot.press("a", "up")
        assert talk.pane.composer.has_focus
        assert talk.pane.composer.text == "a"
        await talk.pilot.press("end", "backspace", "up")
        assert talk.pane.messages.has_focus


async def test_letters_are_commands_in_the_messages_only(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.pilot.press(*"redo +")
        assert talk.pane.composer.text == "redo +"
        assert len(talk.app.screen_stack) == 1


async def test_what_could_not_be_queued_comes_back_into_the_composer(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        long = "x" * 200_000
        await talk.write(long)
        await talk.shows("✗ ")
        assert talk.pane.composer.text == long
        assert texts(talk) == []


async def test_an_edit_that_is_left_changes_nothing(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.write("as it was")
        await talk.sees("delivered")
        await talk.pilot.press("up", "e")
        assert talk.pane.composer.text == "as it was"
        await talk.pilot.press("!", "escape")
        assert talk.pane.composer.text == ""
        assert "as it was" in talk.drawn
        assert "edited" not in talk.drawn
