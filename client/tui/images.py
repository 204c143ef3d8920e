"""Pictures in a terminal: half blocks everywhere, and the terminal's own protocol where it has one.

The octets are hostile: four formats, a limit to octets and pixels before anything is decoded, the first frame only.
`decode` takes its time and may run in a thread; `picture` makes the widget and belongs to the app's own thread.
"""

import io
import struct
import sys
import warnings
import zlib
from collections.abc import Iterator
from itertools import groupby

from PIL import Image, ImageOps
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style
from textual.widget import Widget
from textual.widgets import Static

from client.abilities import Graphics
from client.errors import ImageError

OCTETS_LIMIT = 20 << 20
PIXELS_LIMIT = 50_000_000
SIDE_LIMIT = 20_000  # pixels
KEPT_SIDE = 1600  # pixels of a decoded picture; more than a terminal shows
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")

_CELL = (10, 20)  # pixels of a cell, at most, that are sent to a terminal
_WHITE = (255, 255, 255, 255)
# What Pillow's decoders are known to raise for octets that are no picture, or no whole one.
_UNDECODABLE = (
    *(OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, AttributeError, OverflowError),
    *(MemoryError, struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning),
)
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)  # a bomb is refused, not written about


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


def decode(octets: bytes) -> Image.Image:
    """The first frame of a picture, upright, without transparency, at most `KEPT_SIDE` high and wide.

    Raises ImageError for what is no PNG, JPEG, GIF or WebP picture, is damaged, or is too large to be looked at.
    """
    if len(octets) > OCTETS_LIMIT:
        raise ImageError(f"the picture has more than {OCTETS_LIMIT >> 20} MiB", code="image-too-large")
    try:
        with Image.open(io.BytesIO(octets), formats=FORMATS) as opened:
            _refuse_too_large(opened)
            opened.draft("RGB", (KEPT_SIDE, KEPT_SIDE))  # lets JPEG decode a smaller one at once
            opened.load()
            return _flattened(opened)
    except _UNDECODABLE as error:
        raise ImageError("this is no PNG, JPEG, GIF or WebP picture, or it is damaged") from error


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


def _refuse_too_large(opened: Image.Image) -> None:
    width, height = opened.size
    if width * height > PIXELS_LIMIT or max(width, height) > SIDE_LIMIT:
        raise ImageError(f"the picture has {width} by {height} pixels, which is too many", code="image-too-large")


def _flattened(opened: Image.Image) -> Image.Image:
    upright = ImageOps.exif_transpose(opened)
    upright.thumbnail((KEPT_SIDE, KEPT_SIDE))
    ground = Image.new("RGBA", upright.size, _WHITE)
    return Image.alpha_composite(ground, upright.convert("RGBA")).convert("RGB")


def _contained(image: Image.Image, width: int, height: int) -> Image.Image:
    share = min(1.0, width / image.width, height / image.height)
    size = max(1, int(image.width * share)), max(1, int(image.height * share))
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)
