"""A whole conversation as text, Markdown or JSON; nothing in it can steer a terminal or pass for another row."""

import json
from collections.abc import Iterator

import msgspec

from client.desk.showing import Showing, chat_name
from client.desk.views import MessageView, Rendering
from client.errors import ChatError
from client.formats.text import export_line
from client.proof import export
from client.records.chats import Chat
from client.steps.wired import Steps
from client.words.spelling import shown_number

BATCH = 1000  # rows read at once
_MARKDOWN = str.maketrans({character: f"\\{character}" for character in "\\`*_{}[]()<>#+-.!|~"})


def exported(steps: Steps, showing: Showing, chat: Chat, form: Rendering) -> str:
    """The chat in one of the forms; as JSON each message comes with its proof, if there is one."""
    views = list(_views(steps, showing, chat))
    name = chat_name(chat, steps.groups.contacts.names())
    match form:
        case "text":
            return f"{name}\n\n" + "".join(f"{_line(view)}\n" for view in views)
        case "markdown":
            return f"# {name.translate(_MARKDOWN)}\n\n" + "".join(f"{_paragraph(view)}\n\n" for view in views)
        case "json":
            rows = [msgspec.to_builtins(view) | {"proof_file": _proof(steps, view)} for view in views]
            whole = {"v": 1, "type": "conversation", "chat": name, "group": chat.group_id.hex(), "messages": rows}
            return json.dumps(whole, indent=1) + "\n"


def _views(steps: Steps, showing: Showing, chat: Chat) -> Iterator[MessageView]:
    row = 0
    while batch := steps.browsing.after(chat.group_id, row, BATCH):
        yield from showing.messages(batch)
        row = batch[-1].id


def _who(view: MessageView) -> str:
    if view.state is not None:
        return "you"
    if view.sender is None:
        return ""
    number = shown_number(view.sender)
    return f"{number} ({view.name})" if view.name else number


def _words(view: MessageView) -> str:
    if view.withdrawn:
        return "(taken back)"
    file = "" if view.attachment is None else f"(file) {view.attachment.filename} "
    return f"{file}{view.text}{' (edited)' if view.edited else ''}"


def _line(view: MessageView) -> str:
    label = "" if view.proof is None else f" {view.proof.label}"
    return export_line(f"{view.arrived:%Y-%m-%d %H:%M}{label} {_who(view)}: {_words(view)}")


def _paragraph(view: MessageView) -> str:
    label = "" if view.proof is None else f" · {view.proof.label}"
    words = _words(view).translate(_MARKDOWN).replace("\n", "\\\n")
    return f"**{_who(view).translate(_MARKDOWN) or 'notice'}** · {view.arrived:%Y-%m-%d %H:%M}{label}\\\n{words}"


def _proof(steps: Steps, view: MessageView) -> object:
    try:
        return json.loads(export(steps.history, steps.history.get(view.row)))
    except ChatError:
        return None  # a notice, or a message that came without a proof
