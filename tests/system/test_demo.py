"""The demo as a person runs it, and proof that it can fail."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from identity import binding, sequence
from identity.binding import Verdict
from identity.errors import BindingError
from lab.attacks import body_swap, forged_number, re_attribution
from lab.attacks.attack import Attack
from lab.attacks.catalogue import ATTACKS
from lab.demo import Programme, run_demo
from lab.story import Event, Finished
from tests.system.tmux import PROMPT, TMUX, Terminal, server, squeezed

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from lab.cli import demo; demo()"]
CLOSING = re.compile(r"(\d+) honest messages? verified · (\d+) attacks? refused · 0 got through")
COLOUR = re.compile(r"\x1b\[[0-9;]*[34]8;[25];")  # of 256 or all, not of 16
TIME_LIMIT = 90  # seconds


def run(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *options],
        capture_output=True,
        encoding="utf-8",
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
        timeout=TIME_LIMIT,
    )


def test_demo_tells_that_all_is_verified_and_all_attacks_are_refused(tmp_path: Path) -> None:
    done = run(TMPDIR=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    closing = CLOSING.search(done.stdout.splitlines()[-1])
    assert closing is not None
    assert int(closing[1]) >= 10
    assert int(closing[2]) == len(ATTACKS)
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert list(tmp_path.iterdir()) == []


def test_demo_as_json_lines() -> None:
    done = run("--json", "--seed", "7")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events[:2]] == ["opened", "enrolled"]
    attacks = [event for event in events if event["event"] == "attack"]
    assert all(attack["held"] and attack["by"] == attack["guard"] for attack in attacks)
    assert {attack["check"] for attack in attacks} == {None, *range(1, 14)}
    score = events[-1]
    assert score["event"] == "finished"
    assert score["refused"] == len(attacks) == len(ATTACKS)
    assert (score["unverified"], score["misattributed"], score["through"], score["succeeded"]) == (0, 0, 0, True)
    assert {wave["defence"]: _score(wave["tally"]) for wave in score["waves"]} == {
        "none": (10, 10, 0, 0, 0, 0),
        "admission": (10, 0, 10, 0, 0, 0),
        "reports": (10, 0, 3, 7, 1, 7),
    }


def _score(tally: dict[str, int]) -> tuple[int, ...]:
    return tuple(tally[each] for each in ("attempted", "inbox", "requests", "quarantined", "reports", "refreshed"))


def test_attacks_are_named_and_played_by_name() -> None:
    listed = run("--list").stdout.splitlines()
    assert len(listed) == len(ATTACKS) + 1
    done = run("--json", "--attack", "forged-number", "--attack", "spam-wave")
    assert done.returncode == 0
    score = json.loads(done.stdout.splitlines()[-1])
    assert (score["refused"], len(score["waves"])) == (1, 3)
    unknown = run("--attack", "\x1b[2Jnothing")
    assert (unknown.returncode, "\x1b" in unknown.stderr) == (2, False)
    assert "--list" in unknown.stderr


def test_interrupted_demo_leaves_nothing_behind(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == "message":
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=TIME_LIMIT)
    assert (process.returncode, errors) == (130, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(TMUX is None, reason="there is no tmux")
@pytest.mark.parametrize(
    ("term", "environment"),
    [("xterm", ""), ("xterm-256color", "COLORTERM=truecolor"), ("xterm-256color", "NO_COLOR=1")],
)
async def test_unattended_in_a_terminal_it_runs_to_the_end(tmp_path: Path, term: str, environment: str) -> None:
    (tmp_path / "home").mkdir()
    async with server():
        terminal = await Terminal("demo", tmp_path / "home", 80, 24).open()
        asked = f"env TERM={term} {environment} ringtrue demo --pause 0.01 --attack forged-number --attack spam-wave"
        await terminal.types(f"{asked}; echo code $?", "Enter")
        await terminal.shows("DEMO AUTHORITY, not a carrier", "ATTACKER", "VICTIMS", "q Quit")
        await terminal.shows("1 attack refused · 0 got through", "code 0")
        seen = "\n".join(squeezed(screen) for screen in terminal.screens)
        assert "SPAMMER" in seen
        colours = set(COLOUR.findall(terminal.drawn))
        assert bool(colours) is (term == "xterm-256color" and "NO_COLOR" not in environment)


@pytest.mark.skipif(TMUX is None, reason="there is no tmux")
async def test_in_a_terminal_it_is_left_at_any_time(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    async with server():
        terminal = await Terminal("demo", tmp_path / "home", 80, 24).open()
        for keys in (["q"], ["C-c"], ["m", "q"]):
            await terminal.types("clear; ringtrue demo --pause 30; echo code $?", "Enter")
            await terminal.shows("DEMO AUTHORITY, not a carrier", "authority http://")
            for key in keys:
                await terminal.presses(key)
            await terminal.shows("code 0", PROMPT)
            assert "Traceback" not in terminal.drawn


def test_what_cannot_be_drawn_on_gets_the_plain_story() -> None:
    done = run("--attack", "forged-number", TERM="dumb")
    assert done.stdout.startswith("Ringtrue  every message proves")


class Listener:
    """Keeps what the demo ends with."""

    def __init__(self) -> None:
        self.finished: Finished | None = None

    def tell(self, event: Event) -> None:
        if isinstance(event, Finished):
            self.finished = event


async def finish(attack: Attack) -> Finished:
    listener = Listener()
    succeeded = await run_demo(listener, Programme(attacks=[attack], wave=False))
    assert listener.finished is not None
    assert listener.finished.succeeded is succeeded
    return listener.finished


def counts(finished: Finished) -> tuple[int, int, int]:
    return finished.refused, finished.misattributed, finished.through


async def test_one_attack_alone_succeeds() -> None:
    finished = await finish(forged_number.ATTACK)
    assert finished.succeeded
    assert counts(finished) == (1, 0, 0)


async def test_demo_fails_where_a_disabled_check_lets_the_attack_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequence, "check_number", lambda passport, chain: (Verdict.VERIFIED, ("", "", "", "")))
    finished = await finish(forged_number.ATTACK)
    assert not finished.succeeded
    assert counts(finished) == (0, 0, 1)


async def test_demo_fails_where_another_check_than_the_named_one_stops_the_attack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(binding, "check_signer", lambda x5u, context, chains: ("",))
    finished = await finish(re_attribution.ATTACK)
    assert not finished.succeeded
    assert counts(finished) == (0, 1, 0)


async def test_demo_fails_where_an_honest_message_is_not_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(msgi: str, octets: bytes) -> None:
        raise BindingError("msgi", "nothing fits", check=9)

    monkeypatch.setattr(sequence, "check_digest", refuse)
    finished = await finish(body_swap.ATTACK)
    assert not finished.succeeded
    assert counts(finished) == (1, 0, 0)
    assert finished.unverified > 0
