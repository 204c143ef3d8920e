"""A conversation on the screen, with real accounts behind it: what is sent, heard, quoted, changed, paged through."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest
from textual.screen import Screen

from client.desk.told import MessageArrived, MessageChanged, StatusChanged
from client.desk.views import ChatView
from client.tui import conversation_view
from client.tui.message_window import WINDOW
from client.tui.screens.inspector import InspectorScreen
from client.tui.screens.react import COMMON, ReactScreen
from tests.client.conftest import ALICE, BOB, World
from tests.client.terminal_attacks import CONTROLS, SEQUENCES, UNSEEN
from tests.client.tui.pane_scene import PATIENCE, Talk, talking

STEERING = {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))}


class Grudging(httpx.AsyncBaseTransport):
    """Refuses to take messages while `refuses` is true."""

    def __init__(self, honest: httpx.AsyncBaseTransport) -> None:
        self._honest = honest
        self.refuses = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.refuses and request.method == "POST" and request.url.path.endswith("/entries"):
            problem = b'{"type": "urn:x:too-large", "title": "The group is full", "status": 413}'
            headers = {"content-type": "application/problem+json"}
            return httpx.Response(413, headers=headers, stream=httpx.ByteStream(problem))
        return await self._honest.handle_async_request(request)


@asynccontextmanager
async def long_talk(world: World, rows: int) -> AsyncIterator[Talk]:
    """A chat with so many rows, which wait for a network."""
    async with talking(world, ALICE, BOB) as talk:
        world.network.down.add("delivery.test")
        for number in range(rows):
            await talk.me.messages.send(talk.chat.group, f"m{number:03} " + "word " * (number % 37))
        await talk.sees(f"m{rows - 1:03}")
        yield talk


def top(talk: Talk) -> tuple[int, float]:
    """The first row in view, and where its first line stands."""
    log = talk.pane.messages
    row = next(row for row in talk.rows if row.virtual_region.bottom > log.scroll_y)
    return row.message.row, row.virtual_region.y - log.scroll_y


async def select(talk: Talk, words: str) -> None:
    """Move the cursor of the log to the row with these words, by keys."""
    if not talk.pane.messages.has_focus:
        await talk.pilot.press("up")
    for _ in talk.rows:
        if talk.pane.selected is not None and words in talk.pane.selected.text:
            return
        await talk.pilot.press("k")
    raise AssertionError(f"no row says {words!r}:\n{talk.drawn}")


async def test_a_message_is_there_at_once_and_says_how_far_it_has_come(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        world.network.down.add("delivery.test")
        await talk.write("see you at six")
        await talk.sees("sending")
        status = await talk.me.device.status()
        await talk.pane.hear(StatusChanged(status=msgspec.structs.replace(status, online=False)))
        await talk.sees("waiting to send (offline)")
        world.network.down.clear()
        await talk.me.device.sync()
        await talk.sees("delivered")
        assert talk.pane.composer.text == ""


async def test_what_others_write_comes_with_its_proof_and_counts_as_read(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.friend_says("rope is at mine")
        await talk.shows("✓ NUMBER VERIFIED  +1 202-555-0143  Ravi (your contact)")
        await talk.until(lambda: talk.pane.chat is not None and talk.pane.chat.unread == 0, "the row read")


async def test_a_reader_further_up_is_not_moved_and_told_what_is_below(world: World) -> None:
    async with long_talk(world, 40) as talk:
        await talk.pilot.press("up", "pageup")
        await talk.pilot.pause()
        stood = top(talk)
        world.network.down.clear()
        await talk.me.device.sync()
        await talk.friend_says("down here")
        await talk.shows("▼ 1 new message below (End)")
        assert top(talk) == stood
        await talk.pilot.press("end")
        await talk.shows("down here")
        await talk.until(lambda: "▼" not in talk.screen_text, "the line gone")


async def test_paging_up_and_down_never_moves_what_is_in_view(world: World) -> None:
    async with long_talk(world, 120) as talk:
        log = talk.pane.messages
        log.focus()
        for key, edge in (("pageup", 0), ("pagedown", -1)):
            for _ in range(30):
                row, y = top(talk)
                first, last = talk.rows[0].message.row, talk.rows[-1].message.row
                await talk.pilot.press(key)
                await talk.until(lambda: not log._paging, "the page")
                shown = log.row(row)
                if shown is not None and (talk.rows[0].message.row, talk.rows[-1].message.row) != (first, last):
                    moved = shown.virtual_region.y - log.scroll_y - y
                    page = log.scrollable_content_region.height
                    assert moved == (page if key == "pageup" else -page)
                assert len(talk.rows) <= WINDOW
            words = talk.rows[edge].message.text
            assert words.startswith("m119") if edge else "added" in words


async def test_the_keys_for_first_and_last_reach_both_ends(world: World) -> None:
    async with long_talk(world, 100) as talk:
        await talk.pilot.press("up", "g")
        await talk.until(lambda: "m000" in talk.screen_text, "the first message")
        await talk.pilot.press("G")
        await talk.until(lambda: "m099" in talk.screen_text, "the last message")
        assert talk.pane.selected is not None
        assert talk.pane.selected.text.startswith("m099")


async def test_a_chat_opens_where_its_unread_messages_begin(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.pilot.pause()
        other = await talk.me.chats.create("elsewhere", [])
        await talk.pane.show(other)
        for number in range(30):
            await talk.friend_says(f"news {number}")
        await talk.pane.show(await talk.me.chats.get(talk.chat.group))
        await talk.until(lambda: any(row.has_class("-new") for row in talk.rows), "the line")
        new = next(row for row in talk.rows if row.has_class("-new"))
        assert new.message.text == "news 0"
        await talk.shows("news 0")
        assert "news 29" not in talk.screen_text


async def test_an_answer_quotes_and_the_quotation_can_be_jumped_to_and_back(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.friend_says("shall we climb?")
        for number in range(70):
            await talk.me.messages.send(talk.chat.group, f"filler {number}")
        await talk.me.device.sync()
        await talk.sees("filler 69")
        question = (await talk.me.messages.search("shall we climb"))[0]
        await talk.pane.messages.jump(question.row)
        talk.pane.messages.focus()
        await talk.pilot.press("r")
        await talk.shows("Replying to Ravi, Esc leaves: shall we climb?")
        await talk.write("gladly")
        await talk.sees("▸ Ravi: shall we climb?")
        assert "Replying" not in talk.screen_text
        await select(talk, "gladly")
        await talk.pilot.press("v")
        await talk.until(lambda: talk.pane.selected is not None and talk.pane.selected.row == question.row, "the jump")
        assert "gladly" not in talk.screen_text
        await talk.pilot.press("b")
        await talk.until(lambda: talk.pane.selected is not None and talk.pane.selected.text == "gladly", "the way back")


async def test_an_edit_puts_the_text_in_the_composer_and_what_was_being_written_aside(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.write("at sex")
        await talk.sees("delivered")
        talk.pane.messages.select_last()
        talk.pane.messages.focus()
        talk.pane.composer.begin("half a thought")
        await talk.pilot.press("e")
        assert talk.pane.composer.text == "at sex"
        await talk.write("at six")
        await talk.sees("edited")
        await talk.sees("at six")
        assert "at sex" not in talk.drawn
        assert talk.pane.composer.text == "half a thought"
        await talk.friend.device.sync()
        page = await talk.friend.messages.page(talk.chat.group)
        assert (page[-1].text, page[-1].edited) == ("at six", True)


async def test_a_message_is_taken_back_only_after_a_question(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.write("never mind")
        await talk.sees("delivered")
        await select(talk, "never mind")
        await talk.pilot.press("d")
        await talk.shows("Take this message back?")
        await talk.pilot.press("escape")
        await talk.until(lambda: len(talk.app.screen_stack) == 1, "the question gone")
        assert "never mind" in talk.drawn
        await talk.pilot.press("d", "right", "enter")
        await talk.sees("Taken back by you.")
        assert "never mind" not in talk.drawn


async def test_others_messages_cannot_be_changed(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.friend_says("mine")
        await talk.sees("mine")
        await select(talk, "mine")
        for command in (talk.pane.edit, talk.pane.delete):
            command()
            await talk.shows("Only messages of your own can be changed or taken back.")
            talk.pane.say("")


async def test_a_reaction_is_one_key_and_a_digit_and_the_same_again_takes_it_back(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.friend_says("we made it")
        await talk.sees("we made it")
        await select(talk, "we made it")
        await talk.pilot.press("plus", "1")
        await talk.sees(f"you {COMMON[0]}")
        await talk.friend.device.sync()
        assert (await talk.friend.messages.page(talk.chat.group))[-1].reactions[0].numbers == [ALICE.e164]
        talk.pane.react(COMMON[0])
        await talk.until(lambda: COMMON[0] not in talk.drawn, "the reaction gone")


async def test_what_the_service_refused_says_so_and_r_sends_it_again(world: World) -> None:
    grudging = Grudging(world.network.services["delivery.test"])
    world.network.services["delivery.test"] = grudging
    async with talking(world, ALICE, BOB) as talk:
        grudging.refuses = True
        await talk.write("once more")
        await talk.sees("✗ NOT SENT")
        await talk.sees("Press r to try again.")
        assert any(row.has_class("-failed") for row in talk.rows)
        grudging.refuses = False
        await select(talk, "once more")
        await talk.pilot.press("r")
        await talk.sees("delivered")
        assert "NOT SENT" not in talk.drawn


async def test_nothing_that_steers_a_terminal_is_drawn_of_hostile_text(world: World) -> None:
    async with talking(world, ALICE, BOB, size=(100, 50)) as talk:
        attacks = [*SEQUENCES.values(), *CONTROLS.values(), *UNSEEN.values(), "[@click=app.exit]x[/] [/nope]"]
        for attack in filter(is_unicode, attacks):
            await talk.friend.messages.send(talk.chat.group, f"x{attack}y")
        await talk.friend.messages.send(talk.chat.group, "last of all")
        await talk.friend.device.sync()
        await talk.me.device.sync()
        await talk.sees("last of all")
        for _ in range(20):
            drawn = "".join(segment.text for strip in talk.app.screen._compositor.render_strips() for segment in strip)
            assert not STEERING & set(drawn)
            await talk.pilot.press("pageup" if talk.pane.messages.has_focus else "up")
        assert "[@click=app.exit]x[/] [/nope]" in talk.drawn


async def test_only_plain_addresses_are_links_and_they_lead_where_they_say(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.friend_says("https://a.example/x or [link='https://evil.example']bank.example[/link]")
        await talk.shows("https://a.example/x")
        strips = talk.app.screen._compositor.render_strips()
        linked = {(part.text, part.style.link) for strip in strips for part in strip if part.style and part.style.link}
        assert linked == {("https://a.example/x", "https://a.example/x")}


def is_unicode(text: str) -> bool:
    """Whether it can be sent: lone surrogates have no UTF-8 form."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


