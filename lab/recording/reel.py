"""Frames as one animated SVG: they stand side by side on a reel that CSS keyframes pull past a window.

Each row that looks the same is drawn once. Where nothing moves, or where a person asks for less motion, the reel stands
at one frame that says what it is about.
"""

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from lab.recording.frames import DARK, LIGHT, Frame, Row, Run

CELL_WIDTH, LINE_HEIGHT, FONT_SIZE = 8.4, 18, 14  # pixels
MARGIN, TITLE_HEIGHT = 14, 38
BACKGROUND, FOREGROUND, FRAME = f"#{DARK}", f"#{LIGHT}", "#2b2b2b"
LAST_STAYS = 4.0  # seconds, before it begins again
LIGHTS = ("#ff5f57", "#febc2e", "#28c840")


def draw(frames: Sequence[Frame], still: int, columns: int, title: str, told: str) -> str:
    """Draw the frames; `still` is the one that is seen where nothing moves, `told` what it shows in words."""
    rows = {row: f"r{place}" for place, row in enumerate(dict.fromkeys(row for frame in frames for row in frame.rows))}
    inner, height = round(columns * CELL_WIDTH), len(frames[0].rows) * LINE_HEIGHT
    size = f'width="{inner}" height="{height}" viewBox="0 0 {inner} {height}"'
    return "\n".join(
        [
            *_window(inner + 2 * MARGIN, height + TITLE_HEIGHT + 2 * MARGIN, title, told),
            f"<style>{_keyframes(frames, inner)}</style>",
            f"<defs>{''.join(_symbol(row, name) for row, name in rows.items())}</defs>",
            f'<svg x="{MARGIN}" y="{TITLE_HEIGHT + MARGIN}" {size}>',
            f'<g class="reel" fill="{FOREGROUND}" transform="translate({-still * inner})">',
            *(_frame(frame, place * inner, rows) for place, frame in enumerate(frames)),
            "</g></svg></svg>\n",
        ]
    )


def _window(width: int, height: int, title: str, told: str) -> Iterator[str]:
    """The window around the terminal, whose element stays open."""
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    yield f"<title>{escape(title)}</title><desc>{escape(told)}</desc>"
    yield f'<rect width="{width}" height="{height}" rx="9" fill="{BACKGROUND}" stroke="{FRAME}"/>'
    bar = f"M0 {TITLE_HEIGHT}V9a9 9 0 0 1 9-9h{width - 18}a9 9 0 0 1 9 9v{TITLE_HEIGHT - 9}z"
    yield f'<path d="{bar}" fill="{FRAME}"/>'
    for place, colour in enumerate(LIGHTS):
        yield f'<circle cx="{24 + 20 * place}" cy="19" r="6" fill="{colour}"/>'
    yield f'<text x="{width / 2}" y="24" text-anchor="middle" fill="{FOREGROUND}">{escape(title)}</text>'


def _keyframes(frames: Sequence[Frame], inner: int) -> str:
    start = frames[0].at
    length = frames[-1].at - start + LAST_STAYS
    stops = "".join(
        f"{100 * (frame.at - start) / length:.2f}%{{transform:translateX({-place * inner}px)}}"
        for place, frame in enumerate(frames)
    )
    return (
        f"@keyframes reel{{{stops}100%{{transform:translateX({-(len(frames) - 1) * inner}px)}}}}"
        f".reel{{animation:reel {length:.2f}s step-end infinite}}"
        "@media (prefers-reduced-motion:reduce){.reel{animation:none}}"
        f"text{{font-family:ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;font-size:{FONT_SIZE}px;"
        "white-space:pre}.b{font-weight:bold}"
    )


def _frame(frame: Frame, left: int, rows: dict[Row, str]) -> str:
    uses = "".join(
        f'<use href="#{rows[row]}" y="{place * LINE_HEIGHT}"/>' for place, row in enumerate(frame.rows) if row
    )
    return f'<g transform="translate({left})">{uses}</g>'


def _symbol(row: Row, name: str) -> str:
    return f'<g id="{name}">{"".join(_drawn(row))}</g>' if row else ""


def _drawn(row: Row) -> Iterator[str]:
    for run in row:
        if run.paper:
            x, width = run.column * CELL_WIDTH, len(run.text) * CELL_WIDTH
            yield f'<rect x="{x:.1f}" width="{width:.1f}" height="{LINE_HEIGHT}" fill="#{run.paper}"/>'
    yield f'<text y="{FONT_SIZE}">{"".join(_words(run) for run in row if run.text.strip())}</text>'


def _words(run: Run) -> str:
    text = run.text.strip()
    column = run.column + len(run.text) - len(run.text.lstrip())
    # Where a glyph may come from another font, textLength holds the columns together.
    length = (
        ""
        if text.isascii() or len(text) == 1
        else f' textLength="{len(text) * CELL_WIDTH:.1f}" lengthAdjust="spacingAndGlyphs"'
    )
    bold = ' class="b"' if run.bold else ""
    fill = f' fill="#{run.ink}"' if run.ink else ""
    return f'<tspan x="{column * CELL_WIDTH:.1f}"{length}{bold}{fill}>{escape(text)}</tspan>'
