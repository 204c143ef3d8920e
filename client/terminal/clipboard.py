"""Copying a text: through the terminal (OSC 52), which works over ssh, and with this machine's own tools.

A terminal does not say whether it took what it was given, so both ways are gone where both are open.
"""

import base64
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from client.config import ClipboardWay
from client.formats.text import safe_clipboard
from client.terminal.abilities import passed_through
from client.terminal.programs import installed, run_program

OSC52_LIMIT = 74_994  # octets; common terminals take 100,000 characters of sequence

_TOOLS = {
    "wl-copy": ("--type", "text/plain"),
    "xclip": ("-selection", "clipboard"),
    "xsel": ("--clipboard", "--input"),
    "pbcopy": (),
}


@dataclass(frozen=True, slots=True)
class Copied:
    """What was done with a text: which `tool` took it, whether the `terminal` was sent it; `words` for people."""

    tool: str | None
    terminal: bool
    words: str


async def copy(
    text: str,
    write: Callable[[str], object],
    *,
    way: ClipboardWay = "auto",
    environment: Mapping[str, str] = os.environ,
) -> Copied:
    """Copy a text, made harmless first; `write` sends a control sequence to the terminal, as an app's driver does."""
    if way == "off":
        return Copied(None, False, 'Nothing was copied: the settings say clipboard = "off".')
    octets = safe_clipboard(text).encode()
    terminal = len(octets) <= OSC52_LIMIT
    if terminal:
        write(osc52(octets, environment))
    tool = await _with_tool(octets, environment) if way == "auto" else None
    return Copied(tool, terminal, _words(tool, terminal))


def osc52(octets: bytes, environment: Mapping[str, str]) -> str:
    """The sequence that sets the clipboard. tmux gets it for itself and for the terminal around it."""
    sequence = f"\x1b]52;c;{base64.b64encode(octets).decode('ascii')}\x07"
    wrapped = passed_through(sequence, environment)
    return sequence + wrapped if environment.get("TMUX") else wrapped


async def _with_tool(octets: bytes, environment: Mapping[str, str]) -> str | None:
    path = installed(_tools_here(environment), environment)
    if path is None:
        return None
    name = PurePath(path).name
    return name if await run_program((path, *_TOOLS[name]), octets, environment) else None


def _tools_here(environment: Mapping[str, str]) -> tuple[str, ...]:
    tools: tuple[str, ...] = ()
    if environment.get("WAYLAND_DISPLAY"):
        tools += ("wl-copy",)
    if environment.get("DISPLAY"):
        tools += ("xclip", "xsel")
    return (*tools, "pbcopy") if sys.platform == "darwin" else tools


def _words(tool: str | None, terminal: bool) -> str:
    if tool is not None:
        return f"Copied with {tool}{' and through the terminal' if terminal else ''}."
    if terminal:
        return "Sent to the terminal to copy. If nothing arrives, drag over the text with Shift held."
    return "Nothing was copied: the text is too long for the terminal. Export the chat instead."
