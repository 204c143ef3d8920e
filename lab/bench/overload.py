"""The mix at a rate that the service bears, and messages at three times what it can do.

What the people of the mix send was made by their engines before, so that the service is loaded and not a core with
engines. They are few: a rush of ciphertexts by thousands of connections can ask for more than the service does.
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec
import uvloop
from cryptography.hazmat.primitives.serialization import Encoding

from lab.bench.delivery import OCTETS, SERVE, child, credentials, found, loaded, served
from lab.bench.delivery_load import Load, Sent
from lab.bench.delivery_rush import Rush, Rushed
from lab.bench.mix import Crowd, Outcome, crowded
from lab.bench.percentiles import percentiles
from lab.bench.rows import Aim, Row

WORKERS = 128  # of the closed loop that finds the peak
CONNECTIONS = 4_000  # that an overload comes by
CALM = 500  # connections before and after it
BORNE = 0.6  # of the peak: the rate of the open loop
TIMES = 3  # the peak: the overload
SECONDS, QUICK_SECONDS = 15.0, 1.0
RECOVERY = 10  # seconds after an overload in which it must be as before
WRITES, SLOWEST, GOODPUT = 3_000, 50, 0.8


def run(quick: bool = False) -> list[Row]:
    """Measure; `quick` for seconds."""
    with tempfile.TemporaryDirectory(prefix="ringtrue-bench-") as folder:
        seconds = QUICK_SECONDS if quick else SECONDS
        rows = uvloop.run(_measure(Path(folder) / "mix", seconds))
        return rows + uvloop.run(_measure_rush(Path(folder) / "rush", seconds))


async def _measure(folder: Path, seconds: float) -> list[Row]:
    folder.mkdir()
    async with crowded(folder, WORKERS) as crowd:
        anywhere = await _peak(crowd, seconds)
    shutil.rmtree(folder / "service")
    async with crowded(folder, WORKERS, one_core=True) as crowd:
        peak = await _peak(crowd, seconds)
        await crowd.prepare(BORNE * peak.goodput * seconds)
        before = await crowd.offer(BORNE * peak.goodput, seconds)
    return _rows(anywhere, peak, before)


async def _peak(crowd: Crowd, seconds: float) -> Outcome:
    warm = await crowd.saturate(WORKERS, seconds / 5)
    await crowd.prepare(warm.goodput * seconds)
    return await crowd.saturate(WORKERS, seconds)


def _rows(anywhere: Outcome, peak: Outcome, before: Outcome) -> list[Row]:
    return [
        Row(
            "writes at the peak of the mix, closed loop, the service on one core",
            peak.writes,
            "/s",
            WORKERS,
            "wherever the scheduler puts its threads",
            anywhere.writes,
            aim=Aim("ours", "at least", WRITES),
            note=f"70 % messages, 5 % commits, 25 % reads, the generator on the same cores: {_told(peak)}",
        ),
        Row(
            f"a write at {BORNE:.0%} of that, open loop, p99",
            percentiles([*before.spent["message"], *before.spent["commit"]])[2],
            "ms",
            aim=Aim("ours", "at most", SLOWEST),
            note=_told(before),
        ),
    ]


@dataclass(frozen=True, slots=True)
class Rushes:
    """The closed loop that finds the peak, and the rushes before, at and after the overload."""

    peak: Sent
    before: Rushed
    over: Rushed
    after: Rushed


async def _measure_rush(folder: Path, seconds: float) -> list[Row]:
    folder.mkdir()
    anchors, chains = credentials()
    (folder / "anchors.pem").write_bytes(b"".join(root.public_bytes(Encoding.PEM) for root in anchors.roots))
    where = ("--port", "0", "--data-dir", folder / "service", "--anchors", folder / "anchors.pem")
    async with served("-c", SERVE, "serve", *where) as service:
        there = await found(service.port, anchors, chains)
        load = Load("127.0.0.1", [service.port], there.groups, there.tokens, WORKERS, seconds, OCTETS)
        load.messages = str(there.write_messages(folder / "messages"))
        peak = await loaded(load)
        rate = peak.accepted / peak.seconds
        before = await _rushed(load, CALM, BORNE * rate, seconds)
        over = await _rushed(load, CONNECTIONS, TIMES * rate, seconds)
        after = await _rushed(load, CALM, BORNE * rate, min(RECOVERY, seconds))
    return _rush_rows(Rushes(peak, before, over, after))


async def _rushed(load: Load, connections: int, rate: float, seconds: float) -> Rushed:
    fields = {**msgspec.structs.asdict(load), "connections": connections, "seconds": seconds}
    answer = await child("lab.bench.delivery_rush", msgspec.json.encode(Rush(**fields, rate=rate)))
    return msgspec.json.decode(answer, type=Rushed)


def _rush_rows(rushes: Rushes) -> list[Row]:
    peak = rushes.peak.accepted / rushes.peak.seconds
    return [
        Row(
            "messages accepted while three times the peak is offered",
            rushes.over.goodput,
            "/s",
            CONNECTIONS,
            "the peak, closed loop",
            peak,
            Aim("ratio", "at least", GOODPUT),
            note=f"{CONNECTIONS} connections that wait and repeat as the client does: {_rush_told(rushes.over)}",
        ),
        Row(
            f"a message in the {RECOVERY} seconds after it, p99",
            rushes.after.message_ms[2],
            "ms",
            floor_name="before it",
            floor=rushes.before.message_ms[2],
            note=f"{CALM} connections, {BORNE:.0%} of the peak; after: {_rush_told(rushes.after)}; before: "
            f"{_rush_told(rushes.before)}",
        ),
    ]


def _rush_told(rushed: Rushed) -> str:
    request, message = rushed.request_ms, rushed.message_ms
    others = {status or "lost": count for status, count in rushed.others.items()}
    return (
        f"{rushed.goodput:,.0f}/s accepted, each request within {request[0]:.0f} ms (p99 {request[2]:.0f}), its message"
        f" within {message[0]:.0f} ms (p95 {message[1]:.0f}, p99 {message[2]:.0f}) with the repeats; other answers "
        f"{others or 'none'}, {rushed.put_off} put off"
    )


def _told(outcome: Outcome) -> str:
    middle, slow, slowest = percentiles(outcome.spent["message"])
    others = {status or "lost": count for status, count in outcome.others().items()}
    unsent = others.pop(-1, 0)
    return (
        f"{outcome.goodput:,.0f} requests served and {outcome.writes:,.0f} writes a second, a message in {middle:.1f} "
        f"ms (p95 {slow:.1f}, p99 {slowest:.1f}), other answers {others or 'none'}, {unsent} not sent: none was free. "
        f"Commits: {outcome.put_off} put off, {outcome.late} made only when they were due"
    )
