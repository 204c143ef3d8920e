"""A screen as text: what stands in each row, and in which style; compared exactly, and drawn as SVG from that alone.

Three parts, with a line "----" between them: the rows, without the spaces at their ends; for each row how many cells
are in which style ("12a 116b"); and the styles as Rich writes them ("a bold #e0e0e0 on #121212").
"""

import io
import re
from collections.abc import Iterator
from pathlib import Path

from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style
from textual.app import App
from textual.strip import Strip

RULE = "----"
RANDOM = re.compile(r"(?:[0-9a-f]{4} ){7}[0-9a-f]{4}|(?<=ringtrue-)[0-9a-f]{8}")  # an authority's roots, a group's id
Run = tuple[str, str]  # a text and its style


def look_of(app: App[int]) -> str:
    """What the app shows now."""
    rows = [list(_runs(strip)) for strip in _strips(app)]
    names: dict[str, str] = {}
    for row in rows:
        for _, style in row:
            names.setdefault(style, _name(len(names)))
    texts = ["".join(text for text, _ in row).rstrip() for row in rows]
    texts = [RANDOM.sub(lambda found: re.sub("[0-9a-f]", "0", found[0]), text) for text in texts]
    styles = [" ".join(f"{cell_len(text)}{names[style]}" for text, style in row) for row in rows]
    table = [f"{name} {style}" for style, name in names.items()]
    return "\n".join([*texts, RULE, *styles, RULE, *table]) + "\n"


def as_svg(look: str, title: str) -> str:
    """The screen as a picture."""
    texts, styles, table = (part.split("\n") for part in look.removesuffix("\n").split(f"\n{RULE}\n"))
    meant = {name: Style.parse(style) for name, style in (line.split(" ", 1) for line in table)}
    width = max(sum(int(count) for count, _ in _counted(row)) for row in styles)
    console = Console(
        width=width,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        record=True,
        legacy_windows=False,
    )
    for text, row in zip(texts, styles, strict=True):
        segments, rest = [], text + " " * (width - cell_len(text))
        for count, name in _counted(row):
            piece = chop_cells(rest, int(count))[0]
            rest = rest[len(piece) :]
            segments.append(Segment(piece, meant[name]))
        console.print(Segments([*segments, Segment.line()]), end="", soft_wrap=True)
    return console.export_svg(title=title)


def compare(look: str, file: Path, *, update: bool) -> None:
    """Fail if the screen looks different from what is kept in `file`; with `update` keep it as it is now."""
    new = file.with_suffix(".new.svg")
    kept = file.read_text(encoding="utf-8") if file.exists() else None
    if kept == look:
        new.unlink(missing_ok=True)
        return
    if update:
        file.parent.mkdir(exist_ok=True)
        file.write_text(look, encoding="utf-8")
        return
    new.parent.mkdir(exist_ok=True)
    new.write_text(as_svg(look, file.stem), encoding="utf-8")
    new.with_suffix(".txt").write_text(look, encoding="utf-8")
    was = "is new" if kept is None else "does not look as it did"
    raise AssertionError(f"{file.stem} {was}; see {new}, and --update-snapshots keeps it")


def _strips(app: App[int]) -> list[Strip]:
    from textual._context import visible_screen_stack

    visible_screen_stack.set(app._background_screens)
    return app.screen._compositor.render_strips()


def _runs(strip: Strip) -> Iterator[Run]:
    """Neighbours in the same style as one run."""
    for segment in strip.discard_meta().simplify():
        if segment.text:
            yield segment.text, str(segment.style or Style())


def _counted(row: str) -> list[tuple[str, str]]:
    return re.findall(r"(\d+)([a-z]+)", row)


def _name(number: int) -> str:
    return (_name(number // 26 - 1) if number >= 26 else "") + chr(ord("a") + number % 26)
