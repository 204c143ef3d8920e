"""What stands over a conversation: who is in it, how it is kept, and why nothing can be sent where that is so."""

from client.desk.views import ChatView
from client.tui.chat_lines import spelled
from client.tui.message_view import length_words

_CLOSED = {
    "leaving": "You are leaving this chat. Nothing more can be sent to it.",
    "left": "You left this chat. Nothing more can be sent to it.",
    "removed": "You were removed from this chat. Nothing more can be sent to it.",
    "ended": "This chat has ended; its last line says how. Nothing more can be sent to it.",
    "lost": "This device can no longer read this chat. Ask somebody in it to add you again.",
}


def facts(chat: ChatView) -> str:
    """One line about a chat, under its name."""
    people = "1 member" if chat.members == 1 else f"{chat.members} members"
    parts = [
        spelled(chat.direct) if chat.direct else f"{people}, epoch {chat.epoch}",
        "⊘ BLOCKED: what they write is held back" if chat.blocked else "",
        f"⚠ {chat.trouble}" if chat.trouble else "",
        "end-to-end encrypted (MLS)",
        f"messages disappear {length_words(chat.timer)} after they were read" if chat.timer else "",
        "proof wanted for every message" if chat.wants_proof else "",
        "muted" if chat.muted_until is not None else "",
        f"✗ {chat.quarantined} held back, F3 shows them" if chat.quarantined else "",
    ]
    return ", ".join(filter(None, parts))


def closed_words(standing: str) -> str:
    """Why nothing can be sent to a chat; empty if it can."""
    return _CLOSED.get(standing, "")
