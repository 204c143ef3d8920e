"""QR codes, looked at as a camera does: painted from the styled characters that a terminal would get."""

import io
import shutil
import subprocess
from pathlib import Path

import pytest
import segno
from PIL import Image
from rich.console import Console
from rich.segment import Segment
from rich.text import Text

from client.invite import invite_uri
from client.tui.qr import qr_png, qr_text
from identity.number import TelephoneNumber

URI = invite_uri(TelephoneNumber("12025550101"))
CONTENTS = [URI, URI.upper(), "ringtrue:+" + "9" * 15, "https://example.org/" + "a" * 60]
INKED = {" ": (False, False), "▀": (True, False), "▄": (False, True), "█": (True, True)}
FORMS = pytest.mark.parametrize("full_blocks", [False, True], ids=["half", "full"])


def cell(segment: Segment, character: str) -> tuple[int, int]:
    """The two pixels of a character, in a terminal of the opposite colours: 0 is black, 255 white."""
    style = segment.style
    assert style is not None
    assert style.bgcolor is not None
    ground = style.bgcolor.get_truecolor().red
    ink = None if style.color is None else style.color.get_truecolor().red
    top, bottom = (ink if inked else ground for inked in INKED[character])
    assert top is not None
    assert bottom is not None
    return top, bottom


def painted(text: Text) -> list[list[int]]:
    """The rows of pixels: a character is one wide and two high."""
    console = Console(width=400, color_system="truecolor", force_terminal=True, legacy_windows=False, _environ={})
    rows: list[list[int]] = []
    for line in console.render_lines(text, pad=False):
        cells = [cell(segment, character) for segment in line for character in segment.text]
        rows += [[top for top, _ in cells], [bottom for _, bottom in cells]]
    return rows


def read_by_camera(picture: Image.Image, folder: Path) -> str:
    reader = shutil.which("zbarimg")
    if reader is None:
        pytest.skip("zbarimg (zbar-tools) is not installed")
    picture.save(folder / "code.png")
    done = subprocess.run([reader, "--raw", "-q", str(folder / "code.png")], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def picture_of(rows: list[list[int]], scale: int = 6) -> Image.Image:
    small = Image.new("L", (len(rows[0]), len(rows)))
    small.putdata([pixel for row in rows for pixel in row])
    return small.resize((small.width * scale, small.height * scale), Image.Resampling.NEAREST)


@pytest.mark.parametrize("content", CONTENTS)
def test_half_blocks_paint_every_module_and_a_quiet_zone_of_two(content: str) -> None:
    modules = [list(row) for row in segno.make(content, micro=False, error="l").matrix_iter(border=2)]
    rows = painted(qr_text(content))
    assert [[pixel == 0 for pixel in row] for row in rows[: len(modules)]] == [
        [bool(m) for m in row] for row in modules
    ]
    assert all(pixel == 255 for row in rows[len(modules) :] for pixel in row)


@pytest.mark.parametrize("content", CONTENTS)
def test_full_blocks_paint_every_module_without_block_characters(content: str) -> None:
    modules = [list(row) for row in segno.make(content, micro=False, error="l").matrix_iter(border=2)]
    text = qr_text(content, full_blocks=True)
    assert set(text.plain) == {" ", "\n"}
    rows = painted(text)
    assert [[pixel == 0 for pixel in row[::2]] for row in rows[::2]] == [[bool(m) for m in row] for row in modules]
    assert rows[::2] == rows[1::2]


@FORMS
@pytest.mark.parametrize("content", CONTENTS)
def test_a_camera_reads_the_terminal(content: str, full_blocks: bool, tmp_path: Path) -> None:
    assert read_by_camera(picture_of(painted(qr_text(content, full_blocks=full_blocks))), tmp_path) == content


def test_an_address_fits_a_small_window() -> None:
    lines = qr_text(URI.upper()).plain.split("\n")
    assert (len(lines[0]), len(lines)) == (25, 13)


@pytest.mark.parametrize("content", CONTENTS)
def test_the_file_is_a_black_and_white_picture_of_the_same_code(content: str) -> None:
    with Image.open(io.BytesIO(qr_png(content))) as opened:
        picture = opened.convert("L")
    modules = [list(row) for row in segno.make(content, micro=False, error="l").matrix_iter(border=4)]
    assert picture.size == (len(modules) * 8,) * 2
    for y, row in enumerate(modules):
        assert [picture.getpixel((x * 8 + 4, y * 8 + 4)) == 0 for x in range(len(row))] == [bool(m) for m in row]


@pytest.mark.parametrize("content", CONTENTS)
def test_a_camera_reads_the_file(content: str, tmp_path: Path) -> None:
    with Image.open(io.BytesIO(qr_png(content))) as picture:
        assert read_by_camera(picture, tmp_path) == content
