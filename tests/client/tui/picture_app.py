"""An app that shows a picture as the terminal can, for a test that plays the terminal; run with -m."""

import os
import sys

from PIL import Image
from textual.app import App, ComposeResult
from textual.widgets import Static

from client.terminal.abilities import Graphics, ask_graphics
from client.tui.images import picture, prepare_native


class PictureApp(App[None]):
    def __init__(self, native: Graphics) -> None:
        super().__init__()
        self.native = native

    def compose(self) -> ComposeResult:
        yield picture(Image.new("RGB", (40, 40), (200, 30, 40)), 8, 4, self.native)
        yield Static("", id="state", markup=False)

    def on_mount(self) -> None:
        self.call_after_refresh(self.set_timer, 0.3, lambda: self.query_one("#state", Static).update("READY"))


if __name__ == "__main__":
    found = ask_graphics(os.environ, sys.__stdin__.fileno() if sys.__stdin__ else 0, timeout=5)
    prepare_native(found)
    PictureApp(found).run()
