"""A real delivery service, killed under load: what it acknowledged is there, in one order for each group.

The sizes are those of a run of all tests; `python -m lab.histories kill 500` is a larger campaign.
"""

from lab.histories.killing import kill_embedded
from lab.histories.load import Size

KILLS = 8
CONTROL_KILLS = 3


async def test_nothing_acknowledged_is_lost_when_the_service_is_killed(tmp_path):
    outcome = await kill_embedded(tmp_path, tmp_path / "history.jsonl", KILLS, size=Size(), seed=1)
    assert outcome.report.violations == []
    assert set(outcome.integrity) == {"ok"}
    report = outcome.report
    assert min(report.acked, report.unknown, report.repeats, report.stale, report.commits, report.claimed) > 0


async def test_the_checker_finds_a_service_that_answers_before_it_has_saved(tmp_path):
    hasty = ("-m", "lab.histories.hasty")
    size = Size(people=2, quiet=True)
    outcome = await kill_embedded(tmp_path, tmp_path / "history.jsonl", CONTROL_KILLS, size=size, seed=1, program=hasty)
    assert outcome.report.lost > 0
    assert set(outcome.integrity) == {"ok"}
