"""The menu of an open chat, as far as it is about files: sending, looking at them, keeping them, proofs as files."""

from collections.abc import Iterator
from pathlib import Path

from client.desk.incognito import refuse
from client.desk.transfer_views import transfer_words
from client.errors import ClientError, ImageError
from client.formats.text import safe_text
from client.plain import phrases
from client.plain.item import Item
from client.plain.talk import NotNowError, Talk
from client.terminal.pictures import measure
from client.transfers import attachments

READ_OUT_LIMIT = 4000  # characters of a text file


def typed_path(typed: str) -> Path:
    """A path as a person types it. Raises ClientError."""
    try:
        return Path(typed.strip()).expanduser().absolute()
    except RuntimeError as error:
        words = f"{typed[:200]!a} begins with ~, and this system does not say where that is"
        raise ClientError(words, code="cannot-save", hint="Write the whole path.") from error


async def asked_path(talk: Talk, given: str, name: str) -> Path:
    """The path of a file to be written: given, or asked for with `name` in the download folder as the proposal."""
    suggested = str(talk.config.download_folder / name)
    asked = given or (await talk.paper.ask(f"Write to which file? (Enter for {suggested}):")).strip()
    return typed_path(asked or suggested)


def seen(octets: bytes, *, images: bool = True) -> Iterator[str]:
    """What can be said of a file's octets, whatever its message claims. Raises ImageError."""
    kind = attachments.content_type_of(octets)
    yield f"Its octets show {kind}, {phrases.size(len(octets))}."
    if kind == attachments.TEXT_TYPE:
        text = octets.decode()
        yield f"It says:\n{safe_text(text[:READ_OUT_LIMIT])}"
        if len(text) > READ_OUT_LIMIT:
            yield f"It goes on: {READ_OUT_LIMIT} of {len(text)} characters were read out. Save it to read the rest."
    elif not kind.startswith("image/"):
        yield "A file of this kind cannot be read out."
    elif images:
        picture = measure(octets)
        yield f"A picture, {picture.form}, {picture.width} by {picture.height} pixels. It cannot be shown line by line."
    else:
        yield 'The settings say images = "off": it was not looked at any closer.'


async def _attach(talk: Talk, argument: str) -> None:
    path = typed_path(await talk.answer(argument, "Which file? Its path"))
    caption = await talk.paper.ask("What do you say about it? (Enter for nothing):")
    talk.paper.say("Encrypting and storing it.")
    await talk.sent(await talk.api.messages.send_file(talk.open_chat.group, str(path), caption))


async def _open(talk: Talk, argument: str) -> None:
    message, _ = await talk.message(argument)
    if message.attachment is None:
        raise NotNowError("there is no file in this message")
    talk.paper.say(f"Fetching {phrases.size(message.attachment.size)}.")
    octets = await talk.api.messages.fetch(message.row)
    try:
        for words in seen(octets, images=talk.config.images != "off"):
            talk.paper.say(words)
    except ImageError as error:  # it can be saved all the same
        talk.paper.trouble(error)
    folder = talk.config.download_folder
    if not talk.incognito and await talk.paper.agreed(f"Save it in {folder}?"):
        talk.paper.say(f"Saved as {await talk.api.messages.save(message.row, str(folder))}")


async def _save(talk: Talk, argument: str) -> None:
    message, given = await talk.message(argument)
    folder = typed_path(given) if given else talk.config.download_folder
    talk.paper.say(f"Saved as {await talk.api.messages.save(message.row, str(folder))}")


async def _proof(talk: Talk, argument: str) -> None:
    refuse("Export", talk.incognito)
    message, given = await talk.message(argument)
    proof = await talk.api.messages.proof(message.row)
    path = await asked_path(talk, given, f"ringtrue-proof-{message.id[:12]}.json")
    written = attachments.save(path.parent, path.name, [proof.encode()])
    talk.paper.say(f"Written to {written}. It contains the message. To check it: ringtrue verify {written.name}")


async def _transfers(talk: Talk, argument: str) -> None:
    waiting = await talk.api.messages.transfers()
    if not waiting:
        talk.paper.say("No file is on its way.")
        return
    chosen = await talk.chosen("Send which no more?", [f"{each.name}, {transfer_words(each)}" for each in waiting])
    if chosen is not None and await talk.paper.agreed(f"Nobody gets {waiting[chosen].name}. Send it no more?"):
        await talk.api.messages.cancel_transfer(waiting[chosen].transfer)
        talk.paper.say(f"{waiting[chosen].name} is not sent.")


TRANSFER_ITEMS = (Item("transfers", "files on their way: how far they are, stop one", _transfers),)
FILE_ITEMS = (
    Item("attach", "send a file", _attach, "PATH"),
    Item("open", "look at a message's file", _open, "MESSAGE"),
    Item("save", "save a message's file", _save, "MESSAGE FOLDER"),
    Item("proof", "write a message with its proof to a file", _proof, "MESSAGE PATH"),
)
