"""Export of a whole chat: as text, as Markdown, or as JSON with the proof of every message."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, get_args

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, RadioSet, Static

from client.desk.views import Rendering
from client.errors import ClientError
from client.transfers.attachments import save
from client.tui.screens.sheet import Sheet
from client.tui.screens.toggles import Choice
from client.words.spelling import shown_number

FORMS: tuple[Rendering, ...] = get_args(Rendering)
ENDINGS: dict[Rendering, str] = {"text": "txt", "markdown": "md", "json": "json"}
WORDS: dict[Rendering, str] = {"text": "Text", "markdown": "Markdown", "json": "JSON with proofs"}
REVEALS: dict[Rendering, str] = {
    "text": "The file is not encrypted: whoever can read it sees every word, number and time of this chat.",
    "markdown": "The file is not encrypted: whoever can read it sees every word, number and time of this chat.",
    "json": (
        "The file is not encrypted, and it proves: whoever gets it can show others, without your help, which number "
        "said exactly what in this chat, and who was in it."
    ),
}


class ExportScreen(Sheet[None]):
    """Choose a form and a name; the file is readable by its owner only, and no file is ever overwritten."""

    HEADING = "Export this chat"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s", "export", "Export")]
    DEFAULT_CSS = """
    ExportScreen .frame {
        max-width: 80;
        height: auto;
        max-height: 100%;
    }
    ExportScreen RadioSet {
        width: 100%;
        border: none;
        padding: 0;
        margin-bottom: 1;
    }
    ExportScreen RadioSet:focus {
        border: none;
    }
    ExportScreen RadioSet > Choice > .toggle--button {
        color: $text;
        background: $surface;
    }
    ExportScreen #reveals {
        margin: 1 0;
    }
    ExportScreen .buttons {
        height: auto;
        align-horizontal: right;
    }
    ExportScreen Button {
        margin-left: 2;
    }
    """

    def __init__(self, group: str) -> None:
        super().__init__()
        self._group = group

    def body(self) -> Iterator[Widget]:
        with RadioSet():
            for form in FORMS:
                yield Choice(WORDS[form], value=form == "text")
        yield Static(Content("Write to (a name that is taken gets a number):"))
        yield Input(self._suggested("text"))
        yield Static(Content(f"⚠ {REVEALS['text']}"), id="reveals")
        with Horizontal(classes="buttons"):
            yield Button(Content("Close"), id="no")
            yield Button(Content("Export"), id="yes", variant="primary")

    def on_mount(self) -> None:
        """Begin on the form."""
        self.query_one(Input).cursor_blink = False
        self.query_one(RadioSet).focus()
        self._entitle()

    @work
    async def _entitle(self) -> None:
        with self.doing("Looking"):
            chat = await self.api.chats.get(self._group)
            self.entitle(f"Export {chat.chat or shown_number(chat.direct or '')}")

    @property
    def _form(self) -> Rendering:
        return FORMS[max(0, self.query_one(RadioSet).pressed_index)]

    def _suggested(self, form: Rendering) -> str:
        return str(self.folder / f"ringtrue-{self._group[:8]}.{ENDINGS[form]}")

    @on(RadioSet.Changed)
    def _chose(self) -> None:
        field = self.query_one(Input)
        if field.value in map(self._suggested, FORMS):
            field.value = self._suggested(self._form)
        self.query_one("#reveals", Static).update(Content(f"⚠ {REVEALS[self._form]}"))

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "yes":
            self.action_export()
        else:
            self.action_leave()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_export()

    @work(exclusive=True)
    async def action_export(self) -> None:
        """Write the file."""
        with self.doing("Writing the file"):
            written = await write(self.query_one(Input).value, await self.api.chats.export(self._group, self._form))
            self.say(f"Written to {written}, readable by you only.")


async def write(typed: str, text: str) -> Path:
    """Write a new private file under the path that a person typed; returns the path it got. Raises ClientError."""
    try:
        path = Path(typed.strip()).expanduser()
    except RuntimeError as error:
        raise ClientError(
            f"{typed!a} begins with ~, and this system does not say where that is",
            code="cannot-save",
            hint="Write the whole path.",
        ) from error
    return await asyncio.to_thread(save, path.parent, path.name, [text.encode()])
