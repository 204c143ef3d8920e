"""The colours: readable in every pair that widgets use, without colours too, and chosen by what a terminal can show."""

import typing
from dataclasses import replace

import pytest
from rich.style import Style
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, MONOKAI
from textual.app import App, ComposeResult
from textual.color import Color
from textual.containers import Vertical
from textual.widgets import Button, Input, OptionList, Static

from client.config import Config, ThemeName
from client.terminal.abilities import TRUE_COLOUR, abilities_from
from client.tui.themes import THEMES, for_terminal, use_themes

FIXED = [name for name, theme in THEMES.items() if not theme.ansi]
GROUNDS = ["background", "surface", "panel"]
TEXTS = [
    "foreground",
    "text",
    "text-muted",
    "text-disabled",
    "foreground-muted",
    "text-primary",
    "text-secondary",
    "text-success",
    "text-warning",
    "text-error",
    "text-accent",
    "primary",
    "secondary",
    "success",
    "warning",
    "error",
    "accent",
    "footer-foreground",
    "footer-key-foreground",
    "footer-description-foreground",
]
PAIRS = [(text, ground) for text in TEXTS for ground in GROUNDS] + [
    ("block-cursor-foreground", "block-cursor-background"),
    ("block-cursor-blurred-foreground", "block-cursor-blurred-background"),
    ("button-foreground", "surface"),
    ("input-selection-foreground", "input-selection-background"),
    ("screen-selection-foreground", "screen-selection-background"),
    ("input-cursor-foreground", "input-cursor-background"),
    ("link-color-hover", "link-background-hover"),
    *(("button-color-foreground", name) for name in ("primary", "success", "warning", "error")),
    *(("button-color-foreground", f"{name}-darken-2") for name in ("primary", "success", "warning", "error")),
    *((f"text-{name}", f"{name}-muted") for name in ("primary", "success", "warning", "error")),
]


def luminance(color: Color) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [part / 255 for part in (color.r, color.g, color.b)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Color, other: Color) -> float:
    """Contrast ratio (WCAG 2.2)."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def painted(colour: str, ground: Color) -> Color:
    """A theme's variable as it comes out over a ground: "auto 60%", with or without transparency."""
    if colour.startswith("auto"):
        share = colour.removeprefix("auto").strip().removesuffix("%")
        return ground + ground.get_contrast_text(float(share) / 100 if share else 1.0)
    return ground + Color.parse(colour)


def pair(name: str, text: str, ground: str) -> tuple[Color, Color]:
    variables = THEMES[typing.cast(ThemeName, name)].to_color_system().generate()
    paper = Color.parse(variables["background"]) + Color.parse(variables[ground])
    return painted(variables[text], paper), paper


@pytest.mark.parametrize("name", FIXED)
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_every_text_can_be_read(name: str, text: str, ground: str) -> None:
    ink, paper = pair(name, text, ground)
    assert contrast(ink, paper) >= (6 if name.startswith("high-contrast") else 4.5)


@pytest.mark.parametrize("name", FIXED)
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_every_text_can_be_read_without_colours(name: str, text: str, ground: str) -> None:
    ink, paper = pair(name, text, ground)
    assert contrast(ink.monochrome, paper.monochrome) >= 3


@pytest.mark.parametrize("name", FIXED)
def test_the_focus_can_be_seen(name: str) -> None:
    border, paper = pair(name, "border", "background")
    blurred, _ = pair(name, "border-blurred", "background")
    assert contrast(border, paper) >= 3
    assert contrast(border, paper) > contrast(blurred, paper) > 1.3


def test_sixteen_colours_are_the_terminals_own() -> None:
    variables = THEMES["ansi"].to_color_system().generate()
    coloured = {name: value.split()[0] for name, value in variables.items() if "style" not in name}
    assert all(value.startswith("ansi_") or value == "transparent" for value in coloured.values())


@pytest.mark.parametrize("palette", [DEFAULT_TERMINAL_THEME, MONOKAI])
@pytest.mark.parametrize("what", ["input-selection", "screen-selection"])
def test_in_sixteen_colours_the_selection_is_black_on_cyan(palette: object, what: str) -> None:
    variables = THEMES["ansi"].to_color_system().generate()
    ink, paper = (
        Style.parse(variables[f"{what}-{side}"].removeprefix("ansi_")).color for side in ("foreground", "background")
    )
    assert ink is not None
    assert paper is not None
    shown = [Color(*color.get_truecolor(palette)) for color in (ink, paper)]  # type: ignore[arg-type]
    assert contrast(*shown) >= 4


def test_every_theme_of_the_settings_exists() -> None:
    assert {"auto", *THEMES} == set(typing.get_args(ThemeName))
    assert all(theme.name == name for name, theme in THEMES.items())


LINUX = abilities_from({"TERM": "linux"}, is_terminal=True, columns=80, rows=24)


def test_the_theme_follows_the_terminal_unless_it_was_chosen() -> None:
    assert for_terminal(Config(), LINUX) == "ansi"
    assert for_terminal(Config(), replace(LINUX, colours=TRUE_COLOUR)) == "dark"
    assert for_terminal(Config(), replace(LINUX, colours=TRUE_COLOUR, no_color=True)) == "ansi"
    assert for_terminal(Config(theme="light"), LINUX) == "light"
    assert for_terminal(Config(theme="light"), replace(LINUX, no_color=True)) == "ansi"


class Shown(App[None]):
    CSS = "#warn {color: $text-warning; background: $panel} #err {color: $error}"

    def __init__(self, name: ThemeName) -> None:
        super().__init__(ansi_color=True if name == "ansi" else None)
        use_themes(self, name)

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static("warning", id="warn", markup=False)
            yield Static("error", id="err", markup=False)
            yield Button("Send", variant="primary")
            yield Input("text")
            yield OptionList("one", "two", markup=False)


def styles_of(app: App[None]) -> list[Style]:
    return [
        segment.style
        for widget in app.query("*")
        if not widget.children
        for strip in widget.render_lines(widget.size.region)
        for segment in strip
        if segment.style is not None
    ]


@pytest.mark.parametrize("name", THEMES)
async def test_with_no_color_no_colour_is_left(name: ThemeName, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = Shown(name)
    async with app.run_test():
        for style in styles_of(app):
            for color in (style.color, style.bgcolor):
                if color is not None and not color.is_default:
                    red, green, blue = color.get_truecolor()
                    assert red == green == blue
                    assert name != "ansi"


@pytest.mark.parametrize("name", THEMES)
async def test_an_app_has_these_themes_and_can_change_between_them(
    name: ThemeName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    app = Shown(name)
    async with app.run_test() as pilot:
        assert set(app.available_themes) == set(THEMES)
        assert any(style.color is not None and not style.color.is_default for style in styles_of(app))
        for other in THEMES:
            app.theme = other
            await pilot.pause()
        assert app.current_theme.name == other
