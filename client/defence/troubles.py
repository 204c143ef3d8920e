"""What the service was caught at, chat by chat: kept so that it is told once, repaired where it can be, and shown."""

from dataclasses import dataclass

from client.defence.lies import FORKS, MARKS, Lie
from client.storage.store import Store

_FORKS = ", ".join(f"'{lie}'" for lie in FORKS)
_NUMBER = (
    "substr({0}.about, 1, instr({0}.about, '/'))"  # of the device that said it; empty if the service was seen at it
)
_FORKED = f"""
SELECT 1 FROM log_trouble t WHERE group_id = ? AND settled = 0 AND code IN ({_FORKS})
AND NOT EXISTS (SELECT 1 FROM log_trouble s WHERE s.group_id = t.group_id AND s.settled = 1 AND s.code IN ({_FORKS})
    AND t.about <> '' AND {_NUMBER.format("s")} = {_NUMBER.format("t")})
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of trouble, with the entries that it concerns and how often it was met."""

    code: Lie
    about: str
    epoch: int
    first: int
    last: int
    count: int
    noted: int
    settled: bool


class Troubles:
    """The rows of `log_trouble`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(
        self, group_id: bytes, lie: Lie, now: int, *, about: str = "", epoch: int = 0, first: int = 0, last: int = 0
    ) -> int:
        """Note one more of a kind; returns how many there were: 1 if it is new and is to be told."""
        self._store.execute(
            "INSERT INTO log_trouble (group_id, code, about, epoch, seq, until, noted) VALUES (?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET count = count + 1, until = max(until, excluded.until)",
            group_id,
            lie,
            about,
            epoch,
            first,
            last,
            now,
        )
        row = self._store.row(
            "SELECT count FROM log_trouble WHERE group_id = ? AND code = ? AND about = ? AND epoch = ? AND seq = ?",
            group_id,
            lie,
            about,
            epoch,
            first,
        )
        return 0 if row is None else int(row[0])

    def settle(self, group_id: bytes, lie: Lie, *, about: str = "", first: int | None = None) -> bool:
        """Note that something open was repaired; whether there was such a thing."""
        changed = self._store.execute(
            "UPDATE log_trouble SET settled = 1 WHERE group_id = ? AND code = ? AND about = ? AND settled = 0 "
            "AND (? IS NULL OR seq = ?)",
            group_id,
            lie,
            about,
            first,
            first,
        )
        return changed > 0

    def open(self, group_id: bytes, lie: Lie) -> list[Trouble]:
        """What of one kind was not repaired."""
        return [each for each in self.of(group_id) if each.code is lie and not each.settled]

    def of(self, group_id: bytes) -> list[Trouble]:
        """Everything that was met in a chat."""
        rows = self._store.rows(
            "SELECT code, about, epoch, seq, until, count, noted, settled FROM log_trouble WHERE group_id = ?", group_id
        )
        return [
            Trouble(Lie(code), about, epoch, first, last, count, noted, bool(settled))
            for code, about, epoch, first, last, count, noted, settled in rows
        ]

    def marks(self) -> dict[bytes, str]:
        """What the heading says of each chat that has something grave, repaired or not."""
        found: dict[bytes, list[Lie]] = {}
        for group_id, code, settled in self._store.rows("SELECT group_id, code, settled FROM log_trouble"):
            lie = Lie(code)
            if lie in MARKS and (lie in FORKS or not settled):
                found.setdefault(group_id, []).append(lie)
        return {group_id: next(MARKS[lie] for lie in MARKS if lie in lies) for group_id, lies in found.items()}

    def is_forked(self, group_id: bytes) -> bool:
        """Whether there is a sign of different histories in spite of which nobody has decided to go on.

        Whoever went on in spite of what a number said is not stopped by its word again.
        """
        return self._store.row(_FORKED, group_id) is not None

    def go_on(self, group_id: bytes) -> None:
        """Note that a person goes on in a forked chat; its mark stays."""
        self._store.execute(
            f"UPDATE log_trouble SET settled = 1 WHERE group_id = ? AND code IN ({_FORKS})",  # noqa: S608 - constant
            group_id,
        )
