"""The list of chats: order, what a row says, and what it costs with a thousand of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.color import Color
from rich.style import Style
from textual.app import App, ComposeResult

from client.config import ThemeName
from client.desk.views import ChatView
from client.tui.chat_lines import CELLS_AT_LEAST, Piece, first_row, second_row
from client.tui.chat_list import ROWS, ChatList
from client.tui.themes import THEMES, use_themes
from tests.client.tui.shell_scene import text_of

NOW = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
OWN = "+12025550142"
QUIET = ChatView(
    group="00",
    chat="Climbing",
    direct=None,
    roles=True,
    standing="active",
    place="inbox",
    members=3,
    epoch=1,
    seq=1,
    unread=0,
    mentions=0,
    last_text="rope is at mine",
    last_from="+12025550143",
    last_name="Ravi",
    last_at=NOW,
    last_verdict="verified",
    pinned=False,
    archived=False,
    muted_until=None,
    timer=0,
    draft="",
    waiting=0,
    failed=0,
    quarantined=0,
)


def chat(**differences: Any) -> ChatView:
    return msgspec.structs.replace(QUIET, **differences)


def many(count: int) -> Iterator[ChatView]:
    for number in range(count):
        yield chat(group=f"{number:04x}", chat=f"Chat {number}", last_at=NOW - timedelta(minutes=number))


class ListApp(App[None]):
    """Nothing but the list, as the main screen shows it."""

    def compose(self) -> ComposeResult:
        yield ChatList()

    @property
    def chats(self) -> ChatList:
        return self.query_one(ChatList)


def words(pieces: list[Piece]) -> str:
    return "".join(text for text, _ in pieces)


def rows(view: ChatView, width: int = 30, **how: Any) -> tuple[str, str]:
    discreet = how.get("discreet", False)
    above = first_row(view, width, under_cursor=how.get("cursor", False), instead="Chat 1" if discreet else None)
    return words(above), words(second_row(view, OWN, width, NOW, discreet=discreet))


@pytest.mark.parametrize(
    ("differences", "above", "below"),
    [
        ({}, " ✓ Climbing", "   Ravi: rope is at mine"),
        ({"last_verdict": "failed"}, " ✗ Climbing", "   Ravi: rope is at mine"),
        ({"last_verdict": "carrier"}, " ~ Climbing", "   Ravi: rope is at mine"),
        ({"last_verdict": "unsigned"}, " ? Climbing", "   Ravi: rope is at mine"),
        ({"last_verdict": None}, "   Climbing", "   Ravi: rope is at mine"),
        ({"last_name": None}, " ✓ Climbing", "   +1 202-555-0143: rope is a~"),
        ({"last_from": OWN, "last_verdict": None}, "   Climbing", "   You: rope is at mine"),
        ({"direct": "+12025550143", "chat": "Ravi"}, " ✓ Ravi", "   rope is at mine"),
        ({"unread": 2}, " ✓ Climbing                  2", "   Ravi: rope is at mine"),
        ({"unread": 2, "mentions": 1}, " ✓ Climbing                @ 2", "   Ravi: rope is at mine"),
        ({"unread": 12345}, " ✓ Climbing               999+", "   Ravi: rope is at mine"),
        ({"pinned": True}, " ✓ Climbing                  ⚑", "   Ravi: rope is at mine"),
        ({"draft": "on my\nway"}, " ✓ Climbing", "   Draft: on my way"),
        ({"failed": 1, "draft": "x"}, " ✓ Climbing", "   ✗ 1 not sent  Ravi: rope i~"),
        ({"waiting": 1}, " ✓ Climbing", "   ↻ 1 waiting  Ravi: rope is~"),
        ({"muted_until": NOW + timedelta(hours=1)}, " ✓ Climbing", "   Ravi: rope is at mine muted"),
        ({"muted_until": NOW - timedelta(hours=1)}, " ✓ Climbing", "   Ravi: rope is at mine"),
        ({"standing": "removed"}, " ⊘ Climbing", "   ⊘ You were removed"),
    ],
)
def test_a_row_says_in_words_and_signs_how_a_chat_stands(differences: dict[str, Any], above: str, below: str) -> None:
    first, second = rows(chat(**differences))
    assert (first.rstrip(), second.rstrip()) == (above, below)


def test_the_cursor_is_a_sign_and_not_only_a_colour() -> None:
    assert rows(QUIET, cursor=True)[0].startswith("▸")


@pytest.mark.parametrize("differences", [{}, {"draft": "secret"}, {"failed": 1}, {"waiting": 1}, {"standing": "left"}])
def test_in_incognito_a_row_holds_no_name_and_no_text(differences: dict[str, Any]) -> None:
    above, below = rows(chat(unread=3, **differences), discreet=True)
    assert "Chat 1" in above
    assert above.rstrip().endswith("3")
    for hidden in ("Climbing", "Ravi", "rope", "secret"):
        assert hidden not in above + below


@given(
    name=st.text(max_size=50),
    text=st.text(max_size=50),
    width=st.integers(CELLS_AT_LEAST, 60),
    unread=st.integers(0, 10**6),
    pinned=st.booleans(),
    muted=st.booleans(),
    failed=st.integers(0, 2),
)
def test_rows_are_exactly_as_wide_as_the_list(
    name: str, text: str, width: int, unread: int, pinned: bool, muted: bool, failed: int
) -> None:
    view = chat(
        chat=" ".join(name.split()),
        last_text=text,
        unread=unread,
        pinned=pinned,
        failed=failed,
        muted_until=NOW + timedelta(1) if muted else None,
    )
    above, below = rows(view, width)
    assert (cell_len(above), cell_len(below)) == (width, width)
    assert "\n" not in above + below


async def test_pinned_chats_come_first_and_then_the_newest() -> None:
    app = ListApp()
    async with app.run_test(size=(30, 20)):
        old, new = chat(group="01", last_at=NOW - timedelta(days=1)), chat(group="02")
        pinned, empty = chat(group="03", pinned=True, last_at=NOW - timedelta(days=9)), chat(group="04", last_at=None)
        app.chats.show([old, new, pinned, empty])
        assert [each.group for each in app.chats.chats] == ["03", "02", "01", "04"]
        app.chats.update_chat(chat(group="01", last_at=NOW + timedelta(minutes=1)))
        assert [each.group for each in app.chats.chats] == ["03", "01", "02", "04"]
        app.chats.drop_chat("03")
        assert [each.group for each in app.chats.chats] == ["01", "02", "04"]


async def test_the_cursor_stays_on_its_chat_when_others_move() -> None:
    app = ListApp()
    async with app.run_test(size=(30, 20)) as pilot:
        app.chats.show(many(5))
        await pilot.press("down", "down")
        assert app.chats.cursor == "0002"
        app.chats.update_chat(chat(group="0004", last_at=NOW + timedelta(minutes=1)))
        assert app.chats.cursor == "0002"
        app.chats.drop_chat("0002")
        assert app.chats.cursor == "0004"


async def test_with_a_thousand_chats_one_change_draws_no_row_out_of_view(monkeypatch: pytest.MonkeyPatch) -> None:
    app = ListApp()
    async with app.run_test(size=(30, 20)) as pilot:
        app.chats.show(many(1000))
        await pilot.press("end")
        await pilot.pause()
        assert "Chat 999" in text_of(app)
        await pilot.press("home")
        await pilot.pause()
        drawn: list[int] = []
        render = ChatList.render_line

        def counted(chats: ChatList, y: int) -> Any:
            drawn.append(y + chats.scroll_offset.y)
            return render(chats, y)

        monkeypatch.setattr(ChatList, "render_line", counted)
        app.chats.update_chat(chat(group="01f4", chat="Chat 500", last_at=NOW + timedelta(minutes=1)))
        await pilot.pause()
        assert "Chat 500" in text_of(app).splitlines()[0]
        assert drawn
        assert max(drawn) < 20 * ROWS


async def test_a_click_opens_the_chat_under_the_pointer() -> None:
    opened: list[str] = []

    class Clicked(ListApp):
        def on_chat_list_chosen(self, event: ChatList.Chosen) -> None:
            opened.append(event.chat.group)

    app = Clicked()
    async with app.run_test(size=(30, 20)) as pilot:
        app.chats.show(many(5))
        await pilot.pause()
        await pilot.click(ChatList, offset=(4, 5))
        assert opened == ["0002"]
        await pilot.click(ChatList, offset=(4, 15))  # below the last chat
        assert opened == ["0002"]


async def test_names_that_look_like_markup_are_drawn_as_they_are() -> None:
    app = ListApp()
    async with app.run_test(size=(40, 6)) as pilot:
        app.chats.show([chat(chat="[red]x[/nope]", last_text="[@click=app.exit]y[/]")])
        await pilot.pause()
        shown = text_of(app)
        assert "[red]x[/nope]" in shown
        assert "[@click=app.exit]y[/]" in shown


@pytest.mark.parametrize("theme", [name for name in THEMES if name != "ansi"])
async def test_every_row_can_be_read_in_every_theme(theme: ThemeName) -> None:
    app = ListApp()
    async with app.run_test(size=(30, 20)) as pilot:
        use_themes(app, theme)
        app.chats.show([chat(unread=3, pinned=True), chat(group="01"), chat(group="02", failed=1, draft="x")])
        for focused in (True, False):
            app.set_focus(app.chats if focused else None)
            await pilot.pause()
            for y in range(6):
                for text, style, _ in app.chats.render_line(y):
                    assert style is not None
                    assert not text.strip() or contrast(style) >= 4.5, (text, y, focused)


async def test_in_sixteen_colours_the_chat_under_the_cursor_is_reversed() -> None:
    app = ListApp()
    async with app.run_test(size=(30, 20)) as pilot:
        use_themes(app, "ansi")
        app.chats.show([chat(unread=3, pinned=True), chat(group="01")])
        await pilot.pause()
        for y, reversed_ in ((0, True), (1, True), (2, False)):
            styles = [style for _, style, _ in app.chats.render_line(y) if style is not None]
            assert styles
            assert all(bool(style.reverse) is reversed_ for style in styles)
            assert all(style.bgcolor is not None and style.bgcolor.is_default for style in styles)


def contrast(style: Style) -> float:
    """The contrast ratio of WCAG 2.2 §1.4.3."""
    assert style.color is not None
    assert style.bgcolor is not None
    above, below = sorted(map(luminance, (style.color, style.bgcolor)), reverse=True)
    return (above + 0.05) / (below + 0.05)


def luminance(colour: Color) -> float:
    def linear(octet: int) -> float:
        share = octet / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = map(linear, colour.get_truecolor())
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
