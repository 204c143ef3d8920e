"""`python -m lab.picture [FILE]`: runs the demo and draws what it printed as an SVG terminal."""

import asyncio
import io
import re
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import click

from lab.demo import Programme, run_demo
from lab.narration import Narration
from lab.paint import Ink, Paint

COLUMNS = 88
CELL_WIDTH, LINE_HEIGHT, FONT_SIZE = 8.4, 19, 14  # pixels
MARGIN, TITLE_HEIGHT = 18, 38
BACKGROUND, FOREGROUND, FRAME = "#121212", "#d8d8d8", "#2b2b2b"
STYLES = {
    "": f'fill="{FOREGROUND}"',
    Ink.HEADING: 'fill="#ffffff" font-weight="bold"',
    Ink.FAINT: 'fill="#8a8a8a"',
    Ink.GOOD: 'fill="#56b4e9" font-weight="bold"',
    Ink.WARNING: 'fill="#e69f00" font-weight="bold"',
    Ink.BAD: 'fill="#ff7a33" font-weight="bold"',
}
ATTACKS_SHOWN = 2
_PLACE = re.compile(r" +(\d+) ")
_SGR = re.compile(r"\x1b\[([0-9;]*)m")


def draw(printed: str, title: str) -> str:
    """Draw a terminal's output, with the inks of `Ink`, as one SVG document."""
    lines = printed.rstrip("\n").split("\n")
    width = round(COLUMNS * CELL_WIDTH + 2 * MARGIN)
    height = TITLE_HEIGHT + len(lines) * LINE_HEIGHT + 2 * MARGIN
    lights = "".join(
        f'<circle cx="{24 + 20 * place}" cy="19" r="6" fill="{colour}"/>'
        for place, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    texts = "\n".join(_text(line, number) for number, line in enumerate(lines) if line)
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">
<title>{escape(title)}</title>
<rect width="{width}" height="{height}" rx="9" fill="{BACKGROUND}" stroke="{FRAME}"/>
<path d="M0 {TITLE_HEIGHT}V9a9 9 0 0 1 9-9h{width - 18}a9 9 0 0 1 9 9v{TITLE_HEIGHT - 9}z" fill="{FRAME}"/>
{lights}
<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="{FONT_SIZE}">
<text x="{width / 2}" y="24" text-anchor="middle" fill="#a8a8a8">{escape(title)}</text>
{texts}
</g>
</svg>
"""


def _text(line: str, number: int) -> str:
    y = TITLE_HEIGHT + MARGIN + LINE_HEIGHT * number + FONT_SIZE
    return "".join(
        # textLength holds the columns together where a glyph comes from another font.
        f'<text x="{MARGIN + column * CELL_WIDTH:.1f}" y="{y}" textLength="{len(run) * CELL_WIDTH:.1f}" '
        f'lengthAdjust="spacingAndGlyphs" {STYLES[ink]} xml:space="preserve">{escape(run)}</text>'
        for column, ink, run in _runs(line)
        if run.strip()
    )


def _runs(line: str) -> Iterator[tuple[int, str, str]]:
    """Split a line into (column, ink, text)."""
    column, ink = 0, ""
    for place, part in enumerate(_SGR.split(line)):
        if place % 2:
            ink = "" if part == "0" else part
        elif part:
            yield column, ink, part
            column += len(part)


def demo_output() -> str:
    """Run the whole demo and return what a terminal with colours would have shown. Raises SystemExit if it failed."""
    screen = io.StringIO()
    succeeded = asyncio.run(run_demo(Narration(screen, Paint(colour=True), COLUMNS), Programme()))
    if not succeeded:
        raise SystemExit("the demo failed; the picture is left as it was")
    return screen.getvalue()


def abridged(printed: str, attacks: int = ATTACKS_SHOWN) -> str:
    """Keep what leads to the first few attacks, and the closing line: what fits on a page's first screen."""
    blocks = printed.split("\n\n")
    left_out = [block for block in blocks if (place := _PLACE.match(block)) and int(place[1]) > attacks]
    if not left_out:
        return printed
    ellipsis = Paint(colour=True)(Ink.FAINT, f"      and {len(left_out)} more")
    return "\n\n".join([*blocks[: blocks.index(left_out[0])], ellipsis, blocks[-1]])


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default=Path("docs/demo.svg"))
def main(file: Path) -> None:
    """Draw the demo's real output into FILE."""
    file.write_text(draw(abridged(demo_output()), "make demo"), encoding="utf-8")
    click.echo(f"{file} drawn")


if __name__ == "__main__":
    main()
