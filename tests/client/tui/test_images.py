"""Pictures: whatever the octets, a picture or an error in words; and what reaches a terminal is what it can show."""

import io
import os
import re
import struct
import sys
import zlib
from contextlib import suppress
from pathlib import Path

import pexpect
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console
from textual.app import App, ComposeResult

from client.errors import ImageError
from client.terminal.pictures import KEPT_SIDE, decode
from client.tui.images import HalfBlocks, picture

ROOT = Path(__file__).parents[3]
RED, BLUE = (255, 0, 0), (0, 0, 255)


def written(kind: str, size: tuple[int, int] = (8, 6), mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(file, kind, **options)
    return file.getvalue()


SHOWN = [written(kind) for kind in ("PNG", "JPEG", "GIF", "WEBP")]
# Every mode that the decoders have ways of their own for.
SHOWN += [written("PNG", mode=mode) for mode in ("1", "L", "P", "LA", "RGBA")] + [written("JPEG", mode="CMYK")]


def png_of(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file whose header claims a size, with these chunks after it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IEND", b"")]
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


@pytest.mark.parametrize("octets", SHOWN)
def test_the_usual_formats_are_decoded(octets: bytes) -> None:
    image = decode(octets)
    assert (image.mode, image.size) == ("RGB", (8, 6))


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "ICO", "PPM", "TGA", "PCX", "DDS", "PDF", "ICNS"])
def test_other_formats_are_refused(kind: str) -> None:
    with pytest.raises(ImageError, match="no PNG, JPEG, GIF or WebP"):
        decode(written(kind, (16, 16)))


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"", "damaged"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "damaged"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "damaged"),
        (SHOWN[0][:-30], "damaged"),
        (SHOWN[1][:200], "damaged"),
        (png_of(60_000, 60_000), "damaged|too many"),
        (png_of(10_000, 8_000), "10000 by 8000 pixels, which is too many"),
        (png_of(30_000, 1), "30000 by 1 pixels"),
        (png_of(4, 4, (b"iCCP", b"x\0\0" + zlib.compress(b"\0" * 50_000_000))), "damaged"),
        (png_of(4, 4, (b"zTXt", b"x\0\0" + zlib.compress(b"\0" * 100_000_000))), "damaged"),
        (b"\0" * ((20 << 20) + 1), "more than 20 MiB"),
    ],
)
def test_bombs_and_damaged_files_are_refused_in_words(octets: bytes, words: str) -> None:
    with pytest.raises(ImageError, match=words) as caught:
        decode(octets)
    assert caught.value.hint


@settings(max_examples=400)
@given(st.sampled_from(SHOWN), st.data())
def test_damage_anywhere_gives_a_picture_or_an_error_in_words(octets: bytes, data: st.DataObject) -> None:
    changed = bytearray(octets)
    for _ in range(data.draw(st.integers(1, 6))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(changed[: data.draw(st.integers(0, len(changed)))]) if data.draw(st.booleans()) else bytes(changed)
    with suppress(ImageError):
        assert decode(cut).mode == "RGB"


@given(st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff", b"RIFF\x10\0\0\0WEBPVP8 "]), st.binary())
def test_any_octets_give_a_picture_or_an_error_in_words(start: bytes, rest: bytes) -> None:
    with suppress(ImageError):
        assert decode(start + rest).mode == "RGB"


def test_of_many_frames_the_first_is_shown() -> None:
    file = io.BytesIO()
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, BLUE)] * 50
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    assert decode(file.getvalue()).getpixel((0, 0)) == RED


def test_a_picture_is_turned_as_its_camera_was() -> None:
    image = Image.new("RGB", (20, 10), RED)
    exif = image.getexif()
    exif[0x0112] = 6
    file = io.BytesIO()
    image.save(file, "JPEG", exif=exif)
    assert decode(file.getvalue()).size == (10, 20)


def test_a_large_picture_is_kept_small() -> None:
    assert max(decode(written("JPEG", (4000, 1000))).size) <= KEPT_SIDE


