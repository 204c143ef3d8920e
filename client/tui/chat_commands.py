"""What can be asked for about chats: making, finding, changing and leaving them."""

from typing import TYPE_CHECKING

from client.desk.views import ChatView
from client.errors import InviteError
from client.terminal.ending_words import DELETE_WORDS, RESET_WORDS, closed_words, way_on
from client.tui.chat_lines import is_muted, spelled
from client.tui.command import Command, NotNowError, agreed, answer, chat_of, on_new_keys
from client.words.duration import DurationError, seconds_of

if TYPE_CHECKING:
    from client.tui.app import RingtrueApp

WHOSE = "Whose numbers? Separate them by commas."


async def _new(app: "RingtrueApp", argument: str) -> None:
    from client.tui.screens.new_chat import NewChatScreen

    chat = await app.push_screen_wait(NewChatScreen(argument))
    if chat is not None:
        await app.open_chat(chat)


async def _group(app: "RingtrueApp", argument: str) -> None:
    name = await answer(app, argument, "New group", "What is the group called?")
    if name is None:
        return
    numbers = await _people(app, "", f"New group {name}")
    if numbers is not None:
        create = app.api.chats.create
        await app.open_chat(await on_new_keys(app, lambda new_keys: create(name, numbers, new_keys=new_keys)))


async def _find(app: "RingtrueApp", argument: str) -> None:
    await _search(app, None if app.chat is None else app.chat.group)


async def _find_everywhere(app: "RingtrueApp", argument: str) -> None:
    await _search(app, None)


async def _search(app: "RingtrueApp", group: str | None) -> None:
    from client.tui.screens.search import SearchScreen

    found = await app.push_screen_wait(SearchScreen(group))
    if found is not None:
        await app.open_chat(await app.api.chats.get(found.group), found.row)


async def _next_unread(app: "RingtrueApp", argument: str) -> None:
    chat = app.main.chat_list.next_unread()
    if chat is None:
        app.notify("Nothing is unread.")
    else:
        await app.open_chat(chat)


async def _members(app: "RingtrueApp", argument: str) -> None:
    from client.tui.screens.members import MembersScreen

    await app.push_screen(MembersScreen(chat_of(app).group))


async def _invite(app: "RingtrueApp", argument: str) -> None:
    chat = chat_of(app)
    numbers = await _people(app, argument, f"Invite to {chat.chat}")
    if numbers is not None:
        with app.doing("adding members"):
            invite = app.api.chats.invite
            await on_new_keys(app, lambda new_keys: invite(chat.group, numbers, new_keys))


async def _remove(app: "RingtrueApp", argument: str) -> None:
    chat = chat_of(app)
    number = await answer(app, argument, f"Remove from {chat.chat}", "Whose number?")
    if number is not None and await agreed(
        app, f"Remove from {chat.chat}", f"Every device of {number} is taken out and reads nothing more here.", "Remove"
    ):
        with app.doing("removing a member"):
            await app.api.chats.remove(chat.group, number)


async def _make_admin(app: "RingtrueApp", argument: str) -> None:
    await _set_admin(app, argument, True)


async def _make_member(app: "RingtrueApp", argument: str) -> None:
    await _set_admin(app, argument, False)


async def _set_admin(app: "RingtrueApp", argument: str, admin: bool) -> None:
    chat = chat_of(app)
    number = await answer(app, argument, "Make an admin" if admin else "Make an ordinary member", "Whose number?")
    if number is not None:
        with app.doing("changing a role"):
            await app.api.chats.admin(chat.group, number, admin)


async def _leave(app: "RingtrueApp", argument: str) -> None:
    chat = chat_of(app)
    words = "You will read nothing more here. Your history stays on this device."
    if await agreed(app, f"Leave {chat.chat}", words, "Leave"):
        with app.doing("leaving"):
            await app.api.chats.leave(chat.group)