async def test_a_row_that_has_ended_goes_without_moving_the_others(world: World) -> None:
    async with long_talk(world, 30) as talk:
        await talk.pilot.press("up", "pageup")
        await talk.pilot.pause()
        stood, gone = top(talk), talk.rows[2].message
        await talk.pane.hear(MessageChanged(message=gone, gone=True))
        await talk.until(lambda: gone.text not in talk.drawn, "the row gone")
        assert top(talk) == stood


async def test_a_timer_is_told_in_the_heading_and_at_each_message(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.me.chats.timer(talk.chat.group, 3600)
        await talk.shows("messages disappear 1 h after they were read")
        await talk.write("for an hour")
        await talk.sees("disappears in 1 h")
        world.clock.now += 1800
        talk.pane._tick()
        await talk.sees("disappears in 30 min")
        await talk.write("for another hour")
        await talk.sees("disappears in 1 h")


@pytest.mark.parametrize("standing", ["left"])
async def test_a_chat_that_is_over_says_why_nothing_can_be_written(world: World, standing: str) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.me.chats.leave(talk.chat.group)
        await talk.shows("You are leaving this chat. Nothing more can be sent to it.")
        await talk.pilot.press("x")
        assert talk.pane.composer.text == ""
        await talk.friend.device.sync()
        await talk.me.device.sync()
        await talk.shows("You left this chat. Nothing more can be sent to it.")


@pytest.mark.parametrize("seconds", [0.01, 3600], ids=["kept while it is typed", "kept on leaving"])
async def test_a_draft_is_kept_comes_back_and_no_event_touches_what_is_typed(
    world: World, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr(conversation_view, "DRAFT_SECONDS", seconds)
    async with talking(world, ALICE, BOB) as talk:
        other = await talk.me.chats.create("elsewhere", [])
        await talk.pilot.press(*"half")
        if seconds < 1:
            await _drafted(talk, "half")
        await talk.friend_says("hello")
        await talk.sees("hello")
        await talk.me.chats.draft(talk.chat.group, "of another window")
        await talk.until(lambda: talk.pane.chat.draft == "of another window", "the other window's draft")
        assert talk.pane.composer.text == "half"
        await talk.pane.show(other)
        assert talk.pane.composer.text == ""
        await talk.pane.show(await _drafted(talk, "half"))
        assert talk.pane.composer.text == "half"


async def _drafted(talk: Talk, text: str) -> ChatView:
    """The chat, as soon as this is its draft."""
    async with asyncio.timeout(PATIENCE):
        while (chat := await talk.me.chats.get(talk.chat.group)).draft != text:
            await talk.pilot.pause()
    return chat


async def test_a_draft_of_another_window_stays_where_nothing_was_typed(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        other = await talk.me.chats.create("elsewhere", [])
        await talk.me.chats.draft(talk.chat.group, "of another window")
        await talk.until(lambda: talk.pane.chat.draft == "of another window", "the other window's draft")
        await talk.pane.show(other)
        await talk.until(lambda: all(each.group != "draft" for each in talk.pane.workers), "the end of what is kept")
        await talk.pane.show(await talk.me.chats.get(talk.chat.group))
        assert talk.pane.composer.text == "of another window"


async def test_a_double_click_and_i_inspect(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.friend_says("look at me")
        await talk.sees("look at me")
        row = talk.rows[-1]
        await talk.pilot.click(row)
        assert talk.pane.selected == row.message
        assert not isinstance(talk.app.screen, InspectorScreen)
        await talk.pilot.click(row, times=2)
        await talk.until(lambda: isinstance(talk.app.screen, InspectorScreen), "the inspector")
        await talk.pilot.press("escape")
        await talk.until(lambda: type(talk.app.screen) is Screen, "the pane")
        await talk.pilot.press("i")
        await talk.until(lambda: isinstance(talk.app.screen, InspectorScreen), "the inspector")


@pytest.mark.parametrize(
    ("key", "screen"), [("f2", InspectorScreen), ("enter", InspectorScreen), ("plus", ReactScreen)]
)
async def test_keys_that_open_a_screen(world: World, key: str, screen: type[Screen[object]]) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.friend_says("look at me")
        await talk.sees("look at me")
        await talk.pilot.press("up", key)
        await talk.until(lambda: isinstance(talk.app.screen, screen), "the screen")


async def test_without_a_selected_row_the_last_message_is_inspected(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        talk.pane.inspect()
        await talk.shows("There is no message here that could be inspected.")
        await talk.friend_says("look at me")
        await talk.sees("look at me")
        talk.pane.inspect()
        await talk.until(lambda: isinstance(talk.app.screen, InspectorScreen), "the inspector")
        await talk.shows("✓ NUMBER VERIFIED  +1 202-555-0143")


@pytest.mark.parametrize("key", ["c", "ctrl+o"])
async def test_a_text_is_copied_as_it_is_written_not_as_it_is_broken_into_rows(world: World, key: str) -> None:
    async with talking(world, ALICE, BOB) as talk:
        text = f"ask @{BOB.e164} " + "about the rope " * 20
        await talk.friend_says(text)
        await talk.sees("about the rope")
        await talk.pilot.press("up", key)
        assert talk.app.clipboard == text


async def test_space_unfolds_a_long_text_and_folds_it_again(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.friend_says("\n".join(f"line {number}" for number in range(100)))
        await talk.sees("60 more lines: Space shows all")
        await talk.pilot.press("up", "space")
        await talk.sees("line 99")
        await talk.pilot.press("space")
        await talk.until(lambda: "line 99" not in talk.drawn, "the fold")


async def test_nothing_counts_as_read_while_nobody_looks(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        talk.app.app_focus = False
        await talk.friend_says("are you there?")
        await talk.sees("are you there?")
        await talk.until(lambda: not talk.pane._read_due, "the look")
        assert (await talk.me.chats.get(talk.chat.group)).unread == 1
        talk.app.app_focus = True
        await talk.until(lambda: talk.pane.chat is not None and talk.pane.chat.unread == 0, "the row read")


async def test_escape_leaves_the_messages_for_the_composer(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.pilot.press("up")
        assert talk.pane.messages.has_focus
        assert talk.pane.selected is not None
        await talk.pilot.press("escape")
        assert talk.pane.composer.has_focus
        assert talk.pane.selected is None


async def test_a_flood_leaves_a_window_of_rows_with_the_newest_in_view(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.friend_says("first of many")
        await talk.sees("first of many")
        first = talk.rows[-1].message
        for number in range(1, 1001):
            view = msgspec.structs.replace(first, row=first.row + number, text=f"flood {number}")
            await talk.pane.hear(MessageArrived(message=view, alert=False))
        await talk.shows("flood 1000")
        assert [row.message.text for row in talk.rows] == [f"flood {number}" for number in range(941, 1001)]


async def test_a_found_message_is_opened_in_its_place_with_the_keys_on_it(world: World) -> None:
    async with long_talk(world, 90) as talk:
        row = next(each.row for each in await talk.me.messages.search("m010"))
        await talk.pane.show(talk.chat, row)
        await talk.shows("m010")
        assert talk.pane.selected is not None
        assert talk.pane.selected.row == row
        assert talk.pane.messages.has_focus


async def test_a_change_of_the_chat_is_seen_in_its_heading(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        group = await talk.me.chats.create("Climbing", [BOB.e164])
        await talk.pane.show(group)
        await talk.me.chats.mute(group.group, None)
        await talk.shows("muted")
        await talk.me.chats.rename(group.group, "Via ferrata")
        await talk.shows("Via ferrata")


async def test_a_row_selected_at_the_edge_reads_on(world: World) -> None:
    async with long_talk(world, 90) as talk:
        await talk.pilot.press("up", *["k"] * 80)
        assert talk.pane.selected is not None
        assert talk.pane.selected.text.startswith("m009")


async def test_a_command_without_a_selected_row_says_how_to_select_one(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        for command in ("reply", "react", "edit", "delete", "retry", "copy", "open_attachment"):
            getattr(talk.pane, command)()
            await talk.shows("Select a message first: press the up arrow in the empty composer.")
            talk.pane.say("")


def keys_at_the_foot(talk: Talk) -> set[str]:
    """What the selected message offers."""
    return {active.binding.description for active in talk.app.screen.active_bindings.values() if active.binding.show}


async def test_the_foot_offers_only_what_the_selected_message_allows(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.friend_says("mine")
        await talk.write("yours")
        await talk.sees("delivered")
        await select(talk, "yours")
        await talk.until(lambda: {"Reply", "Edit", "Take back"} <= keys_at_the_foot(talk), "all of them")
        await select(talk, "mine")
        await talk.until(lambda: not {"Edit", "Take back"} & keys_at_the_foot(talk), "no keys for one's own messages")
        assert "Reply" in keys_at_the_foot(talk)


async def test_own_rows_are_no_news_and_a_higher_heading_does_not_leave_the_end(world: World) -> None:
    async with talking(world, ALICE, BOB, size=(70, 20)) as talk:
        for number in range(12):
            await talk.friend_says(f"word {number}")
        await talk.sees("word 11")
        log = talk.pane.messages
        height = log.size.height
        await talk.me.chats.timer(talk.chat.group, 3600)
        await talk.me.device.sync()
        await talk.shows("messages disappear 1 h")
        await talk.until(lambda: log.size.height < height, "the heading takes another row")
        await talk.until(lambda: talk.rows[-1].message.kind == "timed", "the row of the timer")
        await talk.until(lambda: log.at_end, "the end in view")
        assert "▼" not in talk.screen_text
        await talk.pilot.press("up", "pageup", "pageup")
        await talk.until(lambda: not log.at_end, "a reader further up")
        await talk.me.chats.timer(talk.chat.group, 0)
        await talk.friend_says("news")
        await talk.shows("▼ 1 new message below (End)")


async def test_the_chat_with_a_blocked_person_says_so_until_it_ends(world: World) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.shows("end-to-end encrypted (MLS)")
        assert "BLOCKED" not in talk.screen_text
        await talk.me.people.block(BOB.e164)
        await talk.shows("⊘ BLOCKED: what they write is held back")
        await talk.me.people.unblock(BOB.e164)
        await talk.until(lambda: "BLOCKED" not in talk.screen_text, "the words gone")


async def test_a_heading_that_takes_another_row_leaves_the_last_message_in_view(world: World) -> None:
    async with talking(world, ALICE, BOB, size=(48, 20)) as talk:
        for number in range(12):
            await talk.friend_says(f"word {number}")
        await talk.shows("word 11")
        log = talk.pane.messages
        for press in ((), ("up",)):  # following the end, and with the last row selected
            await talk.pilot.press(*press)
            height = log.size.height
            await talk.me.chats.mute(talk.chat.group, None)
            await talk.until(lambda height=height: log.size.height < height, "the heading takes another row")
            await talk.shows("muted")
            assert log.at_end
            await talk.shows("word 11")
            await talk.me.chats.mute(talk.chat.group, 0)
            await talk.until(lambda height=height: log.size.height == height, "the heading as it was")
            assert log.at_end
