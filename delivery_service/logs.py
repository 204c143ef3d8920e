"""The log: one line for each event, as JSON or text, which names nobody.

Numbers, devices, groups, tokens and addresses never get here. What must be told apart is named by a keyed hash whose
key lives in memory and is replaced every UTC day: lines of one day and one process can be compared, others cannot.
"""

import hashlib
import hmac
import logging
import secrets
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, TextIO

import msgspec

# event -> what it says; docs/runbook.md has the same table
EVENTS = {
    "started": "the process takes connections",
    "draining": "the process was told to end: it is not ready any more",
    "stopped": "everything that was under way has ended",
    "request_answered": "a request was answered (only with --log-requests)",
    "request_refused": "a request was refused; `word` is the problem's",
    "request_failed": "a request ended in an error of the service",
    "request_unanswered": "a request got no answer: its sender left, or an error ended its connection",
    "library": "a library reported something; `message` is its text without values",
    "left_out": "`lines` lines were left out, because there were too many within a second",
}
LINES_PER_SECOND = 200  # a flood of refusals must not fill the disk
_NAME_SIZE = 8  # octets of a keyed hash
_DAY = 86_400

Form = Literal["json", "text"]
Level = Literal["debug", "info", "warning", "error"]
Field = str | int | float | bool | list[str] | None


class DailyNames:
    """Names things by a hash under a key of the day."""

    def __init__(self) -> None:
        self._day = -1
        self._key = b""

    def of(self, thing: bytes, now: float) -> str:
        """The name of `thing` today."""
        day = int(now) // _DAY
        if day != self._day:
            self._day, self._key = day, secrets.token_bytes(32)
        return hmac.digest(self._key, thing, hashlib.sha256)[:_NAME_SIZE].hex()


class EventLog:
    """Writes events to a stream, at most LINES_PER_SECOND."""

    def __init__(self, stream: TextIO, form: Form, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._form = form
        self._clock = clock
        self._names = DailyNames()
        self._second = 0
        self._written = 0

    def name(self, thing: bytes) -> str:
        """A name for a number or a group in today's lines."""
        return self._names.of(thing, self._clock())

    def write(self, event: str, level: Level = "info", **fields: Field) -> None:
        """One line; `event` is a key of EVENTS."""
        assert event in EVENTS
        now = self._clock()
        if int(now) != self._second:
            left_out, self._second, self._written = self._written - LINES_PER_SECOND, int(now), 0
            if left_out > 0:
                self._line(now, "left_out", "warning", {"lines": left_out})
        self._written += 1
        if self._written <= LINES_PER_SECOND:
            self._line(now, event, level, {name: value for name, value in fields.items() if value is not None})

    def _line(self, now: float, event: str, level: Level, fields: dict[str, Field]) -> None:
        at = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self._form == "json":
            line = msgspec.json.encode({"at": at, "level": level, "event": event, **fields}).decode()
        else:
            line = " ".join([at, level, event, *(f"{name}={_shown(value)}" for name, value in fields.items())])
        self._stream.write(line + "\n")
        self._stream.flush()


def _shown(value: Field) -> str:
    text = ",".join(value) if isinstance(value, list) else str(value)
    return text if text.isascii() and text.isprintable() else ascii(text)


class LibraryRecords(logging.Handler):
    """Takes what libraries log: where it came from, and its text before values are put in: those may name people."""

    def __init__(self, log: EventLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        error, frames = None, None
        if record.exc_info and record.exc_info[0] is not None:
            error = record.exc_info[0].__name__
            steps = traceback.extract_tb(record.exc_info[2])
            frames = [f"{step.name}:{step.lineno}" for step in steps[-8:]]
        level: Level = "error" if record.levelno >= logging.ERROR else "warning"
        message = record.msg if isinstance(record.msg, str) and record.args else None
        self._log.write("library", level, logger=record.name, message=message, error=error, where=frames)
