"""The lock: while it is on, another stack of screens is shown, and nothing can be seen or reached behind it.

Textual's modes are such stacks. What a worker opens or closes meanwhile happens in the hidden stack.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual import events
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.notifications import SeverityLevel
from textual.screen import Screen

from client.config import Config
from client.terminal.abilities import look_at_terminal
from client.tui.opening import opens, takes_passphrase
from client.tui.opening_screen import OpeningScreen

IDLE_TICK = 5  # seconds between looks at how long nobody has done anything
OPEN, LOCKED = "open", "locked"


class Lockable(App[int]):
    """An app that can be locked: on demand, or when nobody has touched it for `config.lock_after_minutes`."""

    MODES = {OPEN: OpeningScreen, LOCKED: Screen}  # noqa: RUF012 - Textual's
    DEFAULT_MODE = OPEN

    def __init__(self, home: Path, config: Config, clock: Callable[[], float] = time.time) -> None:
        super().__init__(ansi_color=True if look_at_terminal().no_color else None)  # else Textual draws black on black
        self.home = home
        self.config = config
        self._clock = clock
        self._touched = clock()
        self._opened_by_passphrase = False
        self._left_open = 0
        self._said_meanwhile: list[tuple[str, str, SeverityLevel, float | None]] = []

    @property
    def locked(self) -> bool:
        """Whether the lock is on."""
        return self.current_mode == LOCKED

    def lock(self) -> None:
        """Hide everything until the passphrase is given."""
        if self.locked:
            return
        from client.tui.screens.lock import LockScreen

        self.clear_notifications()
        self._opened_by_passphrase = False
        self.switch_mode(LOCKED)
        super().push_screen(LockScreen(self._opens, asks=takes_passphrase(self.home)), self._unlocked, mode=LOCKED)
        self.entitle()

    def lock_if_idle(self) -> None:
        """Lock if nobody has touched a key or the mouse for as long as the settings say."""
        limit = self.config.lock_after_minutes * 60
        if limit and not self.locked and self._clock() - self._touched >= limit:
            self.lock()

    def entitle(self) -> None:
        """Write the terminal's title as it should be now."""

    async def on_event(self, event: events.Event) -> None:
        """Note that somebody is there."""
        if isinstance(event, events.InputEvent):
            self._touched = self._clock()
        await super().on_event(event)

    def push_screen(self, screen: Any, *args: Any, mode: str | None = None, **kwargs: Any) -> Any:
        """As ever; while the lock is on, into the hidden stack."""
        hidden = self.DEFAULT_MODE if self.locked and mode is None else mode
        return super().push_screen(screen, *args, mode=hidden, **kwargs)

    def pop_screen(self) -> AwaitComplete:
        """As ever; while the lock is on, a screen that wants to close does so afterwards."""
        if self.locked and not self._opened_by_passphrase:
            self._left_open += 1
            return AwaitComplete()
        return super().pop_screen()

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Say something in a corner, never as markup; while the lock is on, afterwards."""
        if self.locked:
            self._said_meanwhile.append((message, title, severity, timeout))
        else:
            super().notify(message, title=title, severity=severity, timeout=timeout, markup=False)

    async def _opens(self, passphrase: str) -> bool:
        self._opened_by_passphrase = await opens(self.home, passphrase)
        return self._opened_by_passphrase

    async def _unlocked(self, _: object) -> None:
        await self.switch_mode(self.DEFAULT_MODE)
        for _ in range(self._left_open):
            await self.pop_screen()
        said, self._said_meanwhile, self._left_open = self._said_meanwhile, [], 0
        for message, title, severity, timeout in said:
            self.notify(message, title=title, severity=severity, timeout=timeout)
        self.entitle()
