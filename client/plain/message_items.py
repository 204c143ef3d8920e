"""The menu of an open chat, as far as it is about messages: reading, writing, and what is done to one of them."""

from client.desk.incognito import refuse
from client.desk.views import MessageView
from client.plain import phrases
from client.plain.item import Item
from client.plain.talk import NotNowError, Talk


async def _older(talk: Talk, argument: str) -> None:
    await talk.open_chat.older()


async def _newer(talk: Talk, argument: str) -> None:
    await talk.open_chat.newer()


async def _unread(talk: Talk, argument: str) -> None:
    await talk.open_chat.unread()


async def _write(talk: Talk, argument: str) -> None:
    talk.paper.say("Write line by line. A line with only a full stop ends and sends it.")
    text = await talk.lines()
    await talk.send(await talk.text(text, "Text"))


async def _draft(talk: Talk, argument: str) -> None:
    refuse("To keep or send a draft", talk.incognito)
    view = await talk.look_again()
    if argument:
        await talk.api.chats.draft(view.group, argument)
        talk.paper.say("Kept as a draft.")
    elif not view.draft:
        talk.paper.say("There is no draft. To keep one: /draft TEXT")
    elif await talk.paper.agreed(f"Send the draft? It says: {view.draft}"):
        await talk.api.chats.draft(view.group, "")
        await talk.send(view.draft)


async def _reply(talk: Talk, argument: str) -> None:
    message, given = await talk.message(argument)
    await talk.send(await talk.text(given, f"Answer to {_whose(message)}"), reply_to=message.row)


async def _edit(talk: Talk, argument: str) -> None:
    message, given = await talk.message(argument)
    text = await talk.text(given, "What should it say instead?")
    talk.open_chat.put_out(await talk.api.messages.edit(message.row, text))


async def _delete(talk: Talk, argument: str) -> None:
    message, _ = await talk.message(argument)
    if await talk.paper.agreed("It is taken back for everybody; who has read it has read it. Delete?"):
        talk.open_chat.put_out(await talk.api.messages.delete(message.row))


async def _react(talk: Talk, argument: str) -> None:
    message, given = await talk.message(argument)
    emoji = await talk.answer(given, "Which emoji? The same one again takes it back")
    talk.open_chat.put_out(await talk.api.messages.react(message.row, emoji))


async def _retry(talk: Talk, argument: str) -> None:
    message, _ = await talk.message(argument)
    await talk.sent(await talk.api.messages.retry(message.row))
    talk.open_chat.put_out(await talk.api.messages.get(message.row))


async def _quoted(talk: Talk, argument: str) -> None:
    message, _ = await talk.message(argument)
    if message.reply is None or message.reply.row is None:
        raise NotNowError("this message answers none that is here")
    await talk.open_chat.jump(message.reply.row)


async def _back(talk: Talk, argument: str) -> None:
    await talk.open_chat.back()


async def _inspect(talk: Talk, argument: str) -> None:
    message, _ = await talk.message(argument)
    await inspect(talk, message.row)


async def inspect(talk: Talk, row: int) -> None:
    """Read out what was checked about a message."""
    for words in phrases.inspection(await talk.api.messages.inspect(row)):
        talk.paper.say(words)


def _whose(message: MessageView) -> str:
    return "yourself" if message.own or message.sender is None else phrases.person(message.sender, message.name)


MESSAGE_ITEMS = (
    Item("older", "read older messages", _older),
    Item("newer", "read newer messages", _newer),
    Item("unread", "go to the first unread message", _unread),
    Item("write", "write a message of several lines", _write),
    Item("draft", "send the draft, or keep one", _draft, "TEXT"),
    Item("reply", "answer a message", _reply, "MESSAGE TEXT"),
    Item("react", "react with an emoji, or take it back", _react, "MESSAGE EMOJI"),
    Item("edit", "change a message of yours", _edit, "MESSAGE TEXT"),
    Item("delete", "take a message of yours back", _delete, "MESSAGE"),
    Item("retry", "send a message again that was not sent", _retry, "MESSAGE"),
    Item("quoted", "go to the message that one answers", _quoted, "MESSAGE"),
    Item("back", "go back to where the last jump began", _back),
    Item("inspect", "read out what was checked", _inspect, "MESSAGE"),
)
