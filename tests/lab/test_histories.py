"""The checker of histories passes what one log could have answered, and names the rule that anything else breaks."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.histories.__main__ import histories
from lab.histories.checker import Report, Rule, check
from lab.histories.history import (
    Acked,
    Append,
    Batch,
    Claim,
    Claimed,
    Done,
    Final,
    HistoryError,
    LoggedEntry,
    Publish,
    Read,
    Record,
    Refused,
    Stale,
    read_history,
    write_history,
)

GROUP = "a1"
change = msgspec.structs.replace


def sent(key: str, times: tuple[int, int | None], answer=None, epoch: int = 0, kind="application") -> Append:
    return Append(
        process=f"p{key}",
        invoked=times[0],
        returned=times[1],
        group=GROUP,
        epoch=epoch,
        kind=kind,
        key=key,
        digest=f"d{key}",
        answer=answer,
    )


def logged(seq: int, key: str, epoch: int = 0, kind="application") -> LoggedEntry:
    return LoggedEntry(seq, epoch, kind, key, f"d{key}")


def read(times: tuple[int, int], after: int, entries: list[LoggedEntry], head: int) -> Read:
    answer = Batch(entries, head, after + len(entries) < head)
    return Read(process="r", invoked=times[0], returned=times[1], group=GROUP, after=after, answer=answer)


LOG = [logged(1, "k1"), logged(2, "k2", kind="commit"), logged(3, "k3", 1), logged(4, "k4", 1)]


def good() -> list[Record]:
    """k1, then the commit k2, then k3 whose first answer was lost, k4 without any answer, and k5 that came too late."""
    return [
        sent("k1", (0, 10), Acked(1, 0)),
        sent("k2", (11, 20), Acked(2, 0), kind="commit"),
        sent("k3", (21, None), epoch=1),
        sent("k3", (30, 40), Acked(3, 1), epoch=1),
        sent("k4", (41, None), epoch=1),
        sent("k5", (25, 35), Stale(1, 2)),
        read((50, 60), 1, LOG[1:4], 4),
        Publish(process="o", invoked=0, returned=5, packages=["x", "y"], last_resort="z", answer=Done()),
        Claim(process="c", invoked=6, returned=9, number="+1", answer=Claimed(["x", "z"])),
        Claim(process="c", invoked=10, returned=12, number="+1", answer=Claimed(["z"])),
        Claim(process="c", invoked=13, number="+1"),
        Final(GROUP, LOG),
    ]


def at(place: int, **changes) -> Callable[[list[Record]], None]:
    def apply(history: list[Record]) -> None:
        history[place] = change(history[place], **changes)

    return apply


def final(*entries: LoggedEntry) -> Callable[[list[Record]], None]:
    return at(-1, entries=list(entries))


BREAKS = {
    "an acknowledged append is missing": (Rule.LOST, final(*LOG[:2])),
    "an acknowledged append stands elsewhere": (Rule.LOST, at(0, answer=Acked(9, 0))),
    "an acknowledged append has another body": (Rule.LOST, at(0, digest="other")),
    "a number is left out": (Rule.NUMBERED, final(*LOG[:3], change(LOG[3], seq=5))),
    "a number comes twice": (Rule.NUMBERED, final(*LOG[:3], change(LOG[3], seq=3))),
    "a key stands twice": (Rule.ONCE, final(*LOG, logged(5, "k4", 1))),
    "somebody else's entry is there": (Rule.SENT, final(*LOG, logged(5, "k9", 1))),
    "a refused entry is there": (Rule.SENT, at(4, answer=Refused("not-allowed"), returned=45)),
    "an entry is of an epoch that has ended": (Rule.EPOCH, final(*LOG[:3], change(LOG[3], epoch=0))),
    "two commits end one epoch": (Rule.EPOCH, final(*LOG[:2], logged(3, "k3", 0, "commit"), LOG[3])),
    "an answer names another epoch": (Rule.EPOCH, at(0, answer=Acked(1, 1))),
    "the later one was there first": (Rule.ORDER, at(0, invoked=21, returned=22)),
    "a read shows less than an answer before it": (Rule.ORDER, at(6, answer=Batch(LOG[1:2], 2, False))),
    "a read shows what was sent after it": (Rule.ORDER, at(6, invoked=5, returned=8)),
    "a refusal is older than its call": (Rule.ORDER, at(5, invoked=45, returned=46)),
    "a repeat got another number": (Rule.REPEAT, lambda history: history.insert(0, sent("k1", (0, 9), Acked(2, 0)))),
    "stale in the epoch of the entry": (Rule.STALE, at(5, epoch=1)),
    "stale in an epoch that was not yet": (Rule.STALE, at(5, answer=Stale(2, 2))),
    "stale, and in the log": (Rule.STALE, lambda history: history.insert(0, sent("k1", (50, 51), Stale(1, 2)))),
    "a read lacks an entry": (Rule.PREFIX, at(6, answer=Batch([LOG[1], LOG[3]], 4, True))),
    "a read shows an entry otherwise": (Rule.PREFIX, at(6, answer=Batch([*LOG[1:3], logged(4, "kx", 1)], 4, False))),
    "a read shows nothing of more": (Rule.PREFIX, at(6, answer=Batch([], 4, True))),
    "a read goes beyond the log": (Rule.PREFIX, at(6, answer=Batch(LOG[1:4], 5, True))),
    "a one-time package is handed out twice": (Rule.PACKAGE_ONCE, at(9, answer=Claimed(["x"]))),
    "a package is of nobody": (Rule.PACKAGE_SENT, at(9, answer=Claimed(["w"]))),
    "a package comes before it was published": (Rule.PACKAGE_SENT, at(7, invoked=20, returned=21)),
    "a package that was refused is handed out": (Rule.PACKAGE_SENT, at(7, answer=Refused("too-large"))),
}


def rules(report: Report) -> set[Rule]:
    return {violation.rule for violation in report.violations}


def test_a_history_that_one_log_explains_passes():
    report = check(good())
    assert report.violations == []
    assert (report.acked, report.repeats, report.stale, report.unknown, report.claimed) == (3, 1, 1, 3, 3)


@pytest.mark.parametrize("broken", BREAKS, ids=lambda name: name.replace(" ", "-"))
def test_each_rule_is_found_broken(broken):
    rule, breaks = BREAKS[broken]
    history = good()
    breaks(history)
    assert rule in rules(check(history))


def test_only_what_was_acknowledged_counts_as_lost():
    history = good()
    final(*LOG[:3])(history)
    at(6, answer=Batch(LOG[1:3], 3, False))(history)
    report = check(history)
    assert report.violations == []  # k4 was never answered
    final()(history)
    assert check(history).lost == 3


def test_a_history_without_a_final_log_is_not_judged():
    with pytest.raises(HistoryError, match=GROUP):
        check(good()[:-1])


def test_an_answer_without_an_end_is_not_judged():
    history = good()
    at(0, returned=None)(history)
    with pytest.raises(HistoryError, match="pk1"):
        check(history)


# ---- random histories of a log that works ----


class Simulated:
    """One group's log, and calls that overlap; each takes effect at a moment between its beginning and its end."""

    def __init__(self, random: Random, calls: int) -> None:
        self.random, self.records, self.log, self.stock = random, list[Record](), list[LoggedEntry](), list[str]()
        self.answers: dict[str, Acked | Stale] = {}
        self.pending: list[tuple[str, str, int]] = []  # what may be repeated: key, kind, epoch
        effects = sorted(random.sample(range(10, 100 * calls), calls))
        for number, at in enumerate(effects):
            self.call(f"{number:04}", at)
        self.records.append(Final(GROUP, list(self.log)))

    @property
    def epoch(self) -> int:
        return sum(entry.kind == "commit" for entry in self.log)

    def call(self, name: str, at: int) -> None:
        begin, end = at - self.random.randrange(1, 300), at + self.random.randrange(1, 300)
        times = {"process": name, "invoked": begin, "returned": end}
        match self.random.choice(["send", "send", "send", "repeat", "commit", "read", "publish", "claim"]):
            case "read":
                after = self.random.randint(0, len(self.log))
                upto = self.random.randint(min(after + 1, len(self.log)), len(self.log))
                answer = Batch(self.log[after:upto], len(self.log), upto < len(self.log))
                self.records.append(Read(**times, group=GROUP, after=after, answer=answer))
            case "publish":
                self.stock.append(name)
                self.records.append(Publish(**times, packages=[name], answer=Done()))
            case "claim" if self.stock:
                self.records.append(Claim(**times, number="+1", answer=Claimed([self.stock.pop(0)])))
            case "repeat" if self.pending:
                self.send(*self.random.choice(self.pending), times)
            case "commit":
                self.send(name, "commit", self.epoch, times)
            case _:
                self.send(name, "application", max(0, self.epoch - self.random.randrange(2)), times)

    def send(self, key: str, kind, epoch: int, times) -> None:
        answer = self.answers.get(key)
        if answer is None and epoch == self.epoch:
            self.log.append(LoggedEntry(len(self.log) + 1, epoch, kind, key, f"d{key}"))
            answer = self.answers[key] = Acked(len(self.log), epoch)
        elif answer is None:
            answer = Stale(self.epoch, len(self.log))
        if self.random.random() < 0.2:
            times, answer = {**times, "returned": None}, None
        self.pending.append((key, kind, epoch))
        self.records.append(
            Append(**times, group=GROUP, epoch=epoch, kind=kind, key=key, digest=f"d{key}", answer=answer)
        )


