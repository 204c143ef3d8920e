"""The fault simulator: runs are replayed exactly, every family holds, and planted bugs are found."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.faults.bugs import BUGS
from lab.faults.campaign import hunt
from lab.faults.capsule import CapsuleError, capsule_of, read_capsule, write_capsule
from lab.faults.families import FAMILIES
from lab.faults.prepared import Prepared, prepared
from lab.faults.run import play

FOUND = {"older-epoch": 2, "early-welcome": 2, "early-answer": 9, "early-cursor": 1}  # the first seed to look at
WITHIN = 200  # runs
SEEDS = 3  # of each family


@pytest.fixture(scope="module")
def begun() -> Iterator[Prepared]:
    with prepared() as made:
        yield made


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab.faults", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": "random"},
        cwd=Path(__file__).parents[2],
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_every_invariant_holds_in_every_family(begun: Prepared, family: str) -> None:
    for seed in range(1, SEEDS + 1):
        assert play(begun, family, seed).violations == ()


def test_there_are_twenty_families_and_each_injects_its_faults(begun: Prepared) -> None:
    assert len(FAMILIES) >= 20
    outcomes = [play(begun, "everything", seed) for seed in range(1, 7)]
    injected = {kind for outcome in outcomes for kind in outcome.injected}
    assert injected >= {"drop request", "drop answer", "duplicate", "delay", "crash of a client", "crash of a replica"}


def test_the_same_seed_gives_the_same_trace_and_another_one_another(begun: Prepared) -> None:
    first, again, other = (play(begun, "everything", seed) for seed in (7, 7, 8))
    assert first.lines == again.lines
    assert first.digest == again.digest != other.digest


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(begun: Prepared, bug: str) -> None:
    found = hunt(bug, WITHIN, FOUND[bug])
    assert found is not None
    assert found.capsule.violations
    assert play(begun, found.capsule.family, found.capsule.seed).violations == ()


def test_a_hunt_prints_a_capsule_that_another_process_replays_exactly(tmp_path: Path) -> None:
    hunt = command("hunt", "--bug", "early-cursor", "--capsules", str(tmp_path))
    assert hunt.returncode == 0, hunt.stdout + hunt.stderr
    assert "found in run " in hunt.stdout
    (path,) = tmp_path.iterdir()
    for line in hunt.stdout.splitlines():
        if line.startswith("  violated: "):
            assert line.removeprefix("  violated: ") in read_capsule(path).violations
    replay = command("replay", str(path))
    assert replay.returncode == 0, replay.stdout + replay.stderr
    assert "as in the capsule" in replay.stdout
    assert "violated: " in replay.stdout


def test_a_replay_that_differs_says_so(begun: Prepared, tmp_path: Path) -> None:
    capsule = capsule_of(play(begun, "calm", 1), "")
    path = write_capsule(capsule, tmp_path)
    path.write_bytes(path.read_bytes().replace(capsule.digest.encode(), b"0" * 64))
    replay = command("replay", str(path))
    assert replay.returncode == 1
    assert "NOT as in the capsule" in replay.stdout


def test_what_is_no_capsule_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    with pytest.raises(CapsuleError):
        read_capsule(path)
    path.write_text("{}")
    replay = command("replay", str(path))
    assert (replay.returncode, "is no capsule" in replay.stderr, "Traceback" in replay.stderr) == (2, True, False)


def test_a_campaign_ends_with_one_line(tmp_path: Path) -> None:
    run = command("run", "--runs", "4", "--jobs", "2", "--family", "lossy", "--capsules", str(tmp_path))
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.startswith("4 runs, ")
    assert "; 0 with violations; " in run.stdout
