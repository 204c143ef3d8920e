"""A recording: what a program drew in a terminal of its own, as an animated SVG and as an asciicast."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pyte

from lab.recording.__main__ import COLUMNS, PLAYED, ROWS, command, environment, still_of, write
from lab.recording.cast import cast_lines
from lab.recording.frames import INTERVAL, Frame, frames
from lab.recording.reel import draw
from lab.recording.terminal import Written, run_in_terminal
from lab.wave import WAVE

SVG = "{http://www.w3.org/2000/svg}"
SCREENS = (
    b"\x1b[2J\x1b[1;1H\x1b[38;2;86;180;233;1mone\x1b[0m <&> \xe2\x9c\x93",
    b"\x1b[2;1H\x1b[7mtwo\x1b[0m stopped by check 6",
    b"\x1b[1;1H\x1b[2Kthree",
)


def drawn(*screens: bytes) -> list[Frame]:
    return list(frames([Written(place * 1.0, octets) for place, octets in enumerate(screens)], 30, 3))


def texts(document: ElementTree.Element) -> list[str]:
    return ["".join(element.itertext()) for element in document.iter(f"{SVG}tspan")]


def test_frames_are_what_was_seen() -> None:
    seen = drawn(*SCREENS)
    assert [frame.at for frame in seen] == [0.0, 1.0, 2.0]
    assert seen[0].text.split("\n")[0].startswith("one")
    assert [run.text.strip() for run in seen[2].rows[0]] == ["three"]
    assert seen[0].rows[0][0].ink == "56b4e9"
    assert (seen[1].rows[1][0].ink, seen[1].rows[1][0].paper) == ("121212", "e6e6e6")


def test_what_comes_close_together_is_one_frame() -> None:
    close = [Written(place * INTERVAL / 10, octets) for place, octets in enumerate(SCREENS)]
    assert len(list(frames(close, 30, 3))) == 1


def test_the_screen_that_is_given_back_is_no_frame() -> None:
    assert [frame.text for frame in drawn(SCREENS[0], b"\x1b[?1049l\x1b[2Jand after")] == [drawn(SCREENS[0])[0].text]


def test_the_picture_is_well_formed_and_stands_at_the_frame_that_says_it() -> None:
    seen = drawn(*SCREENS)
    picture = draw(seen, still_of(seen), 30, "a <title>", "told")
    document = ElementTree.fromstring(picture)
    reel = next(element for element in document.iter(f"{SVG}g") if element.get("class") == "reel")
    width = int(next(document.iter(f"{SVG}svg")).get("width", "0")) - 28
    assert reel.get("transform") == f"translate({-width})"
    assert len(reel) == len(seen)
    assert "one" in texts(document)
    assert any("<&>" in text for text in texts(document))
    assert "prefers-reduced-motion" in picture
    assert "a <title>" in [element.text for element in document.iter(f"{SVG}title")]


def played(lines: Sequence[str]) -> list[str]:
    screen = pyte.Screen(30, 3)
    stream = pyte.Stream(screen)
    for line in lines:
        stream.feed(json.loads(line)[2])
    return [row.rstrip() for row in screen.display]


def test_the_cast_draws_the_same_screens() -> None:
    seen = drawn(*SCREENS)
    head, *events = cast_lines(seen, 30, "title")
    assert json.loads(head) == {"version": 2, "width": 30, "height": 3, "title": "title"}
    assert [json.loads(line)[:2] for line in events] == [[0.0, "o"], [1.0, "o"], [2.0, "o"]]
    assert played(events) == ["three", "two stopped by check 6", ""]
    assert played(events[:1]) == ["one <&> ✓", "", ""]


async def test_a_program_has_a_terminal_of_that_size_and_its_exit_code_is_told() -> None:
    program = "import os, sys; print(os.get_terminal_size(), os.isatty(0)); sys.exit(3)"
    written, code = await run_in_terminal([sys.executable, "-c", program], 91, 17, dict(os.environ))
    told = b"".join(each.octets for each in written)
    assert b"columns=91, lines=17" in told
    assert b"True" in told
    assert code == 3


async def test_the_demo_is_recorded_small(tmp_path: Path) -> None:
    assert set(PLAYED) - {WAVE}
    written, code = await run_in_terminal([*command(), "--pause=0"], COLUMNS, ROWS, environment())
    assert code == 0, b"".join(each.octets for each in written)[-2000:]
    write(written, tmp_path)
    assert (tmp_path / "demo.svg").stat().st_size < 400_000
    ElementTree.fromstring((tmp_path / "demo.svg").read_text("utf-8"))
    assert str(tmp_path) not in (tmp_path / "demo.cast").read_text()
