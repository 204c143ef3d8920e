"""The terminal client: opens the account, shows its screens, and hands on what the account tells."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.actions import ActionParseResult
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.filter import LineFilter
from textual.screen import Screen
from textual.worker import Worker, WorkerCancelled, WorkerFailed

from client.config import Config
from client.desk.api import Api
from client.desk.incognito import IncognitoApi
from client.desk.told import AskAnswered, Told, TroubleTold
from client.desk.views import ChatView, MessageView
from client.errors import ClientError, NotEnrolledError, PassphraseNeededError, WrongPassphraseError
from client.tui.command import Command
from client.tui.commands import BY_ID
from client.tui.crash import write_log
from client.tui.heard import Heard
from client.tui.keymap import keymap
from client.tui.line_filter import LAST_LINE, survive_odd_mouse_reports
from client.tui.locking import IDLE_TICK
from client.tui.opening import Opening
from client.tui.opening_screen import OpeningScreen
from client.tui.outward import Outward
from client.tui.palette import FoundChats, FoundCommands
from client.tui.themes import theme_of, use_themes

if TYPE_CHECKING:
    from client.terminal.abilities import Graphics
    from client.tui.main_screen import MainScreen

MOUNT_PATIENCE = 5.0  # seconds until the end does not wait any longer for a screen to be drawn
TWICE = 2.0  # seconds in which a second Ctrl+C ends the program


class RingtrueApp(Outward):
    """`api` is there once the account is open; every screen asks it, and hears what it tells as `Heard`."""

    TITLE = "Ringtrue"
    CSS = """
    SearchIcon { display: none; }  /* an emoji, two cells wide */
    ToastRack { dock: top; align: right top; margin: 0; }  /* below, they would hide what is being written */
    Toast { padding: 0 1; margin: 0 0 1 0; }
    """
    COMMANDS = {FoundCommands, FoundChats}  # noqa: RUF012 - Textual's
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+p", "command_palette", "Commands", id="palette"),
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", "To the shell", show=False),
        Binding("Q", "quit", "Quit", show=False, id="quit"),
    ]

    graphics: "Graphics" = "none"  # how the terminal shows pictures by itself; it can only be asked before the app runs

    def __init__(
        self,
        home: Path,
        config: Config,
        *,
        opening: Opening,
        incognito: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        survive_odd_mouse_reports()
        super().__init__(home, config, clock)
        self.crash_log: Path | None = None
        self._opening = opening
        self._api: Api | None = None
        self._main: MainScreen | None = None
        self._holding: Worker[None] | None = None
        self._doing: list[str] = []
        self._troubled: TroubleTold | None = None
        self._interrupted = -TWICE
        self.set_reactive(RingtrueApp.incognito, incognito)
        self.set_keymap(keymap(config))
        use_themes(self, theme_of(self, config))

    # --- the account

    @property
    def api(self) -> Api:
        """The open account."""
        assert self._api is not None, "the account is open"
        return self._api

    @property
    def is_open(self) -> bool:
        """Whether the account is open and nothing hides it."""
        return self._main is not None and self._main.is_mounted and not self.locked

    @property
    def main(self) -> "MainScreen":
        """The screen with the chats."""
        assert self._main is not None, "the account is open"
        return self._main

    @property
    def chat(self) -> ChatView | None:
        """The chat in view."""
        return None if self._main is None else self._main.chat

    @property
    def message(self) -> MessageView | None:
        """The selected message."""
        return None if self.chat is None else self.main.conversation.selected

    def wanted_title(self) -> str:
        """The chat in view, and how much is unread."""
        status = None if self._main is None or not self._main.is_mounted else self._main.status_line.status
        unread = f"({status.unread}) " if status is not None and status.unread else ""
        return f"{unread}{self.chat.chat} - Ringtrue" if self.chat is not None else f"{unread}Ringtrue"

    def now(self) -> datetime:
        """The time, by the app's clock."""
        return datetime.fromtimestamp(self._clock(), UTC)

    def on_app_focus(self) -> None:
        """A person looks here again."""
        if self.is_open:
            self.main.look_again()

    def on_mount(self) -> None:
        """Draw first, then open the account."""
        self.entitle()
        self.set_interval(IDLE_TICK, self.lock_if_idle)
        self.call_after_refresh(self.open_account)

    async def on_unmount(self) -> None:
        """Let go of the account before the program ends."""
        if self._holding is not None:
            self._holding.cancel()
            with suppress(WorkerCancelled, WorkerFailed):
                await self._holding.wait()

    @on(OpeningScreen.Again)
    def open_account(self) -> None:
        """Open it and stay with it, in the background."""
        base = self.get_screen_stack(self.DEFAULT_MODE)[0]
        if isinstance(base, OpeningScreen):
            base.say("Opening your account")
        self._holding = self._open_account()

    @work(exclusive=True, group="account")
    async def _open_account(self) -> None:
        await asyncio.sleep(0)  # the worker is known to the app before it asks anything
        try:
            await self._hold()
        except (ClientError, OSError) as error:
            self._close(error)
        finally:
            self._api = self._main = None

    async def _hold(self) -> None:
        passphrase, fresh = None, not self._opening.exists()
        if fresh:
            passphrase = await self._enrolled()
        elif await asyncio.to_thread(self._opening.asks):
            passphrase = await self._asked_passphrase()
        while self.is_running:
            try:
                await self._with_account(passphrase, fresh)
                return
            except NotEnrolledError:  # an earlier attempt made a store, and ended before there was an account
                passphrase, fresh = await self._enrolled(), True
            except (PassphraseNeededError, WrongPassphraseError):
                passphrase = await self._asked_passphrase()

    async def _with_account(self, passphrase: str | None, fresh: bool) -> None:
        async with self._opening.open(passphrase) as api:
            from client.tui.main_screen import MainScreen

            self._api = IncognitoApi(api, lambda: self.incognito)
            self._main = MainScreen()
            self.push_screen(self._main)  # not awaited: its first question comes after the events are listened to
            if fresh:
                self._offer_first_chat()
            async with aclosing(api.events()) as told:
                async for each in told:
                    self._tell(each)

    async def _enrolled(self) -> str | None:
        return await self.push_screen_wait(self._opening.welcome())

    @work(group="command")
    async def _offer_first_chat(self) -> None:
        from client.tui.screens.first_chat import FirstChatScreen

        with self.telling_trouble():
            if len(await self.api.devices.all()) > 1:  # this one was linked: the number has its chats
                return
        chat = await self.push_screen_wait(FirstChatScreen())
        if chat is not None:
            await self.open_chat(chat)

    async def _asked_passphrase(self) -> str | None:
        from client.tui.screens.unlock import UnlockScreen

        passphrase = await self.push_screen_wait(UnlockScreen(self.home))
        if passphrase is None:
            self.exit()
            await asyncio.Event().wait()  # until the program has ended
        return passphrase

    def _tell(self, told: Told) -> None:
        _, *listening = self.get_screen_stack(self.DEFAULT_MODE)  # the first has nothing to show while others lie on it
        for screen in listening:
            screen.post_message(Heard(told))
        self.alert(told, self.main.in_view)
        if isinstance(told, TroubleTold):
            self._tell_trouble(told)
        elif isinstance(told, AskAnswered):
            who = "Somebody" if self.discreet else str(told.ask.name or told.ask.number)
            self.notify(f"{who} has agreed: you can write to them.", markup=False, timeout=12)

    def _tell_trouble(self, told: TroubleTold) -> None:
        """Say it once, not at every new attempt; what is unreachable stands in the status line as long as it is."""
        if told == self._troubled or told.code == "unreachable" or (told.group and self.discreet):
            return
        from client.failures import hint_inside

        self._troubled = told
        words = told.words[:1].upper() + told.words[1:]
        self.notify(f"{words}. {hint_inside(told.hint)}".strip(), severity="warning", timeout=12)

    def _close(self, error: ClientError | OSError) -> None:
        from client.tui.screens.phrases import trouble

        self.workers.cancel_group(self, "command")
        self.switch_mode(self.DEFAULT_MODE)
        base, *above = self.get_screen_stack(self.DEFAULT_MODE)
        for _ in above:
            self.pop_screen()
        assert isinstance(base, OpeningScreen)
        base.fail(trouble(error))

    # --- commands

    def action_command(self, command: str) -> None:
        """Carry out a command of the table."""
        self.run_command(BY_ID[command])

    @work(group="command")
    async def run_command(self, command: Command, argument: str = "") -> None:
        """Carry out a command; what goes wrong is told in one line."""
        if self.is_open or command.needs == "nothing":
            with self.telling_trouble():
                await command.act(self, argument)

    @work(exclusive=True, group="open-chat")
    async def show_chat(self, chat: ChatView) -> None:
        """Show a chat of the list."""
        with self.telling_trouble():
            await self.open_chat(chat)

    async def open_chat(self, chat: ChatView, row: int | None = None) -> None:
        """Show a chat, at its first unread row or at `row`."""
        await self.main.open_chat(chat, row)

    @contextmanager
    def doing(self, words: str) -> Iterator[None]:
        """Show in the status line what is being done, while it is."""
        self._doing.append(words)
        self._show_doing()
        try:
            yield
        finally:
            self._doing.remove(words)
            self._show_doing()

    @contextmanager
    def telling_trouble(self) -> Iterator[None]:
        """Tell what goes wrong in one line, with what to do."""
        from client.failures import EXPECTED
        from client.tui.screens.phrases import trouble

        try:
            yield
        except EXPECTED as error:
            self.notify(trouble(error), severity="error", timeout=12)

    def watch_incognito(self, hidden: bool) -> None:
        """Hide names and texts outside the conversation, or show them again."""
        if self._main is not None:
            self._main.hide_names(hidden)
        self.entitle()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing but leaving can be asked for before the account is open, and while it is locked."""
        if action == "command_palette" and not self.is_open:
            return False
        return super().check_action(action, parameters)

    async def run_action(
        self,
        action: "str | ActionParseResult",
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """As ever; what a key asks of a sheet that is not drawn yet is done once it is."""
        if isinstance(default_namespace, Screen) and not default_namespace.is_mounted:
            default_namespace.call_later(self.run_action, action, default_namespace, namespaces)
            return True
        return await super().run_action(action, default_namespace, namespaces)

    async def _shutdown(self) -> None:
        # A screen that is being mounted would look for parts that leave it. Private in Textual 8.2.8, which is pinned.
        mounting: list[asyncio.Task[bool]] = [asyncio.create_task(e._mounted_event.wait()) for e in self.screen_stack]
        if mounting:
            await asyncio.wait(mounting, timeout=MOUNT_PATIENCE)
        for worker in self.workers:
            if worker is not self._holding:  # it lets go of the account once no screen can ask anything of it
                worker.cancel()  # or it might end now, and look for parts, too
        await super()._shutdown()

    def action_help_quit(self) -> None:
        """Ctrl+C is for copying; say what ends the program, and end it if a person insists."""
        now = time.monotonic()
        if now - self._interrupted < TWICE:
            self.exit()
        self._interrupted = now
        self.notify("Ctrl+Q quits. Nothing is lost.")

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Nothing that steers a terminal passes."""
        return [*super().get_line_filters(), LAST_LINE]

    def _show_doing(self) -> None:
        if self._main is not None and self._main.is_mounted:
            self._main.status_line.doing = self._doing[-1] if self._doing else ""

    # --- failing; both are private in Textual 8.2.8, which is pinned

    def _handle_exception(self, error: Exception) -> None:
        cause = error.error if isinstance(error, WorkerFailed) else error
        self.crash_log = self.crash_log or write_log(self.home, cause, self.now())
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        self.panic(
            f"Ringtrue has failed and ended. Where it happened, without any message, is in {self.crash_log}\n"
            "Nothing that was sent or received is lost. Start it again."
        )
