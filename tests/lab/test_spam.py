"""The spam laboratory: real clients and services, counted the same way whoever counts."""

import json

import pytest
from click.testing import CliRunner

from lab.spam.cli import lab
from lab.spam.records import Attempt, read_run, summary, write_run
from lab.spam.run import run
from lab.spam.scenario import ALL, NONE, Defence, Scenario, Strategy, name_of, named
from lab.spam.series import series

BUSY = {Strategy.VOLUME: 24, Strategy.ROTATION: 12, Strategy.SLOW_DRIP: 12, Strategy.GROUP_INVITE: 48}


def _scenario(defences: frozenset[Defence]) -> Scenario:
    return Scenario(seed=3, users=12, spammers=4, days=1, step=4 * 3600, defences=defences, per_day=BUSY)


async def test_without_a_defence_people_see_the_spam_and_with_all_of_them_hardly_any() -> None:
    bare, defended = await run(_scenario(NONE)), await run(_scenario(ALL))
    bare_sum, defended_sum = summary(_scenario(NONE), bare), summary(_scenario(ALL), defended)
    assert bare_sum.spam_seen > bare_sum.spam / 3  # the rest was not looked at before the day ended
    assert defended_sum.spam_seen < bare_sum.spam_seen / 5
    assert defended_sum.reports
    assert {each.strategy for each in bare if each.spam} == set(Strategy)
    assert any(each.seen is not None for each in bare if not each.spam)


async def test_the_same_seed_tells_the_same_story() -> None:
    one, other = (
        await run(_scenario(frozenset({Defence.ADMISSION}))),
        await run(_scenario(frozenset({Defence.ADMISSION}))),
    )
    assert [_story(each) for each in one] == [_story(each) for each in other]


def _story(attempt: Attempt) -> tuple[object, ...]:
    return attempt.step, attempt.sender, attempt.target, attempt.place, attempt.carded, attempt.seen, attempt.accepted


@pytest.mark.parametrize(
    "defences", [ALL, NONE, ALL - {Defence.QUOTAS}, frozenset({Defence.ADMISSION, Defence.REPORTS})]
)
def test_a_set_of_defences_has_a_name_that_is_read_back(defences: frozenset[Defence]) -> None:
    assert named(name_of(defences)) == defences


def test_an_unknown_defence_is_refused_in_words() -> None:
    result = CliRunner().invoke(lab, ["spam", "--defences", "prayer"])
    assert result.exit_code == 2
    assert "all-NAME" in result.output


def test_runs_are_counted_and_drawn_the_same_each_time(tmp_path) -> None:
    scenario = _scenario(NONE)
    attempts = [
        Attempt(0, 0, True, True, "volume", "spammer 0", "+1", "+2", "aa", place="inbox", seen=1),
        Attempt(1, 2, False, True, "", "person 1", "+3", "+2", "ab", place="quarantine"),
    ]
    points = series(scenario, attempts)
    assert [point.seen for point in points] == [0, 1, 1, 1, 1, 1]
    assert points[-1].honest_hidden == 1
    write_run(tmp_path / "run-3-none.jsonl", scenario, attempts)
    first = CliRunner().invoke(lab, ["figures", str(tmp_path)])
    assert first.exit_code == 0, first.output
    assert json.loads(first.output)["spam_seen"] == 1
    drawn = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {"summary.csv", "series.csv", "spam-per-user.svg", "false-positives.svg"} <= drawn.keys()
    CliRunner().invoke(lab, ["figures", str(tmp_path)])
    assert drawn == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_a_file_that_is_no_run_is_refused_in_words(tmp_path) -> None:
    (tmp_path / "run-1-all.jsonl").write_text("{}\n")
    result = CliRunner().invoke(lab, ["figures", str(tmp_path)])
    assert result.exit_code == 1
    assert "not a run" in result.output


def test_a_folder_without_runs_keeps_what_it_has(tmp_path) -> None:
    (tmp_path / "summary.csv").write_text("kept")
    result = CliRunner().invoke(lab, ["figures", str(tmp_path)])
    assert result.exit_code == 1
    assert "holds no runs" in result.output
    assert (tmp_path / "summary.csv").read_text() == "kept"


def test_a_run_of_the_command_writes_every_attempt_and_a_summary(tmp_path) -> None:
    arguments = ["spam", "--users", "8", "--spammers", "1", "--days", "1", "--defences", "admission", "--no-figures"]
    result = CliRunner().invoke(lab, [*arguments, "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    counted = json.loads(result.output)
    _, attempts = read_run(tmp_path / "run-1-admission.jsonl")
    assert sum(each.spam for each in attempts) == counted["spam"] > 0
    assert "spam_seen" in (tmp_path / "summary.csv").read_text().splitlines()[0]
