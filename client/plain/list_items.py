"""The main menu, as far as it is about chats: the list, opening one, making one, finding in all."""

from client.defence.new_keys import with_new_keys
from client.errors import ChatError
from client.plain import phrases
from client.plain.chat_items import numbers_in
from client.plain.item import Item
from client.plain.open_chat import shown_with
from client.plain.talk import Talk


async def _chats(talk: Talk, argument: str) -> None:
    if argument:
        await talk.enter(await talk.api.chats.find(argument))
    else:
        await _choose(talk, archived=False)


async def _archived(talk: Talk, argument: str) -> None:
    await _choose(talk, archived=True)


async def _choose(talk: Talk, *, archived: bool) -> None:
    chats = await talk.api.chats.all(archived)
    if not chats:
        talk.paper.say("No chat is archived." if archived else "There are no chats yet. To write to a number: /new")
        return
    chosen = await talk.chosen(
        "Open which?", [(phrases.unnamed if talk.incognito else phrases.chat)(each) for each in chats]
    )
    if chosen is not None:
        await talk.enter(chats[chosen])


async def _new(talk: Talk, argument: str) -> None:
    number = await talk.answer(argument, "To whom? A number, a ringtrue: address or a short code")
    direct = talk.api.chats.direct
    await talk.enter(await with_new_keys(lambda new_keys: direct(number, new_keys), talk.agrees_to_keys))


async def _group(talk: Talk, argument: str) -> None:
    name = await talk.answer(argument, "What is the group called?")
    numbers = await talk.answer("", "Whose numbers? Separate them by commas")
    create, people = talk.api.chats.create, numbers_in(numbers)
    await talk.enter(await with_new_keys(lambda new_keys: create(name, people, new_keys=new_keys), talk.agrees_to_keys))


async def _next(talk: Talk, argument: str) -> None:
    for chat in await talk.api.chats.all():
        if chat.unread and (talk.chat is None or chat.group != talk.chat.group):
            await talk.enter(chat)
            return
    talk.paper.say("Nothing is unread.")


async def _find_everywhere(talk: Talk, argument: str) -> None:
    words = await talk.answer(argument, "Which words?")
    rows = await talk.api.messages.search(words)
    if not rows:
        raise ChatError("nothing was found", code="not-found", hint="Words are found as they are written.")
    chosen = await talk.chosen("Go to which?", list(shown_with(rows)))
    if chosen is not None:
        await talk.enter(await talk.api.chats.get(rows[chosen].group), rows[chosen].row)


LIST_ITEMS = (
    Item("chats", "list the chats, open one", _chats, "NAME"),
    Item("new", "write to a number", _new, "NUMBER"),
    Item("group", "create a group", _group, "NAME"),
    Item("next", "open the next unread chat", _next),
    Item("findall", "find in all chats", _find_everywhere, "WORDS"),
    Item("archived", "list archived chats, open one", _archived),
)
