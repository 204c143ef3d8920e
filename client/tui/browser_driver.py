"""Textual's web driver, for a client that `ringtrue serve` shows in a browser."""

import os
from contextlib import suppress
from functools import partial
from typing import Any

from textual import messages
from textual.app import App
from textual.drivers.web_driver import WebDriver


class BrowserDriver(WebDriver):
    """Ends the client when the server has ended: otherwise it would keep the account to itself, seen by nobody."""

    def __init__(self, app: App[Any], **settings: Any) -> None:
        super().__init__(app, **settings)
        self._write = partial(_write_if_read, self.fileno)

    def run_input_thread(self) -> None:
        """Take input until there is no more."""
        super().run_input_thread()
        if not self.exit_event.is_set():
            self._app.post_message(messages.ExitApp())


def _write_if_read(descriptor: int, octets: bytes) -> int:
    with suppress(BrokenPipeError):
        return os.write(descriptor, octets)
    return 0
