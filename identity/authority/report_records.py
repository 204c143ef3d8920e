"""What is kept of reports: who accused whom as far as it counts, statuses and their ends, appeals."""

from collections import Counter
from dataclasses import dataclass

from identity.authority.report_policy import Consequence, ReportPolicy, independent
from identity.authority.store import AuthorityStore
from identity.number import TelephoneNumber
from identity.reports.number_status import NumberStatus
from identity.reports.report import STATEMENT_AGE

# Beyond the window: as far ahead of this clock as the reporter's and the sender's may be when they sign, and more. What
# was forgotten has to be too old to be reported, or it counted again.
_MARGIN = 2 * STATEMENT_AGE
_COUNTS = "r.reporter <> x'' AND r.reporter NOT IN (SELECT reporter FROM struck_reporters)"
_PAIRS = (
    "SELECT DISTINCT r.reporter, m.conversation FROM reports r JOIN reported_messages m ON m.report = r.id "  # noqa: S608
    f"WHERE r.accused = ? AND {_COUNTS} ORDER BY 1, 2"
)


@dataclass(frozen=True, slots=True)
class NumberRecord:
    """A number with a status: its end, how many reports count, of which kinds, and the appeal of its holder."""

    number: TelephoneNumber
    status: NumberStatus
    ends_at: int | None
    count: int
    kinds: dict[str, int]
    appeal: str | None


