"""Pictures in a terminal: half blocks everywhere, and the terminal's own protocol where it has one.

What is drawn comes from client.terminal.pictures.decode. `picture` makes a widget and belongs to the app's own thread.
"""

import sys
from collections.abc import Iterator
from itertools import groupby

from PIL import Image
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style
from textual.widget import Widget
from textual.widgets import Static

from client.terminal.abilities import Graphics

_CELL = (10, 20)  # pixels of a cell, at most, that are sent to a terminal


class HalfBlocks:
    """A picture as characters with two colours each: one cell wide and two pixels high. Rich can render it."""

    def __init__(self, image: Image.Image, cells_wide: int, cells_high: int) -> None:
        self._image = _contained(image, cells_wide, cells_high * 2)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in cells."""
        return self._image.width, (self._image.height + 1) // 2

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for row in range(self.size[1]):
            yield from self._cells(row)
            yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(self.size[0], self.size[0])

    def _cells(self, row: int) -> Iterator[Segment]:
        pairs = ((self._pixel(x, row * 2), self._pixel(x, row * 2 + 1)) for x in range(self._image.width))
        for (above, below), same in groupby(pairs):
            yield Segment("▀" * len(list(same)), Style(color=above, bgcolor=below))

    def _pixel(self, x: int, y: int) -> Color | None:
        if y >= self._image.height:
            return None
        pixel = self._image.getpixel((x, y))
        assert isinstance(pixel, tuple)
        return Color.from_rgb(*pixel)


def picture(image: Image.Image, cells_wide: int, cells_high: int, native: Graphics = "none") -> Widget:
    """A widget of at most that many cells; `native` is how the terminal shows pictures, once `prepare_native` ran."""
    # A module of textual-image that is not loaded yet would ask the terminal, whose answers the running app reads.
    if native in ("kitty", "sixel") and "textual_image.widget" in sys.modules:
        return _native(image, cells_wide, cells_high, native)
    return Static(HalfBlocks(image, cells_wide, cells_high))


def prepare_native(native: Graphics) -> None:
    """Load what shows pictures natively; to be called before an app runs, because it asks the terminal."""
    if native in ("kitty", "sixel"):
        import textual_image.widget  # noqa: F401


def _native(image: Image.Image, cells_wide: int, cells_high: int, native: Graphics) -> Widget:
    from textual_image.widget import SixelImage, TGPImage

    small = _contained(image, cells_wide * _CELL[0], cells_high * _CELL[1])
    widget = (TGPImage if native == "kitty" else SixelImage)(small)
    widget.styles.width = min(cells_wide, -(-small.width // _CELL[0]))
    widget.styles.height = min(cells_high, -(-small.height // _CELL[1]))
    return widget


def _contained(image: Image.Image, width: int, height: int) -> Image.Image:
    share = min(1.0, width / image.width, height / image.height)
    size = max(1, int(image.width * share)), max(1, int(image.height * share))
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)
