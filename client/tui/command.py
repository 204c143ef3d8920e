"""What a command is, and what every command may use: the open chat, the selected message, questions to the person."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from client.defence.new_keys import TITLE, YES, with_new_keys
from client.desk.views import ChatView, MessageView
from client.errors import ClientError

if TYPE_CHECKING:
    from client.tui.app import RingtrueApp

Needs = Literal["nothing", "account", "chat", "message"]
Act = Callable[["RingtrueApp", str], Awaitable[None]]


class NotNowError(ClientError):
    """A command was asked for where there is nothing that it could act on."""

    code = "not-now"


@dataclass(frozen=True, slots=True)
class Command:
    """One thing to ask for. `id` is the keymap's where a key can do it too; `needs`: without which it is not offered.

    `argument`: what may follow the slash form, in words; what is missing is asked for.
    """

    id: str
    title: str
    help: str
    slash: str
    act: Act
    needs: Needs = "account"
    argument: str = ""

    def applies(self, app: "RingtrueApp") -> bool:
        """Whether there is now what it acts on."""
        if self.needs == "nothing":
            return True
        if not app.is_open:
            return False
        return self.needs == "account" or (app.chat is not None and (self.needs == "chat" or app.message is not None))


def chat_of(app: "RingtrueApp") -> ChatView:
    """The chat in view. Raises NotNowError."""
    if app.chat is None:
        raise NotNowError("no chat is open", hint="Open one in the list first.")
    return app.chat


def message_of(app: "RingtrueApp") -> MessageView:
    """The selected message. Raises NotNowError."""
    if app.message is None:
        chat_of(app)
        raise NotNowError("no message is selected", hint="Press the up arrow in the empty composer to select one.")
    return app.message


async def answer(app: "RingtrueApp", argument: str, title: str, label: str, value: str = "") -> str | None:
    """The argument, or what the person answers when asked for it; None if nothing."""
    if argument:
        return argument
    from client.tui.screens.ask import Prompt

    return await app.push_screen_wait(Prompt(title, label, value)) or None


async def on_new_keys(app: "RingtrueApp", call: Callable[[bool], Awaitable[ChatView]]) -> ChatView:
    """Do something with numbers, and ask the person where one of them is on a key that they have not met."""
    return await with_new_keys(call, lambda words: agreed(app, TITLE, words, YES))


async def agreed(app: "RingtrueApp", title: str, words: str, yes: str) -> bool:
    """Whether the person says yes."""
    from client.tui.screens.ask import Confirm

    return await app.push_screen_wait(Confirm(title, words, yes))
