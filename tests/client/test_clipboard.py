"""Copying: what the terminal and the tools get is harmless, whole or nothing, and what was done is said."""

import base64
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.formats.text import safe_clipboard
from client.terminal.abilities import passed_through
from client.terminal.clipboard import OSC52_LIMIT, copy, osc52
from tests.client.terminal_attacks import ATTACKS

ROOT = Path(__file__).parents[2]


def put_tool(folder: Path, name: str, script: str) -> dict[str, str]:
    """An environment with a display, in which `name` is a program that does what the script says."""
    tool = folder / name
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin", "DISPLAY": ":9", "FOLDER": str(folder)}


def put_in(sequence: str) -> bytes:
    assert sequence.startswith("\x1b]52;c;")
    assert sequence.endswith("\x07")
    return base64.b64decode(sequence[7:-1], validate=True)


@given(st.text() | st.sampled_from(list(ATTACKS.values())))
async def test_the_terminal_gets_the_harmless_text_and_nothing_beside_it(text: str) -> None:
    sent: list[str] = []
    copied = await copy(text, sent.append, environment={})
    safe = safe_clipboard(text).encode()
    assert [put_in(sequence) for sequence in sent] == ([safe] if len(safe) <= OSC52_LIMIT else [])
    assert copied.terminal is bool(sent)


async def test_a_tool_gets_the_harmless_text(tmp_path: Path) -> None:
    environment = put_tool(tmp_path, "xclip", 'cat > "$FOLDER/got"; echo "$@" > "$FOLDER/arguments"')
    copied = await copy("one\ttwo\x1b[2J\n", lambda _: None, environment=environment)
    assert copied.words == "Copied with xclip and through the terminal."
    assert (tmp_path / "got").read_text() == "one\ttwo\u241b[2J\n"
    assert (tmp_path / "arguments").read_text() == "-selection clipboard\n"


async def test_a_tool_that_leaves_a_child_behind_is_not_waited_for(tmp_path: Path) -> None:
    environment = put_tool(tmp_path, "xsel", 'cat > "$FOLDER/got"; sleep 30 & echo $! > "$FOLDER/child"')
    copied = await copy("text", lambda _: None, environment=environment)
    os.kill(int((tmp_path / "child").read_text()), 9)
    assert copied.tool == "xsel"


@pytest.mark.parametrize("script", ["exit 1", "exec sleep 30"])
async def test_a_tool_that_fails_or_hangs_is_said_to_have_done_nothing(script: str, tmp_path: Path) -> None:
    copied = await copy("text", lambda _: None, environment=put_tool(tmp_path, "xclip", script))
    assert copied.tool is None
    assert copied.words.startswith("Sent to the terminal to copy.")


async def test_without_a_display_no_tool_is_tried(tmp_path: Path) -> None:
    environment = put_tool(tmp_path, "xclip", 'touch "$FOLDER/ran"')
    del environment["DISPLAY"]
    assert (await copy("text", lambda _: None, environment=environment)).tool is None
    assert not (tmp_path / "ran").exists()


async def test_a_long_text_goes_to_a_tool_only(tmp_path: Path) -> None:
    sent: list[str] = []
    text = "ä" * OSC52_LIMIT
    environment = put_tool(tmp_path, "xclip", 'cat > "$FOLDER/got"')
    assert (await copy(text, sent.append, environment=environment)).words == "Copied with xclip."
    assert (tmp_path / "got").read_text() == text
    assert "too long" in (await copy(text, sent.append, environment={})).words
    assert sent == []


async def test_the_settings_decide_the_way(tmp_path: Path) -> None:
    sent: list[str] = []
    environment = put_tool(tmp_path, "xclip", "exit 0")
    assert (await copy("text", sent.append, way="off", environment=environment)).words.startswith("Nothing was copied")
    assert sent == []
    assert (await copy("text", sent.append, way="osc52", environment=environment)).tool is None
    assert len(sent) == 1


@given(st.binary(max_size=2000))
def test_a_multiplexer_hands_on_the_same_sequence(octets: bytes) -> None:
    plain = osc52(octets, {})
    in_screen = osc52(octets, {"STY": "1"})
    assert in_screen.replace("\x1b\\", "").replace("\x1bP", "") == plain
    assert all(len(piece) <= 260 for piece in in_screen.split("\x1b\\"))
    in_tmux = osc52(octets, {"TMUX": "x"}).removeprefix(plain)
    assert in_tmux.removeprefix("\x1bPtmux;").removesuffix("\x1b\\").replace("\x1b\x1b", "\x1b") == plain
    assert passed_through(plain, {}) == plain


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[list[str]]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    command = ["tmux", "-S", str(tmp_path / "socket"), "-f", "/dev/null"]
    subprocess.run([*command, "new-session", "-d", "-x", "80", "-y", "24"], check=True)
    subprocess.run([*command, "set-option", "-s", "set-clipboard", "on"], check=True)
    yield command
    subprocess.run([*command, "kill-server"], check=False)


def test_tmux_takes_what_is_copied_inside_it(tmux: list[str]) -> None:
    program = (
        "import asyncio, sys; from client.terminal.clipboard import copy; asyncio.run(copy('copied', sys.stdout.write))"
    )
    line = f'PYTHONPATH={ROOT} {sys.executable} -c "{program}"'
    subprocess.run([*tmux, "send-keys", line, "Enter"], check=True)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        shown = subprocess.run([*tmux, "show-buffer"], capture_output=True, text=True, check=False)
        if shown.returncode == 0:
            break
        time.sleep(0.05)
    assert shown.stdout == "copied"