def mutations(history: list[Record]) -> list[tuple[int, Record]]:
    """Single facts of a history, each changed so that no log explains it any more."""
    log = next(record.entries for record in history if isinstance(record, Final))
    changed: list[tuple[int, Record]] = []
    for place, record in enumerate(history):
        match record:
            case Append(answer=Acked(seq=seq, epoch=epoch)):
                changed += [(place, change(record, answer=Acked(seq + 1, epoch)))]
                changed += [(place, change(record, answer=Acked(seq, epoch + 1)))]
                changed += [(place, change(record, answer=Stale(epoch + 1, seq)))]
                changed += [(place, change(record, key=f"{record.key}x"))]
            case Append(answer=Stale(epoch=epoch, head=head)):
                changed += [(place, change(record, epoch=epoch))]
                changed += [(place, change(record, answer=Stale(epoch + 1, head)))]
                changed += [(place, change(record, answer=Stale(epoch, len(log) + 1)))]
                changed += [(place, change(record, answer=Acked(head + 1, record.epoch)))]
            case Read(answer=Batch(entries=entries, head=head, more=more)):
                changed += [(place, change(record, answer=Batch(entries, head, not more)))]
                if entries:
                    changed += [(place, change(record, answer=Batch(entries[1:], head, more)))]
                    other = change(entries[0], digest="other")
                    changed += [(place, change(record, answer=Batch([other, *entries[1:]], head, more)))]
            case Claim(answer=Claimed(packages=packages)):
                changed += [(place, change(record, answer=Claimed(packages * 2)))]
                changed += [(place, change(record, answer=Claimed(["nobody's"])))]
            case Final(entries=entries):
                for index, entry in enumerate(entries):
                    rest = [*entries[:index], *entries[index + 1 :]]
                    changed += [(place, Final(GROUP, [*rest, entry]))] if rest and index < len(rest) else []
                    for fact in ({"seq": entry.seq + 1}, {"epoch": entry.epoch + 1}, {"digest": "x"}, {"key": "x"}):
                        other = change(entry, **fact)
                        changed += [(place, Final(GROUP, [*entries[:index], other, *entries[index + 1 :]]))]
    return changed


