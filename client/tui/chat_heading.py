"""What stands over a conversation: who is in it, how it is kept, and why nothing can be sent where that is so."""

from client.desk.views import ChatView
from client.terminal.ending_words import closed_words, way_on
from client.tui.chat_lines import spelled
from client.tui.message_view import length_words


def facts(chat: ChatView) -> str:
    """What is to be known of a chat, under its name; where it is closed, that and what can be done stand first."""
    people = "1 member" if chat.members == 1 else f"{chat.members} members"
    closed, on = closed_words(chat), way_on(chat)
    if closed:
        return f"⊘ {closed} {on}".rstrip()
    parts = [
        spelled(chat.direct) if chat.direct else f"{people}, epoch {chat.epoch}",
        "⊘ BLOCKED: what they write is held back" if chat.blocked else "",
        f"⚠ {chat.trouble}; {on[:1].lower()}{on[1:]}" if chat.trouble else "",
        "end-to-end encrypted (MLS)",
        f"messages disappear {length_words(chat.timer)} after they were read" if chat.timer else "",
        "proof wanted for every message" if chat.wants_proof else "",
        "muted" if chat.muted_until is not None else "",
        f"✗ {chat.quarantined} held back, F3 shows them" if chat.quarantined else "",
    ]
    return ", ".join(filter(None, parts))


def placeholder(chat: ChatView) -> str:
    """What stands in the empty composer: what its keys do, also where nothing can be sent."""
    closed = closed_words(chat)
    if not closed:
        return "Enter sends, Ctrl+J new line, / commands"
    why = closed.split(". ")[0].removesuffix(".")  # the heading has the rest, and this is one row
    return f"{why}. {'Enter opens it, ' if chat.successor else ''}/ finds commands"
