"""Porcupine, a general linearizability checker, judges recorded histories as our own checker does."""

import subprocess
from pathlib import Path

import msgspec
import pytest

from lab.histories.checker import check
from lab.histories.failover import fail_over
from lab.histories.history import Acked, Append, Batch, Claim, Claimed, Final, Read, Record, read_history, write_history
from lab.histories.killing import kill_embedded
from lab.histories.load import Size
from tests.postgresql.cluster import running_cluster
from tests.postgresql.server import why_not

PROGRAM = Path(__file__).with_name("bin") / "porcupine"
VIOLATED = 3
KILLS = 3
SIZE = Size(people=3, devices=2, senders=2)

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="tests/interop/install builds porcupine, with Go")
change = msgspec.structs.replace


def porcupine(history: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROGRAM, history], capture_output=True, text=True, timeout=300)


def broken(history: list[Record]) -> dict[str, list[Record]]:
    """The history with one answer changed, in several ways."""

    def changed(place: int, **facts) -> list[Record]:
        return [*history[:place], change(history[place], **facts), *history[place + 1 :]]

    places = {type(record.answer): place for place, record in enumerate(history) if not isinstance(record, Final)}
    acked, read, claimed = places[Acked], places[Batch], places[Claimed]
    first = next(p for p, record in enumerate(history) if isinstance(record, Append) and record.kind == "application")
    seen = history[read].answer
    taken = next(r.answer.packages for r in history if isinstance(r, Claim) and isinstance(r.answer, Claimed))
    return {
        "another number": changed(acked, answer=change(history[acked].answer, seq=history[acked].answer.seq + 1)),
        "another epoch": changed(first, epoch=history[first].epoch + 1),
        "a shorter read": changed(read, answer=change(seen, entries=seen.entries[1:])),
        "a read that ends early": changed(read, answer=change(seen, head=seen.head - 1)),
        "a package twice": changed(claimed, answer=Claimed(taken)),
        "a call that began later": changed(first, invoked=max(r.invoked for r in history if isinstance(r, Read)) - 1),
    }


async def test_porcupine_and_our_checker_agree_on_a_history_with_kills_and_on_what_breaks_it(tmp_path):
    path = tmp_path / "history.jsonl"
    outcome = await kill_embedded(tmp_path, path, KILLS, size=SIZE, seed=1)
    assert outcome.report.violations == []
    said = porcupine(path)
    assert said.returncode == 0, said.stdout + said.stderr
    for name, history in broken(list(read_history(path))).items():
        other = tmp_path / "broken.jsonl"
        write_history(other, history)
        assert check(history).violations, name
        assert porcupine(other).returncode == VIOLATED, name


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
async def test_porcupine_accepts_a_history_in_which_the_database_was_killed(tmp_path):
    path = tmp_path / "history.jsonl"
    with running_cluster(standbys=2) as cluster:
        outcome = await fail_over(tmp_path, path, 1, cluster, size=SIZE, seed=2, replicas=2, copied=True)
    assert outcome.report.violations == []
    said = porcupine(path)
    assert said.returncode == 0, said.stdout + said.stderr


def test_porcupine_refuses_what_is_no_history(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text("nothing\n")
    assert porcupine(path).returncode == 1
