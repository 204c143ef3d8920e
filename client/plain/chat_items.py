"""The menu of an open chat, as far as it is about the chat itself."""

from typing import get_args

from client.defence.new_keys import with_new_keys
from client.desk.incognito import refuse
from client.desk.views import MemberView, Rendering
from client.invite import parse_invite
from client.plain import phrases
from client.plain.file_items import asked_path
from client.plain.item import Item
from client.plain.talk import Talk
from client.records.service_facts import kept_for
from client.terminal.ending_words import DELETE_WORDS, RESET_WORDS, closed_words, way_on
from client.transfers import attachments
from client.words.duration import DurationError, seconds_of
from client.words.spelling import counted
from client.words.wording import PROOF_UNWANTED_WORDS, PROOF_WANTED_WORDS

FORMS: tuple[Rendering, ...] = get_args(Rendering)
ENDINGS: dict[str, str] = {"text": "txt", "markdown": "md", "json": "json"}
FORM_WORDS = ("Text", "Markdown", "JSON with the proof of each message")
REVEALS = "The file is not encrypted: whoever can read it sees every word, number and time of this chat."
PROVES = "It also proves to anybody, without your help, who said exactly what."


def numbers_in(typed: str) -> list[str]:
    """The numbers in a list that is separated by commas."""
    return [number for number in map(str.strip, typed.replace(";", ",").split(",")) if number]


async def _members(talk: Talk, argument: str) -> None:
    for number, member in enumerate(await talk.api.chats.members(talk.open_chat.group), 1):
        talk.paper.say(f"{number}. {phrases.member(member)}")
    if retention := (await talk.api.device.status()).retention:
        talk.paper.say(kept_for(retention))


async def _invite(talk: Talk, argument: str) -> None:
    numbers = numbers_in(await talk.answer(argument, "Whose numbers? Separate them by commas"))
    group, invite = talk.open_chat.group, talk.api.chats.invite
    talk.open_chat.view = await with_new_keys(lambda new_keys: invite(group, numbers, new_keys), talk.agrees_to_keys)
    talk.paper.say(f"Added {counted(len(numbers), 'number')}.")


async def _remove(talk: Talk, argument: str) -> None:
    number = await talk.answer(argument, "Whose number?")
    meant = parse_invite(number).e164
    devices = [each for each in await talk.api.chats.members(talk.open_chat.group) if each.number == meant]
    if len(devices) > 1:
        what = ["Every device of the number", *map(_device, devices)]
        chosen = await talk.chosen("Remove what?", what)
        if chosen != 0:
            await _remove_device(talk, None if chosen is None else devices[chosen - 1])
            return
    if await talk.paper.agreed(f"Every device of {number} is taken out and reads nothing more here. Remove?"):
        talk.open_chat.view = await talk.api.chats.remove(talk.open_chat.group, number)
        talk.paper.say("Removed.")


async def _remove_device(talk: Talk, device: MemberView | None) -> None:
    if device is not None and await talk.paper.agreed("That device reads nothing more here. Remove?"):
        remove = talk.api.chats.remove_device
        talk.open_chat.view = await remove(talk.open_chat.group, device.number, device.key)
        talk.paper.say("Removed.")


def _device(member: MemberView) -> str:
    seen = "" if member.first_seen is None else f", first seen {phrases.date_and_time(member.first_seen)}"
    return f"Only the device with the key {member.key[:8]}{seen}{'' if member.met else ', a key that you have not met'}"


async def _make_admin(talk: Talk, argument: str) -> None:
    number = await talk.answer(argument, "Whose number?")
    await talk.api.chats.admin(talk.open_chat.group, number, True)
    talk.paper.say(f"{number} is an admin now.")


async def _make_member(talk: Talk, argument: str) -> None:
    number = await talk.answer(argument, "Whose number?")
    await talk.api.chats.admin(talk.open_chat.group, number, False)
    talk.paper.say(f"{number} is an ordinary member now.")


async def _leave(talk: Talk, argument: str) -> None:
    if await talk.paper.agreed("You will read nothing more here. Your history stays on this device. Leave?"):
        await talk.api.chats.leave(talk.open_chat.group)
        talk.paper.say("You asked to be taken out. Another member's program completes it.")


async def _rename(talk: Talk, argument: str) -> None:
    name = await talk.answer(argument, "What should everybody call this chat?")
    talk.open_chat.view = await talk.api.chats.rename(talk.open_chat.group, name)
    await _told_to_all(talk)


async def _told_to_all(talk: Talk) -> None:
    """Read out the row that tells everybody of a change, once it is on its way."""
    (row,) = await talk.api.messages.page(talk.open_chat.group, limit=1)
    await talk.sent(row)


async def _mute(talk: Talk, argument: str) -> None:
    length = seconds_of(await talk.answer(argument, "For how long? 8h, 2d, 1w, always; or off"))
    view = talk.open_chat.view = await talk.api.chats.mute(talk.open_chat.group, length)
    until = "" if length is None or view.muted_until is None else f" until {phrases.date_and_time(view.muted_until)}"
    talk.paper.say(f"Muted{until}." if view.muted_until else "No longer muted.")


async def _pin(talk: Talk, argument: str) -> None:
    view = await talk.look_again()
    talk.open_chat.view = await talk.api.chats.pin(view.group, not view.pinned)
    talk.paper.say("No longer pinned." if view.pinned else "Pinned: it stays on top of the list.")


async def _archive(talk: Talk, argument: str) -> None:
    view = await talk.look_again()
    talk.open_chat.view = await talk.api.chats.archive(view.group, not view.archived)
    talk.paper.say("Taken out of the archive." if view.archived else "Archived. A new message does not bring it back.")


