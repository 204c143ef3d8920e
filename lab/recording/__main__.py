"""`python -m lab.recording [FOLDER]`: shows the demo in a terminal of its own and keeps what was seen."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from lab.recording.cast import cast_lines
from lab.recording.frames import Frame, frames
from lab.recording.reel import draw
from lab.recording.terminal import Written, run_in_terminal

COLUMNS, ROWS = 96, 27
PLAYED = ("forged-number", "replay", "bribed-service", "spam-wave")
TITLE = "make demo"
TOLD = (
    "A terminal in two halves. An attacker speaks as another number: each client checks the proof, check 6 fails, and "
    "the message is held back. Then a spammer with a genuine number reaches everybody without a defence, and only the "
    "first three once one of them has reported it."
)
STILL = "stopped by check 6"  # what can be read in the frame that stands for all
_MAIN = "from ringtrue import main; main()"


def command() -> list[str]:
    """What is recorded."""
    return [sys.executable, "-c", _MAIN, "demo", "--theme=dark", *(f"--attack={name}" for name in PLAYED)]


def environment() -> dict[str, str]:
    """Nothing of this machine that could be seen."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH", "TMPDIR") if name in os.environ}
    return {**kept, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", "TZ": "UTC"}


def still_of(seen: Sequence[Frame]) -> int:
    """The place of the frame that is shown where nothing moves."""
    return next((place for place, frame in enumerate(seen) if STILL in frame.text), 0)


def write(written: Sequence[Written], folder: Path) -> None:
    """Keep it as an animated SVG and as an asciicast."""
    seen = list(frames(written, COLUMNS, ROWS))
    (folder / "demo.svg").write_text(draw(seen, still_of(seen), COLUMNS, TITLE, TOLD), encoding="utf-8")
    lines = cast_lines(seen, COLUMNS, TITLE)
    (folder / "demo.cast").write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path("docs"))
def main(folder: Path) -> None:
    """Record the demo into FOLDER/demo.svg and FOLDER/demo.cast."""
    written, code = asyncio.run(run_in_terminal(command(), COLUMNS, ROWS, environment()))
    if code:
        raise click.ClickException("the demo failed; the recording is left as it was")
    write(written, folder)
    click.echo(f"{folder / 'demo.svg'} and {folder / 'demo.cast'} written")


if __name__ == "__main__":
    main()