async def _rename(app: "RingtrueApp", argument: str) -> None:
    chat = chat_of(app)
    name = await answer(app, argument, "Rename", "What should everybody call this chat?", chat.chat)
    if name is not None:
        await app.api.chats.rename(chat.group, name)


async def _mute(app: "RingtrueApp", argument: str) -> None:
    chat = chat_of(app)
    if is_muted(chat, app.now()) and not argument:
        argument = "off"
    length = await answer(app, argument, f"Mute {chat.chat}", "For how long? 8h, 2d, 1w, always; or off.", "8h")
    if length is not None:
        await app.api.chats.mute(chat.group, seconds_of(length))


async def _pin(app: "RingtrueApp", argument: str) -> None:
    chat = chat_of(app)
    await app.api.chats.pin(chat.group, not chat.pinned)


async def _archive(app: "RingtrueApp", argument: str) -> None:
    chat = chat_of(app)
    await app.api.chats.archive(chat.group, not chat.archived)
    app.notify("Taken out of the archive." if chat.archived else "Archived. To undo it: /archive")


async def _timer(app: "RingtrueApp", argument: str) -> None:
    chat = chat_of(app)
    label = "After how long do new messages disappear, once read? 1h, 1d, 1w; or off."
    length = await answer(app, argument, f"Disappearing messages in {chat.chat}", label, "1w")
    if length is None:
        return
    seconds = seconds_of(length)
    if seconds is None:
        raise DurationError("messages cannot disappear after for ever")
    await app.api.chats.timer(chat.group, seconds)


async def _want_proof(app: "RingtrueApp", argument: str) -> None:
    from client.words.wording import PROOF_UNWANTED_WORDS, PROOF_WANTED_WORDS

    chat = chat_of(app)
    changed = await app.api.chats.want_proof(chat.group, not chat.wants_proof)
    app.notify(PROOF_WANTED_WORDS if changed.wants_proof else PROOF_UNWANTED_WORDS, markup=False)


async def _export(app: "RingtrueApp", argument: str) -> None:
    app.refuse_in_incognito("Export")
    from client.tui.screens.export import ExportScreen

    await app.push_screen(ExportScreen(chat_of(app).group))


async def _check_number(app: "RingtrueApp", argument: str) -> None:
    from client.tui.screens.check_number import CheckNumberScreen

    await app.push_screen(CheckNumberScreen(chat_of(app).group))


async def _begin_again(app: "RingtrueApp", argument: str) -> None:
    chat = chat_of(app)
    words = "A new chat with the same people is created, and names this one. Nothing of this one is copied."
    if await agreed(app, f"Begin {chat.chat} again", words, "Begin again"):
        with app.doing("creating the chat anew"):
            await app.open_chat(await app.api.chats.begin_again(chat.group))


async def _reset(app: "RingtrueApp", argument: str) -> None:
    chat = chat_of(app)
    await _check_may_end(app, chat, "begins this chat anew")
    if await agreed(app, f"Begin {chat.chat} anew for everybody?", RESET_WORDS, "Begin anew"):
        with app.doing("beginning the chat anew"):
            await app.open_chat(await app.api.chats.reset(chat.group))


async def _delete_chat(app: "RingtrueApp", argument: str) -> None:
    chat = chat_of(app)
    await _check_may_end(app, chat, "deletes this chat")
    if await agreed(app, f"Delete {chat.chat} at the service?", DELETE_WORDS, "Delete"):
        with app.doing("deleting the chat at the service"):
            await app.api.chats.delete(chat.group)


async def _check_may_end(app: "RingtrueApp", chat: ChatView, what: str) -> None:
    """Raises NotNowError, with who can, before a question is asked that leads nowhere."""
    if chat.standing != "active":
        hint = f"{closed_words(chat)} {way_on(chat)}".strip()
        raise NotNowError("nothing more can be done in this chat by this device", hint=hint)
    if chat.roles:
        members = await app.api.chats.members(chat.group)
        if not any(member.you and member.admin for member in members):
            admins = dict.fromkeys(spelled(member.number) for member in members if member.admin)
            raise NotNowError(f"only an admin {what}", hint=f"Ask an admin: {', '.join(admins)}.")