class ReportRecords:
    """Reports and statuses in the authority's store; every method is for the inside of a transaction."""

    def __init__(self, store: AuthorityStore, policy: ReportPolicy) -> None:
        self._store = store
        self._policy = policy

    def end(self, now: int) -> None:
        """End what has ended: statuses with their appeals and evidence, and reports that count no more."""
        if self._store.execute("DELETE FROM statuses WHERE ends_at <= ?", now):
            self._changed()
            self._store.execute("DELETE FROM appeals WHERE number NOT IN (SELECT number FROM statuses)")
            self._store.execute(
                "UPDATE reports SET evidence = NULL WHERE evidence IS NOT NULL "
                "AND accused NOT IN (SELECT number FROM statuses)"
            )
        self._store.execute("DELETE FROM reports WHERE at <= ?", now - self._policy.window - _MARGIN)
        self._store.execute("DELETE FROM struck_reporters WHERE until <= ?", now)

    def reporter(self, number: TelephoneNumber) -> bytes:
        """Name a reporter without keeping the number."""
        return self._store.bucket("reporter", number.digits)

    def conversation(self, group: str) -> bytes:
        """Name a conversation without keeping its URI."""
        return self._store.bucket("conversation", group)

    def add(
        self,
        accused: TelephoneNumber,
        reporter: bytes,
        kind: str,
        evidence: bytes,
        messages: dict[bytes, bytes],
        now: int,
    ) -> bool:
        """Keep a report with those of its messages (replay key -> conversation) that are new; say whether any is.

        What others have reported is new from this reporter: who reports first must not silence who was told the same.
        """
        new = {key: where for key, where in messages.items() if not self._known(key, reporter)}
        if not new:
            return False
        (row,) = self._store.rows(
            "INSERT INTO reports (accused, reporter, kind, at, evidence) VALUES (?, ?, ?, ?, ?) RETURNING id",
            accused.digits,
            reporter,
            kind,
            now,
            evidence,
        )
        for key, conversation in new.items():
            self._store.execute("INSERT INTO reported_messages VALUES (?, ?, ?)", key, row[0], conversation)
        return True

    def count(self, accused: TelephoneNumber) -> int:
        """How many independent reports count against a number now."""
        pairs = self._store.rows(_PAIRS, accused.digits)
        return independent((reporter, conversation) for reporter, conversation in pairs)

    def is_struck(self, reporter: bytes) -> bool:
        """Whether the reports of a number do not count for a while."""
        return bool(self._store.rows("SELECT 1 FROM struck_reporters WHERE reporter = ?", reporter))

    def apply(self, accused: TelephoneNumber, consequence: Consequence, now: int) -> None:
        """Give a number a status, or prolong that one and no other; a report never shortens one."""
        status, ends_at = consequence.status, now + consequence.lasts
        self._store.execute(
            "INSERT OR REPLACE INTO statuses VALUES (?1, ?2, "
            "max(?3, ifnull((SELECT ends_at FROM statuses WHERE number = ?1 AND status = ?2), 0)))",
            accused.digits,
            status,
            ends_at,
        )
        self._changed()

    def status(self, number: TelephoneNumber) -> tuple[NumberStatus, int | None]:
        """The worst status of a number and its end; clear has none."""
        rows = self._store.rows(
            "SELECT status, ends_at FROM statuses WHERE number = ? ORDER BY status = ? DESC",
            number.digits,
            NumberStatus.WITHDRAWN,
        )
        return (NumberStatus(rows[0][0]), rows[0][1]) if rows else (NumberStatus.CLEAR, None)

    def statuses(self) -> dict[TelephoneNumber, NumberStatus]:
        """Every number with a status, the worst one that it has."""
        rows = self._store.rows("SELECT number, status FROM statuses ORDER BY status = ?", NumberStatus.WITHDRAWN)
        return {TelephoneNumber.from_digits(digits): NumberStatus(status) for digits, status in rows}

    def next_end(self) -> int | None:
        """When the next status ends."""
        end: int | None = self._store.rows("SELECT min(ends_at) FROM statuses")[0][0]
        return end

    def record(self, number: TelephoneNumber) -> NumberRecord:
        """Everything about one number but the evidence."""
        status, ends_at = self.status(number)
        rows = self._store.rows(f"SELECT kind FROM reports r WHERE accused = ? AND {_COUNTS}", number.digits)  # noqa: S608
        kinds = Counter(kind for (kind,) in rows)
        appeal = self._store.rows("SELECT text FROM appeals WHERE number = ?", number.digits)
        return NumberRecord(number, status, ends_at, self.count(number), dict(kinds), appeal[0][0] if appeal else None)

    def evidence(self, number: TelephoneNumber) -> list[tuple[int, bytes]]:
        """When reports against a number came, and what they disclosed, oldest first."""
        rows = self._store.rows(
            "SELECT at, evidence FROM reports WHERE accused = ? AND evidence IS NOT NULL ORDER BY id", number.digits
        )
        return [(at, evidence) for at, evidence in rows]

    def appeal(self, number: TelephoneNumber, text: str, now: int) -> bool:
        """Keep an appeal; say whether it is the first against this status."""
        return self._store.execute("INSERT OR IGNORE INTO appeals VALUES (?, ?, ?)", number.digits, text, now) == 1

    def forget_evidence(self, number: TelephoneNumber) -> None:
        """Keep of the reports of a number no more than that they were made."""
        self._store.execute("UPDATE reports SET evidence = NULL WHERE accused = ?", number.digits)

    def clear(self, number: TelephoneNumber, now: int) -> int:
        """End a number's status, drop the reports that led to it and strike whoever made them; says how many did."""
        until = now + self._policy.struck_for
        struck = self._store.execute(
            "INSERT OR REPLACE INTO struck_reporters SELECT DISTINCT reporter, ? FROM reports "
            "WHERE accused = ? AND reporter <> x''",
            until,
            number.digits,
        )
        self.forget_evidence(number)
        # Their messages stay known, so that nobody else can count them again.
        self._store.execute("UPDATE reports SET reporter = x'' WHERE accused = ?", number.digits)
        self._store.execute("DELETE FROM statuses WHERE number = ?", number.digits)
        self._store.execute("DELETE FROM appeals WHERE number = ?", number.digits)
        self._changed()
        return struck

    def serial(self) -> int:
        """The serial of the present statuses."""
        serial: int = self._store.rows("SELECT serial FROM status_serial")[0][0]
        return serial

    def next_serial(self) -> int:
        """A serial for a list that is signed now."""
        self._changed()
        return self.serial()

    def _changed(self) -> None:
        self._store.execute("UPDATE status_serial SET serial = serial + 1")

    def _known(self, replay_key: bytes, reporter: bytes) -> bool:
        """Whether a message was reported by this reporter, or was among those that the operator has cleared."""
        found = self._store.rows(
            "SELECT 1 FROM reported_messages m JOIN reports r ON r.id = m.report "
            "WHERE m.replay_key = ? AND r.reporter IN (?, x'')",
            replay_key,
            reporter,
        )
        return bool(found)
