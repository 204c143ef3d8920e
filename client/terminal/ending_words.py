"""What is said where chats end, are begun anew or deleted, and where data at the service is deleted."""

from collections.abc import Iterator

from client.desk.device_views import DeletedView
from client.desk.views import ChatView

RESET_WORDS = (
    "Everybody who is in this chat now is invited to a new one with the same name and admins. Their programs move over "
    "by themselves, at once or when they are next used, and say so. This one ends for everybody: nothing more can be "
    "sent to it, and that cannot be taken back. What was said stays on each device and is not copied."
)
DELETE_WORDS = (
    "Everybody who is in this chat reads that you deleted it, and nobody can write to it any more; that cannot be "
    "taken back. The delivery service deletes what it keeps of it on the day that the chat's last line then names. "
    "What is on the others' devices and on yours stays."
)
DATA_WORDS = (
    "For this device: its key packages, the invitations that wait for it, and the list of its sessions. Nobody can "
    "add it to a chat until it is next used, and invitations that were not read yet are lost. Your account and your "
    "chats on this device stay."
)
NUMBER_WORDS = (
    "For your number, on all of its devices: whom you let through and whom you blocked there, and who asked to reach "
    "you. Everybody can write to you again. Your contacts on this device stay."
)
_CLOSED = {
    "leaving": "You are leaving this chat. Nothing more can be sent to it.",
    "left": "You left this chat. Nothing more can be sent to it.",
    "removed": "You were removed from this chat. Nothing more can be sent to it.",
    "ended": "This chat has ended; its last line says how. Nothing more can be sent to it.",
    "lost": "This device can no longer read this chat.",
}
_DELETED = "This chat was deleted at the service. What is on this device stays."
_ANEW = (
    "This chat was begun anew. This device comes over by itself once its invitation is here; if that takes long, "
    "whoever began it can add you there again."
)
_MOVED = "This chat goes on in a new one."
_AGAIN = "To write to them in a new chat: /beginagain"


def closed_words(chat: ChatView) -> str:
    """Why nothing can be sent to a chat; empty if it can."""
    if chat.standing == "ended" and chat.ended:
        return _DELETED if chat.ended == "deleted" else _MOVED if chat.successor else _ANEW
    return _CLOSED.get(chat.standing, "")


def way_on(chat: ChatView) -> str:
    """What can be done, and by whom, where a chat is closed or in trouble; empty if there is nothing to say."""
    if chat.standing == "lost":
        return f"{who_can_help(chat)}{f' {_AGAIN}' if chat.direct else ''}"
    if chat.standing == "active":
        return "To begin it anew for everybody: /reset" if chat.trouble else ""
    if chat.ended == "anew":
        return "To go there: /successor" if chat.successor else ""
    return _AGAIN if chat.direct and chat.standing != "leaving" else ""


def who_can_help(chat: ChatView) -> str:
    """For a device that cannot follow a chat any more: who can."""
    who = "The other person" if chat.direct else "An admin of it" if chat.roles else "Anybody who is still in it"
    return f"It cannot begin it anew either. {who} can: by adding this device again, or for everybody by /reset."


def deleted_lines(deleted: DeletedView) -> Iterator[str]:
    """What the service has deleted, in numbers, and what it still keeps."""
    from client.words.spelling import counted  # loads cryptography, which the first frame does without

    counts = (
        counted(deleted.key_packages, "key package"),
        counted(deleted.welcomes, "invitation"),
        counted(deleted.sessions, "session"),
        f"{deleted.contacts} entries about contacts",
    )
    yield f"Deleted: {', '.join(counts)}. What remains there:"
    yield from (f"- {each}" for each in deleted.remains)
