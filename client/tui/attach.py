"""Which file to send: a path that is typed, or one found in the folders below it, and a line to go with it."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from rich.text import Text, TextType
from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import DirectoryTree, Input, Label

from client.formats.text import safe_text
from client.tui.screens.sheet import Sheet


class Files(DirectoryTree):
    """Folders and files, without hidden ones; names are drawn harmless, for downloaded files are named by others."""

    ICON_NODE = "+ "
    ICON_NODE_EXPANDED = "- "
    ICON_FILE = "  "

    def process_label(self, label: TextType) -> Text:
        """A name as plain, safe text."""
        return Text(" ".join(safe_text(str(label)).text.split()) or "?")

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        """Leave hidden files and folders out."""
        return [path for path in paths if not path.name.startswith(".")]


class AttachScreen(Sheet[tuple[str, str] | None]):
    """Gives the path of a file and the words to go with it, or None."""

    HEADING = "Attach a file"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("backspace", "above", "Folder above", show=False),
    ]
    DEFAULT_CSS: ClassVar[str] = """
    AttachScreen {
        & Input { background: $panel; }
        & Files { height: 1fr; min-height: 4; margin: 1 0; background: $surface; }
    }
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def body(self) -> Iterator[Widget]:
        """Path, folders, words."""
        yield Label(Content("Path (Enter on a folder opens it below)"))
        yield Input(str(self._folder), id="path", compact=True)
        yield Files(self._folder, id="files")
        yield Label(Content("Words to go with it (Enter encrypts and sends)"))
        yield Input(id="caption", compact=True)

    def on_mount(self) -> None:
        """Begin in the folders."""
        for field in self.query(Input):
            field.cursor_blink = False
        self.query_one(Files).focus()

    def action_above(self) -> None:
        """Show the folder above the one that is shown."""
        self._show(Path(self.query_one(Files).path).parent)

    @on(DirectoryTree.FileSelected)
    def _found(self, event: DirectoryTree.FileSelected) -> None:
        self.query_one("#path", Input).value = str(event.path)
        self.query_one("#caption").focus()

    @on(Input.Submitted, "#path")
    def _typed(self, event: Input.Submitted) -> None:
        path = Path(event.value.strip()).expanduser()
        if path.is_dir():
            self._show(path)
            self.query_one(Files).focus()
        elif self._is_there(path):
            self.query_one("#caption").focus()

    @on(Input.Submitted, "#caption")
    def _send(self, event: Input.Submitted) -> None:
        path = Path(self.query_one("#path", Input).value.strip()).expanduser()
        if self._is_there(path):
            self.dismiss((str(path), safe_text(event.value.strip()).text))

    def _show(self, folder: Path) -> None:
        self.query_one(Files).path = folder
        self.query_one("#path", Input).value = str(folder)
        self.say("")

    def _is_there(self, path: Path) -> bool:
        there = path.is_file()
        self.say(
            "" if there else "There is no file of this name. Choose one below, or mend the path.", failed=not there
        )
        return there
