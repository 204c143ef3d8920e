"""The mix at a rate that the service bears, and at three times what it can do."""

import tempfile
from pathlib import Path

import uvloop

from lab.bench.mix import Outcome, crowded
from lab.bench.percentiles import percentiles
from lab.bench.rows import Aim, Row

WORKERS = 128  # of the closed loop that finds the peak
CONNECTIONS = 2_000  # that an overload comes by
BORNE = 0.6  # of the peak: the rate of the open loop
TIMES = 3  # the peak: the overload
SECONDS, QUICK_SECONDS = 15.0, 1.0
RECOVERY = 10  # seconds after an overload in which it must be as before
WRITES, SLOWEST, GOODPUT = 3_000, 50, 0.8


def run(quick: bool = False) -> list[Row]:
    """Measure; `quick` for seconds."""
    with tempfile.TemporaryDirectory(prefix="ringtrue-bench-") as folder:
        return uvloop.run(_measure(Path(folder), QUICK_SECONDS if quick else SECONDS))


async def _measure(folder: Path, seconds: float) -> list[Row]:
    async with crowded(folder, WORKERS) as crowd:
        await crowd.saturate(WORKERS, seconds / 5)
        peak = await crowd.saturate(WORKERS, seconds)
        before = await crowd.offer(BORNE * peak.goodput, seconds)
        await crowd.connect(CONNECTIONS)
        over = await crowd.offer(TIMES * peak.goodput, seconds)
        after = await crowd.offer(BORNE * peak.goodput, min(RECOVERY, seconds))
    return _rows(peak, before, over, after)


def _rows(peak: Outcome, before: Outcome, over: Outcome, after: Outcome) -> list[Row]:
    return [
        Row(
            "writes at the peak of the mix, closed loop",
            peak.writes,
            "/s",
            WORKERS,
            aim=Aim("ours", "at least", WRITES),
            note=f"70 % messages, 5 % commits, 25 % reads, the people's engines on the same cores: {_told(peak)}",
        ),
        Row(
            f"a write at {BORNE:.0%} of that, open loop, p99",
            percentiles([*before.spent["message"], *before.spent["commit"]])[2],
            "ms",
            aim=Aim("ours", "at most", SLOWEST),
            note=_told(before),
        ),
        Row(
            "served while three times the peak is offered",
            over.goodput,
            "/s",
            floor_name="the peak",
            floor=peak.goodput,
            aim=Aim("ratio", "at least", GOODPUT),
            note=f"{CONNECTIONS} connections; {_told(over)}",
        ),
        Row(
            "a write in the ten seconds after it, p99",
            percentiles([*after.spent["message"], *after.spent["commit"]])[2],
            "ms",
            floor_name="before it",
            floor=percentiles([*before.spent["message"], *before.spent["commit"]])[2],
            note=_told(after),
        ),
    ]


def _told(outcome: Outcome) -> str:
    middle, slow, slowest = percentiles(outcome.spent["message"])
    others = {status or "lost": count for status, count in outcome.others().items()}
    unsent = others.pop(-1, 0)
    return (
        f"{outcome.goodput:,.0f} requests served and {outcome.writes:,.0f} writes a second, a message in {middle:.1f} "
        f"ms (p95 {slow:.1f}, p99 {slowest:.1f}), other answers {others or 'none'}, {unsent} not sent: none was free"
    )
