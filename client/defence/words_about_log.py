"""What each member device has said about the log, and whether it was heard from since it came in."""

from dataclasses import dataclass

from client.defence.witness import Witness
from client.storage.store import Row, Store

PATIENCE = 3 * 86400  # seconds without a word from somebody who was added, until it is said that they may not know


@dataclass(frozen=True, slots=True)
class Word:
    """A device's last word. `added` and `heard` are seconds, 0 for before this device and never."""

    device: str
    added: int
    heard: int
    epoch: int | None
    seq: int | None
    agrees: bool | None

    @property
    def is_awaited(self) -> bool:
        """Whether it came in before this device's eyes and was not heard from since."""
        return self.added > 0 and self.heard == 0

    def is_overdue(self, now: int) -> bool:
        """Whether its invitation may not have been delivered."""
        return self.is_awaited and now - self.added >= PATIENCE


class WordsAboutLog:
    """The rows of `log_word`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def came(self, group_id: bytes, device: str, now: int) -> None:
        """Note that a device was added; what it said when it was in the chat before counts no more."""
        self._store.execute(
            "INSERT OR REPLACE INTO log_word (group_id, device, added) VALUES (?, ?, ?)", group_id, device, now
        )

    def went(self, group_id: bytes, device: str) -> None:
        """Forget a device that was removed."""
        self._store.execute("DELETE FROM log_word WHERE group_id = ? AND device = ?", group_id, device)

    def forget(self, group_id: bytes) -> None:
        """Forget everybody of a group that this device is not in any more."""
        self._store.execute("DELETE FROM log_word WHERE group_id = ?", group_id)

    def heard(self, group_id: bytes, device: str, now: int) -> None:
        """Note an authenticated entry of a device."""
        self._store.execute(
            "INSERT INTO log_word (group_id, device, heard) VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET heard = max(heard, excluded.heard)",
            group_id,
            device,
            now,
        )

    def said(self, group_id: bytes, device: str, witness: Witness, now: int, *, agrees: bool) -> None:
        """Note what a device said about the log, and that it was heard."""
        self._store.execute(
            "INSERT INTO log_word (group_id, device, heard, epoch, seq, agrees) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET heard = excluded.heard, epoch = excluded.epoch, seq = excluded.seq, "
            "agrees = excluded.agrees",
            group_id,
            device,
            now,
            witness.epoch,
            witness.seq,
            agrees,
        )

    def of(self, group_id: bytes) -> dict[str, Word]:
        """The last word of each device."""
        rows = self._store.rows(
            "SELECT device, added, heard, epoch, seq, agrees FROM log_word WHERE group_id = ?", group_id
        )
        return {row[0]: _word(row) for row in rows}


def _word(row: Row) -> Word:
    device, added, heard, epoch, seq, agrees = row
    return Word(device, added, heard, epoch, seq, None if agrees is None else bool(agrees))
