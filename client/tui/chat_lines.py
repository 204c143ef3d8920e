"""What the two rows of one chat say, cut to a width; text of others in them has been made harmless before."""

from datetime import datetime
from functools import cache, lru_cache

from rich.cells import cell_len, set_cell_size

from client.desk.views import ChatView

CELLS_AT_LEAST = 16
COUNT_LIMIT = 999
Piece = tuple[str, str]  # a text and the last word of its style's name

_STYLES = {"✓": "good", "✗": "bad", "⊘": "dim", " ": "dim"}
_ENDED = {
    "leaving": "You are leaving",
    "left": "You left",
    "removed": "You were removed",
    "ended": "It has ended",
    "lost": "This device can no longer read it",
}


def first_row(chat: ChatView, width: int, *, under_cursor: bool, instead: str | None) -> list[Piece]:
    """The cursor, the sign of the last verdict, the name (or what stands `instead` of it), marks and the count."""
    sign = _sign(chat)
    marks = _marks(chat)
    count = f" {min(chat.unread, COUNT_LIMIT)}{'+' if chat.unread > COUNT_LIMIT else ''}" if chat.unread else ""
    room = width - 3 - cell_len(marks) - cell_len(count)
    name = chat.chat if instead is None else instead
    return [
        ("▸" if under_cursor else " ", "name"),
        (f"{sign} ", _STYLES.get(sign, "doubt")),
        (fitted(name, room), "unread" if chat.unread else "name"),
        (marks, "dim"),
        (count, "doubt"),
    ]


def second_row(chat: ChatView, own: str, width: int, now: datetime, *, discreet: bool) -> list[Piece]:
    """What matters most about a chat, then what was said last; if `discreet`, only its state."""
    muted = " muted" if is_muted(chat, now) else ""
    room = width - 3 - cell_len(muted)
    lead, style, text = _state(chat)
    if discreet:
        text = ""
    elif not text and not lead.startswith("⊘"):
        text = _last(chat, own)
    lead = f"{lead} " if lead else ""
    shown = set_cell_size(lead, min(cell_len(lead), room))
    return [
        ("   ", "dim"),
        (shown, style),
        (fitted(" ".join(text.split()), room - cell_len(shown)), "dim"),
        (muted, "dim"),
    ]


def is_muted(chat: ChatView, now: datetime) -> bool:
    """Whether a chat alerts nobody at this time."""
    return chat.muted_until is not None and chat.muted_until > now


def fitted(text: str, cells: int) -> str:
    """Text cut or filled to exactly so many cells; a cut is marked by "~"."""
    if cells <= 0:
        return ""
    return set_cell_size(text, cells) if cell_len(text) <= cells else set_cell_size(text, cells - 1) + "~"


@lru_cache(maxsize=4096)
def spelled(number: str) -> str:
    """A number `+E164` as people read it, in full international form."""
    from client.words.spelling import shown_number  # loads cryptography, which the first frame does without

    return shown_number(number)


@cache
def _signs() -> dict[str, str]:
    from client.words.wording import VERDICT_WORDS  # likewise

    return {verdict.value: words[0] for verdict, words in VERDICT_WORDS.items()}


def _sign(chat: ChatView) -> str:
    if chat.standing != "active":
        return "⊘"
    return _signs().get(chat.last_verdict or "", " ")


def _marks(chat: ChatView) -> str:
    return (" @" if chat.mentions else "") + (" ⚑" if chat.pinned else "")


def _state(chat: ChatView) -> tuple[str, str, str]:
    """A leading word, its style, and the text after it if it is not the last message."""
    if chat.standing != "active":
        return f"⊘ {_ENDED.get(chat.standing, chat.standing)}", "dim", ""
    if chat.failed:
        return f"✗ {chat.failed} not sent ", "bad", ""
    if chat.trouble:
        return f"⚠ {chat.trouble}", "bad", ""
    if chat.draft:
        return "Draft:", "doubt", chat.draft
    if chat.waiting:
        return f"↻ {chat.waiting} waiting ", "doubt", ""
    return "", "dim", ""


def _last(chat: ChatView, own: str) -> str:
    if not chat.last_from:
        return chat.last_text
    if chat.last_from == own:
        return f"You: {chat.last_text}"
    return chat.last_text if chat.direct else f"{chat.last_name or spelled(chat.last_from)}: {chat.last_text}"