async def _successor(app: "RingtrueApp", argument: str) -> None:
    chat = chat_of(app)
    if not chat.successor:
        raise NotNowError("this chat goes on in no other one")
    await app.open_chat(await app.api.chats.get(chat.successor))


async def _archived(app: "RingtrueApp", argument: str) -> None:
    await app.main.show_archived(not app.main.archived)


async def _people(app: "RingtrueApp", argument: str, title: str) -> list[str] | None:
    """The numbers given, or typed; what cannot be read stays to be corrected."""
    from client.invite import parse_invite  # loads cryptography, which the first frame does without

    typed = await answer(app, argument, title, WHOSE)
    while typed is not None:
        parts = [part for part in map(str.strip, typed.replace(";", ",").split(",")) if part]
        try:
            return [parse_invite(part).e164 for part in parts]
        except InviteError as error:
            typed = await answer(app, "", title, f"✗ {error}. {WHOSE}", typed)
    return None


CHAT_COMMANDS = (
    Command("new_chat", "New chat", "Write to a number, or start a group", "new", _new, argument="NUMBER"),
    Command("new_group", "New group", "Name a group and choose who is in it", "group", _group, argument="NAME"),
    Command("find", "Find in this chat", "Search this chat's history", "find", _find),
    Command("find_everywhere", "Find in all chats", "Search the whole history", "findall", _find_everywhere),
    Command("next_unread", "Next unread chat", "Open the next chat with something unread", "next", _next_unread),
    Command("members", "Members", "Who is in this chat, and what their certificates show", "members", _members, "chat"),
    Command("invite", "Invite", "Add people to this chat", "invite", _invite, "chat", "NUMBERS"),
    Command("remove", "Remove a member", "Take a number's devices out", "remove", _remove, "chat", "NUMBER"),
    Command("make_admin", "Make an admin", "Let a member change who is in it", "admin", _make_admin, "chat", "NUMBER"),
    Command(
        "make_member", "Take back admin", "Make an admin an ordinary member", "member", _make_member, "chat", "NUMBER"
    ),
    Command("leave", "Leave this chat", "Ask to be taken out", "leave", _leave, "chat"),
    Command("rename", "Rename this chat", "Name it for everybody in it", "rename", _rename, "chat", "NAME"),
    Command("mute", "Mute or unmute", "No alerts from this chat for a while", "mute", _mute, "chat", "8h"),
    Command("pin", "Pin or unpin", "Keep this chat on top of the list", "pin", _pin, "chat"),
    Command("archive", "Archive or take back", "Put this chat away", "archive", _archive, "chat"),
    Command("timer", "Disappearing messages", "Let new messages disappear", "timer", _timer, "chat", "1d"),
    Command(
        "want_proof", "Want proof", "Hold back what comes without one, or no longer", "wantproof", _want_proof, "chat"
    ),
    Command("export", "Export this chat", "Write its history to a file", "export", _export, "chat"),
    Command(
        "check_number",
        "Check number",
        "Thirty digits to compare by voice or in person",
        "check",
        _check_number,
        "chat",
    ),
    Command(
        "begin_again", "Begin this chat again", "A new chat with the same people", "beginagain", _begin_again, "chat"
    ),
    Command(
        "reset",
        "Begin anew for everybody",
        "End this chat, and go on in a new one with all of it",
        "reset",
        _reset,
        "chat",
    ),
    Command(
        "delete_chat",
        "Delete at the service",
        "End this chat, and have it deleted there",
        "deletechat",
        _delete_chat,
        "chat",
    ),
    Command(
        "successor", "Open the new chat", "Go where a chat that was begun anew goes on", "successor", _successor, "chat"
    ),
    Command("archived", "Archived chats", "Show the chats put away, or the inbox again", "archived", _archived),
)
