"""Whether a history can be that of one log for each group, in one order, from which nothing is lost.

Appends answer with positions, so that no search is needed: the final log *is* the order, and what remains is to look
whether every answer agrees with it and with the times at which calls began and ended. This decides linearizability of
the log in O(n log n), since two operations that are in the wrong order of time are always found as a pair.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from heapq import merge

from lab.histories.history import (
    Acked,
    Append,
    Batch,
    Claim,
    Claimed,
    Final,
    HistoryError,
    LoggedEntry,
    Publish,
    Read,
    Record,
    Refused,
    Stale,
)


class Rule(StrEnum):
    """What a history must keep; the value says how it is broken."""

    LOST = "acknowledged, and not in the log as acknowledged"
    NUMBERED = "the log's numbers have a gap, or one comes twice"
    ONCE = "one idempotency key stands twice in a log"
    SENT = "the log holds what nobody sent"
    EPOCH = "an entry stands in another epoch than the commits before it make, or two commits end one epoch"
    ORDER = "an answer disagrees with the order of time"
    REPEAT = "a repeat with the same key was answered differently"
    STALE = "refused as stale, although the group was in the entry's epoch, or although it was accepted"
    PREFIX = "a read is not a part of the log"
    PACKAGE_ONCE = "a one-time key package was handed out twice"
    PACKAGE_SENT = "a key package was handed out that nobody had published"


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule, where (a group or a key package), and what shows it."""

    rule: Rule
    where: str
    shown: str


@dataclass(slots=True)
class Report:
    """What was counted and what was found."""

    groups: int = 0
    operations: int = 0
    acked: int = 0  # appends
    unknown: int = 0  # operations without an answer
    repeats: int = 0  # appends of a key that had been sent before
    stale: int = 0
    commits: int = 0  # in the final logs, one for each epoch that ended
    reads: int = 0
    claimed: int = 0  # key packages
    violations: list[Violation] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """How many acknowledged appends are not there."""
        return sum(violation.rule is Rule.LOST for violation in self.violations)


@dataclass(slots=True)
class _Group:
    final: list[LoggedEntry] = field(default_factory=list)
    appends: dict[str, list[Append]] = field(default_factory=lambda: defaultdict(list))
    reads: list[Read] = field(default_factory=list)
    ended: bool = False  # whether its final log was read


def check(records: Iterable[Record]) -> Report:
    """Judge a history. Raises HistoryError if a group's final log is missing."""
    report, groups = Report(), defaultdict[str, _Group](_Group)
    published, claims = list[Publish](), list[Claim]()
    for record in records:
        match record:
            case Final():
                groups[record.group].final += record.entries
                groups[record.group].ended = True
                continue
            case Append():
                groups[record.group].appends[record.key].append(record)
            case Read():
                groups[record.group].reads.append(record)
            case Publish():
                published.append(record)
            case Claim():
                claims.append(record)
        if (record.answer is None) != (record.returned is None):
            raise HistoryError(f"an operation of {record.process} has an answer and no end, or an end and no answer")
        report.operations += 1
        report.unknown += record.answer is None
    for group_id, group in groups.items():
        if not group.ended:
            raise HistoryError(f"the history lacks the final log of group {group_id}")
        _count(report, group)
        report.violations += _check_group(group_id, group)
    report.groups = len(groups)
    report.claimed = sum(len(claim.answer.packages) for claim in claims if isinstance(claim.answer, Claimed))
    report.violations += _check_packages(published, claims)
    return report


def _count(report: Report, group: _Group) -> None:
    answers = [attempt.answer for attempts in group.appends.values() for attempt in attempts]
    report.acked += sum(isinstance(answer, Acked) for answer in answers)
    report.stale += sum(isinstance(answer, Stale) for answer in answers)
    report.repeats += len(answers) - len(group.appends)
    report.commits += sum(entry.kind == "commit" for entry in group.final)
    report.reads += len(group.reads)


def _check_group(group_id: str, group: _Group) -> Iterator[Violation]:
    by_key = {entry.key: entry for entry in group.final}
    epochs = _epochs(group.final)
    for rule, shown in (
        *_check_log(group, epochs),
        *(found for attempts in group.appends.values() for found in _check_attempts(attempts, by_key)),
        *(found for attempts in group.appends.values() for found in _check_stale(attempts, by_key, epochs)),
        *_check_reads(group),
        *_check_order(group, by_key),
    ):
        yield Violation(rule, group_id, shown)


Found = tuple[Rule, str]


def _epochs(final: Sequence[LoggedEntry]) -> list[int]:
    """The group's epoch after each entry, and at place 0 before the first."""
    epochs = [0]
    for entry in final:
        epochs.append(epochs[-1] + (entry.kind == "commit"))
    return epochs


def _check_log(group: _Group, epochs: Sequence[int]) -> Iterator[Found]:
    seen = set[str]()
    for place, entry in enumerate(group.final, 1):
        if entry.seq != place:
            yield Rule.NUMBERED, f"number {entry.seq} at place {place}"
        if entry.epoch != epochs[place - 1]:
            yield Rule.EPOCH, f"number {entry.seq} of epoch {entry.epoch} after {epochs[place - 1]} commits"
        if entry.key in seen:
            yield Rule.ONCE, f"{entry.key}, again at number {entry.seq}"
        seen.add(entry.key)
        sent = group.appends.get(entry.key, ())
        if not any(_is_of(entry, attempt) and not isinstance(attempt.answer, Refused) for attempt in sent):
            yield Rule.SENT, f"number {entry.seq}, key {entry.key}"


