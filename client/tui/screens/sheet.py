"""A sheet: what opens over the chats. A titled frame, one line for what is going on, and the keys at the foot."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar, cast

from textual import events, on, work
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from client.desk.api import Api
from client.desk.views import ChatView
from client.failures import EXPECTED
from client.terminal import clipboard
from client.tui.screens.key_line import KeyLine
from client.tui.screens.phrases import trouble

if TYPE_CHECKING:
    from client.config import Config

Answer = TypeVar("Answer")


class OpenAccount(Protocol):
    """What a sheet needs of the app: an open account and the settings."""

    @property
    def api(self) -> Api: ...

    config: "Config"

    async def open_chat(self, chat: ChatView, row: int | None = None) -> None: ...
    def refuse_in_incognito(self, what: str) -> None: ...


class Sheet(ModalScreen[Answer]):
    """A screen over the chats; Esc closes it without an answer."""

    HEADING: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Close", id="cancel"),
        Binding("ctrl+q,Q", "app.quit", "Quit", show=False, id="quit"),  # the app's own reaches over no sheet
    ]

    DEFAULT_CSS = """
    Sheet {
        align: center middle;
    }
    Sheet .frame {
        width: 100%;
        max-width: 104;
        height: 1fr;
        border: round $primary;
        border-title-color: $text;
        border-title-style: bold;
        background: $surface;
        padding: 0 1;
        overflow-y: auto;
    }
    Sheet .going-on {
        height: auto;
        margin-top: 1;
        display: none;
    }
    Sheet .going-on.-said {
        display: block;
    }
    Sheet .going-on.-trouble {
        color: $text-error;
    }
    Sheet .lead {
        height: auto;
        margin-bottom: 1;
    }
    Sheet .quiet {
        color: $text-muted;
    }
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (96, "-wide")]  # noqa: RUF012 - the type that Textual declares
    VERTICAL_BREAKPOINTS = [(0, "-low"), (22, "-high")]  # noqa: RUF012 - likewise
    _told = 0  # how often something was said
    _leaves_with: tuple[Answer | None] | None = None  # to be given once the sheet is drawn and nothing lies over it
    _is_left = False

    @property
    def account(self) -> OpenAccount:
        """The app, as far as a sheet knows it."""
        return cast(OpenAccount, self.app)

    @property
    def api(self) -> Api:
        """The open account."""
        return self.account.api

    @property
    def folder(self) -> Path:
        """Where files go if nothing else is said."""
        return self.account.config.download_folder

    def compose(self) -> ComposeResult:
        """The frame around `body`."""
        with Vertical(classes="frame") as frame:
            frame.border_title = Content(self.HEADING)
            yield from self.body()
            yield Static("", classes="going-on", markup=False)
        yield KeyLine()

    def body(self) -> Iterator[Widget]:
        """What stands inside the frame."""
        raise NotImplementedError

    def entitle(self, title: str) -> None:
        """Write another title into the frame; `title` is safe text."""
        self.query_one(".frame").border_title = Content(title)

    def say(self, words: str, *, failed: bool = False) -> None:
        """Tell what is going on, or nothing."""
        self._told += 1
        if not self.is_attached:
            return
        line = self.query_one(".going-on", Static)
        line.update(Content(f"✗ {words}" if failed and words else words))
        line.set_class(bool(words), "-said")
        line.set_class(failed, "-trouble")
        if words:
            self.call_after_refresh(line.scroll_visible, animate=False)

    @contextmanager
    def doing(self, words: str = "", done: str = "") -> Iterator[None]:
        """Show what is being done while it is; then what was said meanwhile, `done`, or what went wrong.

        Without `words` only what goes wrong is shown.
        """
        if words:
            self.say(words)
        mine = self._told  # the same words may be said anew by the work that takes this one's place
        after = ""  # stays if the work is given up
        try:
            yield
            after = done
        except EXPECTED as error:
            self.say(trouble(error), failed=True)
        finally:
            if words and self._told == mine:
                self.say(after)

    @work(group="copy")
    async def copy(self, text: str) -> None:
        """Copy a text, unless incognito forbids it, and say what was done with it."""
        driver = self.app._driver
        if driver is not None:
            with self.doing("Copying"):
                self.account.refuse_in_incognito("Copying")
                self.say((await clipboard.copy(text, driver.write, way=self.account.config.clipboard)).words)

    def go_to(self, chat: ChatView) -> None:
        """Close, and open a chat."""
        self.app.call_later(self.account.open_chat, chat)
        self.action_leave()

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Close this sheet and no other, once it is drawn and nothing lies over it. A second answer changes nothing."""
        if self._is_left:
            return AwaitComplete()
        if not self.is_mounted or self in self.app.screen_stack[:-1]:
            self._leaves_with = (result,)
            return AwaitComplete()
        self._is_left = True
        return super().dismiss(result)

    @on(events.ScreenResume)
    def _close_at_last(self) -> None:
        if self._leaves_with is not None:
            self.dismiss(*self._leaves_with)

    def action_leave(self) -> None:
        """Close without an answer."""
        self.dismiss(None)
