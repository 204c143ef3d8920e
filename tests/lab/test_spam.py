"""The spam laboratory: real clients and services, counted the same way whoever counts."""

import json

import pytest
from click.testing import CliRunner

from lab.spam.cli import lab
from lab.spam.records import Attempt, summary
from lab.spam.run import run
from lab.spam.scenario import ALL, NONE, Defence, Scenario, Strategy, name_of, named
from lab.spam.series import read_series, series, write_series

BUSY = {Strategy.VOLUME: 24, Strategy.ROTATION: 12, Strategy.SLOW_DRIP: 12, Strategy.GROUP_INVITE: 48}


def _scenario(defences: frozenset[Defence]) -> Scenario:
    return Scenario(seed=3, users=16, spammers=4, days=1, step=4 * 3600, defences=defences, per_day=BUSY)


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


def test_figures_are_drawn_from_the_series_and_come_out_the_same(tmp_path) -> None:
    scenario = _scenario(NONE)
    attempts = [
        Attempt(0, 0, True, True, "volume", "spammer 0", "+1", "+2", "aa", place="inbox", seen=1),
        Attempt(1, 2, False, True, "", "person 1", "+3", "+2", "ab", place="quarantine"),
    ]
    points = series(scenario, attempts)
    assert [point.seen for point in points] == [0, 1, 1, 1, 1, 1]
    assert points[-1].honest_hidden == 1
    write_series(tmp_path / "series.csv", points)
    assert read_series(tmp_path / "series.csv") == points
    first = CliRunner().invoke(lab, ["figures", str(tmp_path)])
    drawn = {path.name: path.read_bytes() for path in tmp_path.glob("*.svg")}
    CliRunner().invoke(lab, ["figures", str(tmp_path)])
    assert first.exit_code == 0, first.output
    assert len(drawn) == 4
    assert drawn == {path.name: path.read_bytes() for path in tmp_path.glob("*.svg")}


def test_a_run_of_the_command_writes_every_attempt_and_a_summary(tmp_path) -> None:
    arguments = ["spam", "--users", "8", "--spammers", "1", "--days", "1", "--defences", "admission", "--no-figures"]
    result = CliRunner().invoke(lab, [*arguments, "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    counted = json.loads(result.output)
    lines = (tmp_path / "attempts-1-admission.jsonl").read_text().splitlines()
    assert sum(json.loads(line)["spam"] for line in lines) == counted["spam"] > 0
    assert "spam_seen" in (tmp_path / "summary.csv").read_text().splitlines()[0]
