"""A history: what every process asked a delivery service, when, and what it was answered; one JSON line each.

Times are nanoseconds of one machine's monotonic clock. An operation without an answer has an unknown outcome: the
service may or may not have carried it out. Byte strings are hexadecimal. A history ends with the final log of each of
its groups, read when nobody was writing any more.
"""

import time
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

import msgspec

from delivery_service.wire import EntryKind

DIGEST_SIZE = 16  # octets of a SHA-256 that stand for what it is of


class HistoryError(Exception):
    """A history that cannot be read, or that lacks what it would be judged by."""


class LoggedEntry(msgspec.Struct, frozen=True, array_like=True):
    """One entry as a reader saw it; `digest` stands for its body."""

    seq: int
    epoch: int
    kind: EntryKind
    key: str
    digest: str


class Acked(msgspec.Struct, frozen=True, tag="acked", tag_field="is"):
    """201: the entry stands at `seq`."""

    seq: int
    epoch: int


class Stale(msgspec.Struct, frozen=True, tag="stale", tag_field="is"):
    """409: the group was in this epoch, with this last sequence number."""

    epoch: int
    head: int


class Refused(msgspec.Struct, frozen=True, tag="refused", tag_field="is"):
    """Any other refusal, by its problem word: nothing was carried out."""

    word: str


class Batch(msgspec.Struct, frozen=True, tag="batch", tag_field="is"):
    """Entries after the cursor; `head` is the log's last sequence number when they were read."""

    entries: list[LoggedEntry]
    head: int
    more: bool


class Done(msgspec.Struct, frozen=True, tag="done", tag_field="is"):
    """The key packages were taken in."""


class Claimed(msgspec.Struct, frozen=True, tag="claimed", tag_field="is"):
    """The digests of the key packages that were handed out."""

    packages: list[str]


class Operation(msgspec.Struct, frozen=True, tag_field="op", kw_only=True, omit_defaults=True):
    """What all operations have: who, from when, until when; `returned` is None with an unknown outcome."""

    process: str
    invoked: int
    returned: int | None = None


class Append(Operation, frozen=True, tag="append"):
    """An entry to append in `epoch`, with its idempotency key; a repeat is an operation of its own."""

    group: str
    epoch: int
    kind: EntryKind
    key: str
    digest: str
    answer: Acked | Stale | Refused | None = None


class Read(Operation, frozen=True, tag="read"):
    """A read of a group's log after a cursor."""

    group: str
    after: int
    answer: Batch | Refused | None = None


class Publish(Operation, frozen=True, tag="publish"):
    """Key packages to hand out once each, and one to hand out whenever there is no other."""

    packages: list[str]
    last_resort: str | None = None
    answer: Done | Refused | None = None


class Claim(Operation, frozen=True, tag="claim"):
    """A claim of one key package of each device of somebody."""

    number: str
    answer: Claimed | Refused | None = None


class Final(msgspec.Struct, frozen=True, tag="final", tag_field="op"):
    """A part of a group's final log, in order."""

    group: str
    entries: list[LoggedEntry]


Record: TypeAlias = Append | Read | Publish | Claim | Final

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


def digest_of(octets: bytes) -> str:
    """The short digest that stands for a body or a key package in a history."""
    return sha256(octets).digest()[:DIGEST_SIZE].hex()


def read_history(path: Path) -> Iterator[Record]:
    """The records of a file, in the order in which they ended. Raises HistoryError."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield _DECODER.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise HistoryError(f"{path.name}, line {number}: {error}") from error


def write_history(path: Path, records: Iterable[Record]) -> None:
    """Write a whole history."""
    with Recorder(path) as recorder:
        for record in records:
            recorder.record(record)


class Recorder:
    """Writes operations down as they end."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self.acked = 0  # appends so far

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def record(self, record: Record) -> None:
        """Write one operation or a part of a final log."""
        self._file.write(_ENCODER.encode(record) + b"\n")
        if isinstance(record, Append) and isinstance(record.answer, Acked):
            self.acked += 1


def now() -> int:
    """The clock of histories."""
    return time.monotonic_ns()
