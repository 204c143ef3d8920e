"""What leaves the app: the terminal's title, the clipboard and notifications; discreet where it must be."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from textual import work
from textual.reactive import var

from client.config import Config
from client.desk.incognito import refuse
from client.desk.told import Told
from client.formats.text import safe_title
from client.tui.locking import Lockable

if TYPE_CHECKING:
    from client.tui.alerts import Alerts

NEUTRAL_TITLE = "Ringtrue"
KEEP_TITLE = "\x1b[22;2t"  # xterm puts the title before on a stack
RESTORE_TITLE = f"\x1b]2;{NEUTRAL_TITLE}\x07\x1b[23;2t"


class Outward(Lockable):
    """An app that tells the terminal around it as little as was asked for. `terminal_title`: what it has now."""

    incognito: var[bool] = var(False, init=False)

    def __init__(self, home: Path, config: Config, clock: Callable[[], float] = time.time) -> None:
        super().__init__(home, config, clock)
        self.terminal_title = ""
        self._alerts: Alerts | None = None
        self._alert_due = False
        self._alerted = clock()

    @property
    def discreet(self) -> bool:
        """Whether no name and no text may be seen outside a conversation."""
        return self.locked or self.incognito

    def wanted_title(self) -> str:
        """The title if nothing forbids it."""
        return NEUTRAL_TITLE

    def entitle(self) -> None:
        """Write the terminal's title as it should be now."""
        title = NEUTRAL_TITLE if self.discreet else safe_title(self.wanted_title())
        if title != self.terminal_title:
            self._to_terminal(f"\x1b]2;{title}\x07" if self.terminal_title else f"{KEEP_TITLE}\x1b]2;{title}\x07")
            self.terminal_title = title

    def refuse_in_incognito(self, what: str) -> None:
        """Raises IncognitoError while nothing may leave the conversation."""
        refuse(what, self.incognito)

    def copy_to_clipboard(self, text: str) -> None:
        """Copy through the terminal and this machine's tools, as the settings say; not in incognito."""
        if self.incognito:
            self.notify("Nothing was copied: copying is refused in incognito.", severity="warning")
        else:
            self._copy(text)

    def alert(self, told: Told, in_view: str | None) -> None:
        """Tell of an event soon, together with what else comes until then."""
        from client.terminal.notifications import INTERVAL
        from client.tui.alerts import Alerts

        self._alerts = self._alerts or Alerts()
        if self._alerts.take(told, in_view if self.app_focus and not self.locked else None) and not self._alert_due:
            self._alert_due = True
            self.set_timer(max(0.1, INTERVAL - (self._clock() - self._alerted)), self._tell_alerts)

    async def _tell_alerts(self) -> None:
        from client.terminal.notifications import notify_desktop, sequences

        assert self._alerts is not None, "something was taken in"
        self._alert_due = False
        self._alerted = self._clock()
        notice = self._alerts.told("none" if self.discreet else self.config.notifications)
        if notice is not None:
            self._to_terminal(sequences(notice, bell=self.config.bell, environment=os.environ))
            await notify_desktop(notice)

    @work(group="copy")
    async def _copy(self, text: str) -> None:
        from client.terminal.clipboard import copy

        self.notify((await copy(text, self._to_terminal, way=self.config.clipboard)).words)

    def _to_terminal(self, sequence: str) -> None:
        if self._driver is not None and sequence:
            self._driver.write(sequence)
