"""The colours: blue, orange and vermilion of Okabe and Ito's palette, which colour-blind people tell apart.

No green, and never a colour alone: the word and the sign beside it say the same. The theme "ansi" takes the terminal's
own sixteen colours; how far apart they are is the terminal's choice.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from textual.app import App
from textual.theme import Theme

from client.config import Config, ThemeName
from client.terminal.abilities import Abilities, look_at_terminal

_BLUE, _ORANGE, _VERMILION, _PURPLE = "#56B4E9", "#E69F00", "#D55E00", "#CC79A7"


def _variables(ink: str, paper: str, cursor: str, muted: str, dim: str, **more: str) -> dict[str, str]:
    """What Textual would derive with too little contrast: `ink` on `cursor`, `muted` and `dim` text."""
    return {
        "text-muted": muted,
        "foreground-muted": muted,
        "text-disabled": dim,
        "foreground-disabled": dim,
        "block-cursor-foreground": ink,
        "block-cursor-background": cursor,
        "button-color-foreground": ink,
        "link-background-hover": cursor,
        "link-color-hover": ink,
        "input-selection-background": cursor,
        "input-selection-foreground": ink,
        "screen-selection-background": cursor,
        "screen-selection-foreground": ink,
        "input-cursor-foreground": paper,
        **more,
    }


DARK = Theme(
    name="dark",
    primary="#9DB8D9",
    secondary="#7F9BBF",
    success=_BLUE,
    warning=_ORANGE,
    error=_VERMILION,
    accent=_PURPLE,
    foreground="#E6E6E6",
    background="#121212",
    surface="#151515",
    panel="#191919",
    boost="#FFFFFF08",
    variables=_variables(
        "#121212",
        "#121212",
        "#9DB8D9",
        "#A8A8A8",
        "#8C8C8C",
        **{"border-blurred": "#4A5058", "error-darken-2": _VERMILION},
    ),
)

LIGHT = Theme(
    name="light",
    primary="#34567E",
    secondary="#4A6A90",
    success="#00588A",
    warning="#754D00",
    error="#A33A00",
    accent="#863762",
    foreground="#1A1A1A",
    background="#FFFFFF",
    surface="#F6F6F6",
    panel="#E9ECF0",
    boost="#00000008",
    dark=False,
    variables=_variables("#FFFFFF", "#FFFFFF", "#34567E", "#4F4F4F", "#636363", **{"border-blurred": "#B4BAC2"}),
)

HIGH_CONTRAST_DARK = Theme(
    name="high-contrast-dark",
    primary="#FFFFFF",
    secondary="#D0D0D0",
    success="#7CCBFF",
    warning="#FFC033",
    error="#FF9A66",
    accent="#F2AED4",
    foreground="#FFFFFF",
    background="#000000",
    surface="#000000",
    panel="#141414",
    boost="#FFFFFF00",
    variables=_variables("#000000", "#000000", "#FFFFFF", "#E0E0E0", "#C0C0C0", **{"border-blurred": "#A0A0A0"}),
)

HIGH_CONTRAST_LIGHT = Theme(
    name="high-contrast-light",
    primary="#000000",
    secondary="#303030",
    success="#003E66",
    warning="#5A3C00",
    error="#782A00",
    accent="#63204A",
    foreground="#000000",
    background="#FFFFFF",
    surface="#FFFFFF",
    panel="#F2F2F2",
    boost="#00000000",
    dark=False,
    variables=_variables("#FFFFFF", "#FFFFFF", "#000000", "#2A2A2A", "#404040", **{"border-blurred": "#606060"}),
)

ANSI = Theme(
    name="ansi",
    ansi=True,
    primary="ansi_cyan",
    secondary="ansi_cyan",
    success="ansi_cyan",
    warning="ansi_magenta",  # readable on black and on white, which yellow is not
    error="ansi_red",
    accent="ansi_magenta",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    variables=_variables(
        "ansi_black",
        "ansi_default",
        "ansi_cyan",
        "ansi_default",
        "ansi_default",
        **{
            "border": "ansi_cyan",
            "border-blurred": "ansi_bright_black",
            "footer-key-foreground": "ansi_magenta",
            "input-cursor-text-style": "reverse",
            "input-cursor-foreground": "ansi_default",
            "block-cursor-blurred-text-style": "reverse",
            "link-color": "ansi_default",
            "link-color-hover": "ansi_black",
            "ansi-background": "ansi_default",
            "ansi-foreground": "ansi_default",
            "block-cursor-foreground": "ansi_default",
            "block-cursor-background": "ansi_default",
            "block-cursor-text-style": "reverse",  # readable in every palette
        },
    ),
)

THEMES: Mapping[ThemeName, Theme] = {
    "dark": DARK,
    "light": LIGHT,
    "high-contrast-dark": HIGH_CONTRAST_DARK,
    "high-contrast-light": HIGH_CONTRAST_LIGHT,
    "ansi": ANSI,
}


def use_themes(app: App[Any], name: ThemeName) -> None:
    """Give an app these themes and no others, whose contrast nobody looked at, and show it in the one called `name`."""
    for theme in THEMES.values():
        app.register_theme(theme)
    app.theme = name
    for other in set(app.available_themes) - set(THEMES):
        app.unregister_theme(other)


def theme_of(app: App[Any], config: Config) -> ThemeName:
    """The theme of an app in this process's terminal; Textual has taken NO_COLOR out of the environment."""
    return for_terminal(config, replace(look_at_terminal(), no_color=app.no_color))


def for_terminal(config: Config, abilities: Abilities) -> ThemeName:
    """The theme that was chosen, or for "auto" one that the terminal can show; with NO_COLOR always "ansi".

    An app that is given `ansi_color=True` for "ansi" sends no colour at all then, instead of greys.
    """
    if abilities.no_color:
        return "ansi"
    if config.theme != "auto":
        return config.theme
    return "ansi" if abilities.colours < 256 else "dark"
