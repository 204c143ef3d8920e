"""The demo as a person runs it, and proof that it can fail."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from identity import binding
from identity.binding import Verdict
from identity.errors import BindingError
from lab.attacks import body_swap, forged_number, re_attribution
from lab.attacks.attack import Attack
from lab.demo import Programme, run_demo
from lab.story import Event, Finished

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from lab.cli import demo; demo()"]
CLOSING = re.compile(r"(\d+) honest messages verified · (\d+) attacks refused · 0 got through")
TIME_LIMIT = 60  # seconds


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
    assert int(closing[2]) >= 12
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
    assert {attack["check"] for attack in attacks} >= {1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12}
    assert events[-1]["event"] == "finished"
    assert events[-1]["refused"] == len(attacks)
    assert events[-1]["succeeded"] is True


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
    monkeypatch.setattr(binding, "check_number", lambda passport, chain: (Verdict.VERIFIED, ("", "", "", "")))
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

    monkeypatch.setattr(binding, "check_digest", refuse)
    finished = await finish(body_swap.ATTACK)
    assert not finished.succeeded
    assert counts(finished) == (1, 0, 0)
    assert finished.unverified > 0
