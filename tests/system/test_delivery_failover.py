"""Replicas of the delivery service on a PostgreSQL cluster whose primary is killed: what was acknowledged is there.

The sizes are those of a run of all tests; `python -m tests.postgresql.failovers 50` is a larger campaign.
"""

import pytest

from lab.histories.failover import fail_over
from lab.histories.load import Size
from tests.postgresql.cluster import running_cluster
from tests.postgresql.server import why_not

FAILOVERS = 2
REPLICAS = 2

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


async def test_nothing_acknowledged_is_lost_when_the_primary_is_killed(tmp_path):
    with running_cluster(standbys=2) as cluster:
        outcome = await fail_over(
            *(tmp_path, tmp_path / "history.jsonl", FAILOVERS, cluster),
            size=Size(),
            seed=1,
            replicas=REPLICAS,
            copied=True,
        )
    print(outcome.line(), outcome.report)
    assert outcome.report.violations == []
    assert len(outcome.seconds) == FAILOVERS
    report = outcome.report
    assert min(report.acked, report.unknown, report.repeats, report.commits) > 0


async def test_the_checker_finds_what_an_asynchronous_standby_lacks(tmp_path):
    with running_cluster(standbys=2, synchronous=False) as cluster:
        outcome = await fail_over(
            *(tmp_path, tmp_path / "history.jsonl", 1, cluster),
            size=Size(people=2, quiet=True),
            seed=1,
            replicas=REPLICAS,
            copied=False,
        )
    print(outcome.line())
    assert outcome.report.lost > 0