@given(st.integers(0, 2**32), st.integers(1, 60))
@settings(max_examples=150, deadline=None)
def test_every_history_of_a_log_that_works_passes(seed, calls):
    assert check(Simulated(Random(seed), calls).records).violations == []


@given(st.integers(0, 2**32), st.integers(8, 40), st.data())
@settings(max_examples=300, deadline=None)
def test_no_history_passes_with_one_fact_changed(seed, calls, data):
    history = Simulated(Random(seed), calls).records
    possible = mutations(history)
    if possible:
        place, other = data.draw(st.sampled_from(possible))
        history[place] = other
        assert check(history).violations, other


# ---- files and the command ----


def run(path: Path):
    return CliRunner().invoke(histories, ["check", str(path)])


def test_a_history_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "history.jsonl"
    write_history(path, good())
    assert list(read_history(path)) == good()


def test_the_command_names_what_is_broken(tmp_path):
    path = tmp_path / "history.jsonl"
    write_history(path, good())
    assert run(path).exit_code == 0
    history = good()
    BREAKS["an acknowledged append is missing"][1](history)
    write_history(path, history)
    answer = run(path)
    assert answer.exit_code == 3
    assert "VIOLATED LOST" in answer.output
    assert "k3, acknowledged as number 3" in answer.output


@given(octets=st.binary(max_size=200))
def test_any_other_file_is_refused_with_its_line(octets, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "garbage.jsonl"
    path.write_bytes(b"x" + octets)
    answer = run(path)
    assert answer.exit_code == 1
    assert "line 1" in answer.output