def test_what_is_transparent_is_white() -> None:
    file = io.BytesIO()
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(file, "PNG")
    assert decode(file.getvalue()).getpixel((0, 0)) == (255, 255, 255)


def cells(blocks: HalfBlocks) -> list[list[tuple[object, object]]]:
    console = Console(width=200, color_system="truecolor", force_terminal=True, _environ={})
    return [
        [
            (
                segment.style.color and tuple(segment.style.color.get_truecolor()),
                segment.style.bgcolor and tuple(segment.style.bgcolor.get_truecolor()),
            )
            for segment in line
            if segment.style is not None
            for _ in range(segment.text.count("▀"))
        ]
        for line in console.render_lines(blocks, pad=False)
    ]


def test_a_cell_shows_two_pixels() -> None:
    image = Image.new("RGB", (2, 3), RED)
    image.putpixel((1, 1), BLUE)
    blocks = HalfBlocks(image, 10, 10)
    assert blocks.size == (2, 2)
    assert cells(blocks) == [[(RED, RED), (RED, BLUE)], [(RED, None), (RED, None)]]


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 60), st.integers(1, 40))
def test_blocks_fit_and_keep_their_shape(width: int, height: int, wide: int, high: int) -> None:
    blocks = HalfBlocks(Image.new("RGB", (width, height)), wide, high)
    assert blocks.size[0] <= wide
    assert blocks.size[1] <= high
    assert [len(row) for row in cells(blocks)] == [blocks.size[0]] * blocks.size[1]


class Showing(App[None]):
    def compose(self) -> ComposeResult:
        yield picture(Image.new("RGB", (30, 30), RED), 10, 10, "kitty")


async def test_an_app_that_was_not_prepared_shows_blocks_and_asks_nothing() -> None:
    before = set(sys.modules)
    async with Showing().run_test() as pilot:
        (strip, *_) = pilot.app.screen.children[0].render_lines(pilot.app.screen.children[0].size.region)
        assert strip.text.startswith("▀" * 10)
    assert not any(name.startswith("textual_image") for name in set(sys.modules) - before)


def shown(**answers: bytes) -> bytes:
    """What an app writes to a terminal that answers the questions about attributes, pictures and cells thus."""
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT)}
    for name in ("NO_COLOR", "TMUX", "STY", "TERM_PROGRAM", "LC_TERMINAL"):
        environment.pop(name, None)
    questions = [rb"\x1b\[c", rb"\x1b_Gi=(\d+)[^\x1b]*a=q[^\x1b]*\x1b\\", rb"\x1b\[16t", b"READY"]
    app = pexpect.spawn(
        sys.executable,
        ["-m", "tests.client.tui.picture_app"],
        cwd=str(ROOT),
        dimensions=(24, 80),
        env=environment,  # type: ignore[arg-type]
        timeout=60,
    )
    app.delaybeforesend = None
    written = b""
    try:
        while (asked := app.expect(questions)) != 3:
            written += app.before or b""
            if asked == 0:
                app.send(answers["attributes"])
            elif asked == 1 and "graphics" in answers:
                assert app.match is not None
                app.send(b"\x1b_Gi=" + app.match.group(1) + answers["graphics"])
            elif asked == 2:
                app.send(b"\x1b[6;20;10t")
        return written + (app.before or b"")
    finally:
        app.close(force=True)


def test_a_terminal_with_the_kitty_protocol_gets_the_picture_itself() -> None:
    written = shown(attributes=b"\x1b[?62;c", graphics=b";OK\x1b\\")
    assert re.search(rb"\x1b_Gi=\d+,m=0,f=100", written)
    assert "\U0010eeee".encode() in written


def test_a_terminal_with_sixels_gets_sixels() -> None:
    assert b"\x1bP" in shown(attributes=b"\x1b[?62;4c")


def test_any_other_terminal_gets_blocks() -> None:
    written = shown(attributes=b"\x1b[?1;2c")
    assert "▀▀▀▀▀▀▀▀".encode() in written
    assert b"\x1b_G" not in written
    assert b"\x1bP" not in written
