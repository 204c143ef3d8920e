"""Pictures from others: four formats, limits to octets and pixels before anything is decoded, the first frame only.

The octets are hostile. `decode` takes its time and may run in a thread.
"""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image, ImageOps

from client.errors import ImageError

OCTETS_LIMIT = 20 << 20
PIXELS_LIMIT = 50_000_000
SIDE_LIMIT = 20_000  # pixels
KEPT_SIDE = 1600  # pixels of a decoded picture; more than a terminal shows
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")

_WHITE = (255, 255, 255, 255)
# What Pillow's decoders are known to raise for octets that are no picture, or no whole one.
_UNDECODABLE = (
    *(OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, AttributeError, OverflowError),
    *(MemoryError, struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning),
)
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)  # a bomb is refused, not written about


@dataclass(frozen=True, slots=True)
class Measured:
    """What the head of a picture says: its `form` is one of FORMATS; width and height in pixels."""

    form: str
    width: int
    height: int


def measure(octets: bytes) -> Measured:
    """Look at the head of a picture only. Raises ImageError as `decode` does, but not for what is damaged later."""
    with _opened(octets) as opened:
        return Measured(str(opened.format), *opened.size)


def decode(octets: bytes) -> Image.Image:
    """The first frame of a picture, upright, without transparency, at most `KEPT_SIDE` high and wide.

    Raises ImageError for what is no PNG, JPEG, GIF or WebP picture, is damaged, or is too large to be looked at.
    """
    with _opened(octets) as opened:
        opened.draft("RGB", (KEPT_SIDE, KEPT_SIDE))  # lets JPEG decode a smaller one at once
        opened.load()
        return _flattened(opened)


@contextmanager
def _opened(octets: bytes) -> Iterator[Image.Image]:
    if len(octets) > OCTETS_LIMIT:
        raise ImageError(f"the picture has more than {OCTETS_LIMIT >> 20} MiB", code="image-too-large")
    try:
        with Image.open(io.BytesIO(octets), formats=FORMATS) as opened:
            _refuse_too_large(opened)
            yield opened
    except _UNDECODABLE as error:
        raise ImageError("this is no PNG, JPEG, GIF or WebP picture, or it is damaged") from error


def _refuse_too_large(opened: Image.Image) -> None:
    width, height = opened.size
    if width * height > PIXELS_LIMIT or max(width, height) > SIDE_LIMIT:
        raise ImageError(f"the picture has {width} by {height} pixels, which is too many", code="image-too-large")


def _flattened(opened: Image.Image) -> Image.Image:
    upright = ImageOps.exif_transpose(opened)
    upright.thumbnail((KEPT_SIDE, KEPT_SIDE))
    ground = Image.new("RGBA", upright.size, _WHITE)
    return Image.alpha_composite(ground, upright.convert("RGBA")).convert("RGB")