def _is_of(entry: LoggedEntry, attempt: Append) -> bool:
    return (entry.epoch, entry.kind, entry.digest) == (attempt.epoch, attempt.kind, attempt.digest)


def _check_attempts(attempts: Sequence[Append], by_key: dict[str, LoggedEntry]) -> Iterator[Found]:
    first: Acked | None = None
    for attempt in attempts:
        if not isinstance(attempt.answer, Acked):
            continue
        entry = by_key.get(attempt.key)
        if entry is None or entry.seq != attempt.answer.seq or not _is_of(entry, attempt):
            yield Rule.LOST, f"{attempt.key}, acknowledged as number {attempt.answer.seq}"
        if attempt.answer.epoch != attempt.epoch:
            yield Rule.EPOCH, f"{attempt.key} of epoch {attempt.epoch}, acknowledged in epoch {attempt.answer.epoch}"
        if first is not None and attempt.answer != first:
            yield Rule.REPEAT, f"{attempt.key}: number {first.seq}, then {attempt.answer.seq}"
        first = first or attempt.answer


def _check_stale(attempts: Sequence[Append], by_key: dict[str, LoggedEntry], epochs: Sequence[int]) -> Iterator[Found]:
    for attempt in attempts:
        answer = attempt.answer
        if not isinstance(answer, Stale):
            continue
        if attempt.key in by_key:
            yield Rule.STALE, f"{attempt.key} was refused and is number {by_key[attempt.key].seq}"
        if answer.epoch <= attempt.epoch or not 0 <= answer.head < len(epochs) or epochs[answer.head] != answer.epoch:
            yield Rule.STALE, f"{attempt.key} of epoch {attempt.epoch}: told epoch {answer.epoch}, head {answer.head}"


def _check_reads(group: _Group) -> Iterator[Found]:
    for read in group.reads:
        if not isinstance(read.answer, Batch):
            continue
        entries, head = read.answer.entries, read.answer.head
        end = read.after + len(entries)
        whole = bool(entries) and head > end if read.answer.more else head == end
        if entries != group.final[read.after : end] or not whole or head > len(group.final):
            yield Rule.PREFIX, f"after {read.after} by {read.process}, up to {end} of {head}"


# ---- time ----


@dataclass(frozen=True, slots=True)
class _Fact:
    """An operation with its place in the order: after that many entries, or, if `moves`, being that entry."""

    invoked: int
    returned: int | None
    place: int
    moves: bool
    name: str


def _check_order(group: _Group, by_key: dict[str, LoggedEntry]) -> Iterator[Found]:
    """Whatever was known from an answer must hold for every call that began after it."""
    facts = [*_appended(group, by_key), *_seen(group)]
    begun = sorted((fact.invoked, 0, index) for index, fact in enumerate(facts))
    ended = sorted((fact.returned, 1, index) for index, fact in enumerate(facts) if fact.returned is not None)
    known, by = 0, ""
    for _, has_ended, index in merge(begun, ended):
        fact = facts[index]
        if has_ended and fact.place > known:
            known, by = fact.place, fact.name
        elif not has_ended and fact.place < known + fact.moves:
            yield Rule.ORDER, f"{fact.name} at {fact.place}, begun after {by} had shown {known}"


def _appended(group: _Group, by_key: dict[str, LoggedEntry]) -> Iterator[_Fact]:
    """An entry and all its repeats are one operation: from the first attempt until the first acknowledgement."""
    for key, attempts in group.appends.items():
        if key in by_key:
            ends = [each.returned for each in attempts if isinstance(each.answer, Acked) and each.returned is not None]
            begin = min(attempt.invoked for attempt in attempts)
            yield _Fact(begin, min(ends, default=None), by_key[key].seq, True, key)


def _seen(group: _Group) -> Iterator[_Fact]:
    """Reads and refusals tell how long the log was."""
    for read in group.reads:
        if isinstance(read.answer, Batch):
            yield _Fact(read.invoked, read.returned, read.answer.head, False, f"a read by {read.process}")
    for attempts in group.appends.values():
        for attempt in attempts:
            if isinstance(attempt.answer, Stale):
                yield _Fact(attempt.invoked, attempt.returned, attempt.answer.head, False, f"refused {attempt.key}")


# ---- key packages ----


def _check_packages(published: Sequence[Publish], claims: Sequence[Claim]) -> Iterator[Violation]:
    taken_in = [each for each in published if not isinstance(each.answer, Refused)]
    since = dict[str, int]()
    for each in taken_in:
        for package in (*each.packages, *([each.last_resort] if each.last_resort else ())):
            since[package] = min(each.invoked, since.get(package, each.invoked))
    many = {each.last_resort for each in taken_in}
    taken = set[str]()
    for claim in claims:
        if not isinstance(claim.answer, Claimed):
            continue
        for package in claim.answer.packages:
            if package in taken and package not in many:
                yield Violation(Rule.PACKAGE_ONCE, package, f"the second time to {claim.process}")
            taken.add(package)
            if package not in since or (claim.returned is not None and claim.returned < since[package]):
                yield Violation(Rule.PACKAGE_SENT, package, f"to {claim.process}")