async def _timer(talk: Talk, argument: str) -> None:
    length = seconds_of(await talk.answer(argument, "When do new messages disappear, once read? 1h, 1d, 1w; or off"))
    if length is None:
        raise DurationError("messages cannot disappear after for ever")
    talk.open_chat.view = await talk.api.chats.timer(talk.open_chat.group, length)
    await _told_to_all(talk)


async def _want_proof(talk: Talk, argument: str) -> None:
    view = await talk.look_again()
    talk.open_chat.view = view = await talk.api.chats.want_proof(view.group, not view.wants_proof)
    talk.paper.say(PROOF_WANTED_WORDS if view.wants_proof else PROOF_UNWANTED_WORDS)


async def _export(talk: Talk, argument: str) -> None:
    refuse("Export", talk.incognito)
    group = talk.open_chat.group
    chosen = await talk.chosen("Which form?", FORM_WORDS)
    if chosen is None:
        return
    form = FORMS[chosen]
    talk.paper.say(f"{REVEALS} {PROVES}" if form == "json" else REVEALS)
    path = await asked_path(talk, argument, f"ringtrue-{group[:8]}.{ENDINGS[form]}")
    written = attachments.save(path.parent, path.name, [(await talk.api.chats.export(group, form)).encode()])
    talk.paper.say(f"Written to {written}, readable by you only.")


async def _check_number(talk: Talk, argument: str) -> None:
    seen = await talk.api.chats.check_number(talk.open_chat.group)
    talk.paper.say(f"Check number: {seen.digits}")
    talk.paper.say("Compare it by voice or in person. Everybody here has the same while nobody joins or leaves.")
    for each in await talk.api.chats.agreement(talk.open_chat.group):
        talk.paper.say(phrases.agreement(each))


async def _begin_again(talk: Talk, argument: str) -> None:
    if await talk.paper.agreed("A new chat with the same people is created, and names this one. Begin again?"):
        await talk.enter(await talk.api.chats.begin_again(talk.open_chat.group))


async def _reset(talk: Talk, argument: str) -> None:
    if await _may_end(talk, "begins this chat anew") and await talk.paper.agreed(f"{RESET_WORDS} Begin anew?"):
        await talk.enter(await talk.api.chats.reset(talk.open_chat.group))


async def _delete_chat(talk: Talk, argument: str) -> None:
    if await _may_end(talk, "deletes this chat") and await talk.paper.agreed(f"{DELETE_WORDS} Delete?"):
        talk.open_chat.view = await talk.api.chats.delete(talk.open_chat.group)
        talk.paper.say("Deleted at the service.")


async def _may_end(talk: Talk, what: str) -> bool:
    """Whether this account may end the chat; if not, it is said who can."""
    view = await talk.look_again()
    if view.standing != "active":
        talk.paper.say(f"{closed_words(view)} {way_on(view)}".strip())
        return False
    members = await talk.api.chats.members(view.group)
    if not view.roles or any(member.you and member.admin for member in members):
        return True
    admins = dict.fromkeys(phrases.person(member.number, member.name) for member in members if member.admin)
    talk.paper.say(f"Only an admin {what}. Ask an admin: {', '.join(admins)}.")
    return False


async def _successor(talk: Talk, argument: str) -> None:
    view = await talk.look_again()
    if view.successor:
        await talk.enter(await talk.api.chats.get(view.successor))
    else:
        talk.paper.say("This chat goes on in no other one.")


async def _add_again(talk: Talk, argument: str) -> None:
    number = await talk.answer(argument, "Whose number?")
    if await talk.paper.agreed(f"{number} is taken out and added anew. Do this if they see nothing of this chat. Add?"):
        talk.open_chat.view = await talk.api.chats.add_again(talk.open_chat.group, number)
        talk.paper.say("Added again.")


async def _find(talk: Talk, argument: str) -> None:
    words = await talk.answer(argument, "Which words?")
    rows = await talk.api.messages.search(words, talk.open_chat.group)
    if not rows:
        talk.paper.say("Nothing was found.")
        return
    lines = [f"{phrases.day(row.arrived)} {phrases.message(row)}" for row in rows]
    chosen = await talk.chosen("Go to which?", lines)
    if chosen is not None:
        await talk.open_chat.jump(rows[chosen].row)


async def _close(talk: Talk, argument: str) -> None:
    talk.chat = None
    talk.paper.say("Closed. This is the main menu again.")


CHAT_ITEMS = (
    Item("find", "find in this chat", _find, "WORDS"),
    Item("members", "who is here, and what their certificates show", _members),
    Item("invite", "add people", _invite, "NUMBERS"),
    Item("remove", "remove a member", _remove, "NUMBER"),
    Item("admin", "make a member an admin", _make_admin, "NUMBER"),
    Item("member", "make an admin an ordinary member", _make_member, "NUMBER"),
    Item("leave", "leave this chat", _leave),
    Item("rename", "name this chat for everybody", _rename, "NAME"),
    Item("mute", "no alerts for a while, or again", _mute, "8h"),
    Item("pin", "keep on top of the list, or no longer", _pin),
    Item("archive", "put away, or take back", _archive),
    Item("timer", "let new messages disappear", _timer, "1d"),
    Item("wantproof", "hold back what comes without a proof, or no longer", _want_proof),
    Item("export", "write this chat to a file", _export, "PATH"),
    Item("check", "the check number to compare, and who agrees", _check_number),
    Item("beginagain", "a new chat with the same people", _begin_again),
    Item("reset", "end this chat for everybody, and go on in a new one", _reset),
    Item("deletechat", "end this chat for everybody, and have it deleted at the service", _delete_chat),
    Item("successor", "go where a chat that was begun anew goes on", _successor),
    Item("addagain", "add a member anew who sees nothing", _add_again, "NUMBER"),
    Item("close", "close this chat", _close),
)
