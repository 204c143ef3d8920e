"""`ringtrue run` as a process: where it draws, where it refuses to, what it loads first, what it leaves behind."""

import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
from click.testing import CliRunner

from client.tui.cli import NO_TERMINAL, run
from client.tui.outward import RESTORE_TITLE

LONG = 30  # seconds until a test gives up
HEAVY = ("cryptography", "httpx", "mls_rs", "keyring", "sqlcipher3", "phonenumbers", "PIL")
RINGTRUE = "from ringtrue import main; main()"


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TMUX", "STY")}
    return {**inherited, "TERM": "xterm-256color", "RINGTRUE_CONFIG": str(tmp_path / "config.toml"), **more}


def loaded(module: str) -> set[str]:
    script = f"import sys, {module}; print(' '.join(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in answer.stdout.split()}


@pytest.mark.parametrize("arguments", [[], ["--incognito"], ["--theme", "light"]])
def test_off_a_terminal_it_says_what_to_use_instead(tmp_path: Path, arguments: list[str]) -> None:
    result = CliRunner().invoke(run, ["--home", str(tmp_path), *arguments])
    assert result.exit_code == 2
    assert NO_TERMINAL in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("command", ["main()", "main(['run'])", "main(['--incognito'])"])
def test_a_dumb_terminal_is_not_drawn_on(tmp_path: Path, command: str) -> None:
    child = pexpect.spawn(
        sys.executable,
        ["-c", f"from ringtrue import main; {command}"],
        env=environment(tmp_path, TERM="dumb", RINGTRUE_HOME=str(tmp_path / "home")),
        encoding="utf-8",
        timeout=LONG,
    )
    child.expect(pexpect.EOF)
    child.close()
    assert NO_TERMINAL in child.before
    assert "\x1b" not in child.before
    assert child.exitstatus == 2


def test_the_client_itself_does_not_load_textual() -> None:
    for module in ("client", "client.session", "client.desk.opening", "client.terminal.voices", "ringtrue"):
        assert "textual" not in loaded(module)


def test_nothing_heavy_is_loaded_before_the_first_frame() -> None:
    present = loaded("client.tui.app, client.tui.cli, client.tui.opening")
    assert "textual" in present
    assert present.isdisjoint(HEAVY)


def test_a_wrong_setting_is_told_with_its_line_and_nothing_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('theme = "dark"\nlock_after_minute = 5\n')
    child = pexpect.spawn(
        sys.executable,
        ["-c", RINGTRUE],
        env=environment(tmp_path, RINGTRUE_HOME=str(tmp_path / "home")),
        encoding="utf-8",
        timeout=LONG,
    )
    child.expect(pexpect.EOF)
    child.close()
    assert "line 2" in child.before
    assert "Traceback" not in child.before
    assert "\x1b[?1049h" not in child.before


def test_without_an_account_it_welcomes_and_quitting_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    child = pexpect.spawn(
        sys.executable,
        ["-c", RINGTRUE],
        env=environment(tmp_path, RINGTRUE_HOME=str(tmp_path / "home")),
        dimensions=(32, 116),
        encoding="utf-8",
        timeout=LONG,
    )
    child.delaybeforesend = None
    child.expect_exact("Welcome to Ringtrue")
    child.send("\x11")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert "\x1b[?1049l" in child.before
    assert child.before.rstrip().endswith(RESTORE_TITLE)
