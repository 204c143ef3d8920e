"""The two menus, and what a typed line means in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from client.errors import ClientError
from client.plain.account_items import ACCOUNT_ITEMS
from client.plain.chat_items import CHAT_ITEMS
from client.plain.device_items import DEVICE_ITEMS
from client.plain.file_items import FILE_ITEMS, TRANSFER_ITEMS
from client.plain.item import Item
from client.plain.list_items import LIST_ITEMS
from client.plain.message_items import MESSAGE_ITEMS
from client.plain.people_items import PEOPLE_ITEMS
from client.plain.report_items import REPORT_ITEMS, STANDING_ITEMS
from client.plain.rule_items import RULE_ITEMS
from client.plain.talk import NotNowError, Talk

MENU_WORDS = ("", "help", "menu", "?")  # what reads out the menu


class UnknownChoiceError(ClientError):
    """What was typed is no number and no word of the menu."""

    code = "unknown-command"
    exit_code = 2


NOT_HERE: Mapping[str, str] = MappingProxyType(
    {  # slash names of the terminal client
        "copy": "the terminal copies what it shows by its own means",
        "keys": "lines are typed, and no key means anything else",
        "plain": "this is it",
        "redraw": "nothing is drawn over",
        "theme": "no colours are used",
    }
)


async def _help(talk: Talk, argument: str) -> None:
    read_menu(talk)
    talk.paper.say("Not in line mode: " + "; ".join(f"{word}, for {why}" for word, why in NOT_HERE.items()) + ".")


def read_menu(talk: Talk) -> None:
    """Read out the menu that is open."""
    items = MAIN if talk.chat is None else IN_CHAT
    for number, item in enumerate(items, 1):
        talk.paper.say(f"{number}. {item}")
    if talk.chat is None:
        talk.paper.say("Write a number or a word; what is missing is asked for. Enter alone reads out what is new.")
    else:
        talk.paper.say("Any line is sent as a message. Begin with / for this menu: /1 or /older. // sends a /.")
        talk.paper.say("The words of the main menu go too: /chats, /requests, /quit. /close leads back to it.")


HELP = Item("help", "read out this menu", _help)
MAIN: tuple[Item, ...] = (
    *LIST_ITEMS,
    *PEOPLE_ITEMS,
    *RULE_ITEMS,
    *STANDING_ITEMS,
    *DEVICE_ITEMS,
    *TRANSFER_ITEMS,
    *ACCOUNT_ITEMS,
    HELP,
)
IN_CHAT: tuple[Item, ...] = (*MESSAGE_ITEMS, *REPORT_ITEMS, *FILE_ITEMS, *CHAT_ITEMS, HELP)
_BY_WORD = {item.word: item for item in (*MAIN, *IN_CHAT)}


@dataclass(frozen=True, slots=True)
class Choice:
    """An item with its argument; or (`item` is None) `text` to be sent, nothing if that is empty."""

    text: str
    item: Item | None = None


def meant(line: str, *, in_chat: bool) -> Choice:
    """Read what was typed. In a chat only what begins with one / is a choice. Raises UnknownChoiceError."""
    if in_chat and not line.startswith("/"):
        return Choice(line if line.strip() else "")
    if in_chat and line.startswith("//"):
        return Choice(line[1:])
    word, _, argument = line.strip().removeprefix("/").partition(" ")
    if not in_chat and not line.strip():
        return Choice("")
    return Choice(argument.strip(), _item(word.lower(), IN_CHAT if in_chat else MAIN, in_chat))


def is_number(word: str, items: tuple[Item, ...]) -> bool:
    """Whether a word is the number of an item."""
    return word.isascii() and word.isdigit() and len(word) < 4 and 1 <= int(word) <= len(items)


def _item(word: str, numbered: tuple[Item, ...], in_chat: bool) -> Item:
    if word in MENU_WORDS:
        return HELP
    if is_number(word, numbered):
        return numbered[int(word) - 1]
    if word in NOT_HERE:
        raise UnknownChoiceError(f"{word} is not in line mode: {NOT_HERE[word]}", hint="To hear the menu: /help")
    item = _BY_WORD.get(word)
    if item is None:
        hint = "Nothing was sent. Put // in front to send it as text; / reads out the menu." if in_chat else ""
        raise UnknownChoiceError(f"there is no choice {word[:40]!a}", hint=hint or "To hear the menu: help")
    if not in_chat and item not in MAIN:
        raise NotNowError("no chat is open", hint="Open one first: /chats")
    return item
