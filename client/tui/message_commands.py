"""What can be asked for about messages; the conversation pane does it, for these commands and for its own keys."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from client.tui.command import Act, Command, chat_of, message_of

if TYPE_CHECKING:
    from client.tui.app import RingtrueApp
    from client.tui.conversation import ConversationPane


def _on_selected(does: "Callable[[ConversationPane], None]") -> Act:
    async def act(app: "RingtrueApp", argument: str) -> None:
        message_of(app)
        does(app.main.conversation)

    return act


async def _react(app: "RingtrueApp", argument: str) -> None:
    message_of(app)
    app.main.conversation.react(argument)


async def _attach(app: "RingtrueApp", argument: str) -> None:
    chat_of(app)
    app.main.conversation.attach(argument or None)


async def _jump_back(app: "RingtrueApp", argument: str) -> None:
    app.main.conversation.jump_back()


async def _copy(app: "RingtrueApp", argument: str) -> None:
    app.refuse_in_incognito("Copying")
    message_of(app)
    app.main.conversation.copy()


async def _inspect(app: "RingtrueApp", argument: str) -> None:
    chat_of(app)
    app.main.conversation.inspect()


MESSAGE_COMMANDS = (
    Command(
        "reply", "Reply", "Answer the selected message", "reply", _on_selected(lambda pane: pane.reply()), "message"
    ),
    Command(
        "react", "React", "Add an emoji to the selected message, or take it back", "react", _react, "message", "EMOJI"
    ),
    Command(
        "edit",
        "Edit",
        "Change the selected message of yours",
        "edit",
        _on_selected(lambda pane: pane.edit()),
        "message",
    ),
    Command(
        "delete",
        "Delete for everybody",
        "Take the selected message of yours back",
        "delete",
        _on_selected(lambda pane: pane.delete()),
        "message",
    ),
    Command(
        "retry",
        "Send again",
        "Try the selected message again that was not sent",
        "retry",
        _on_selected(lambda pane: pane.retry()),
        "message",
    ),
    Command(
        "report",
        "Report",
        "Show the selected message, with its proof, to the authority",
        "report",
        _on_selected(lambda pane: pane.report()),
        "message",
    ),
    Command("copy", "Copy", "Copy the selected message", "copy", _copy, "message"),
    Command("attach", "Attach a file", "Send a file or a picture", "attach", _attach, "chat", "PATH"),
    Command(
        "open_attachment",
        "Open the attachment",
        "Fetch the selected message's file and show it",
        "open",
        _on_selected(lambda pane: pane.open_attachment()),
        "message",
    ),
    Command(
        "save",
        "Save the attachment",
        "Fetch the selected message's file and keep it",
        "save",
        _on_selected(lambda pane: pane.save_attachment()),
        "message",
    ),
    Command(
        "jump_to_quoted",
        "Go to the quoted message",
        "Show what the selected message answers",
        "quoted",
        _on_selected(lambda pane: pane.jump_to_quoted()),
        "message",
    ),
    Command("jump_back", "Jump back", "Go back to where the last jump began", "back", _jump_back, "chat"),
    Command(
        "inspect",
        "Inspect",
        "What was checked about the selected message, or the last",
        "inspect",
        _inspect,
        "chat",
    ),
)
