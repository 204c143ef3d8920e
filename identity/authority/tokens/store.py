"""The token authority's memory: challenges, and which keys rest on which proofs of a number."""

from collections.abc import Iterable

from identity.authority.database import Database
from identity.authority.tokens.challenge import Challenge, ChallengeState
from identity.authority.wire import NUMBER_PROOF_LIFETIME
from identity.number import TelephoneNumber

MOVE_RETENTION = 86_400  # seconds, longer than any assertion counts
CHALLENGE_RETENTION = 3_600  # seconds after its end in which a challenge is still known, to say that it expired


class TokenStore(Database):
    """The token authority's file; every use is inside `transaction()`."""

    package = "identity.authority.tokens"
    scripts = ("tokens.sql",)

    def is_new(self) -> bool:
        """Whether it never held anything that matters."""
        return not self.rows("SELECT 1 FROM number_proofs UNION SELECT 1 FROM takeovers")

    def challenge(self, challenge_id: str) -> Challenge | None:
        """Read a challenge."""
        row = self.row(
            "SELECT id, number, code_mac, expires_at, state, attempts_left, bound_to FROM challenges WHERE id = ?",
            challenge_id,
        )
        if row is None:
            return None
        identifier, digits, mac, expires_at, state, attempts_left, bound_to = row
        number = TelephoneNumber.from_digits(digits)
        return Challenge(identifier, number, mac, expires_at, ChallengeState(state), attempts_left, bound_to)

    def save_challenge(self, challenge: Challenge) -> None:
        """Write a challenge, new or changed."""
        self.execute(
            "INSERT OR REPLACE INTO challenges VALUES (?, ?, ?, ?, ?, ?, ?)",
            challenge.id,
            challenge.number.digits,
            challenge.code_mac,
            challenge.expires_at,
            challenge.state.value,
            challenge.attempts_left,
            challenge.bound_to,
        )

    def forget_challenge(self, challenge_id: str) -> None:
        """Delete a challenge whose code nobody received."""
        self.execute("DELETE FROM challenges WHERE id = ?", challenge_id)

    def proved_at(self, number: TelephoneNumber, key: str) -> int | None:
        """When the number was last proved for a key, or for the keys that it was renewed from."""
        row = self.row("SELECT proved_at FROM number_proofs WHERE number = ? AND key = ?", number.digits, key)
        return None if row is None else int(row[0])

    def prove(self, number: TelephoneNumber, key: str, proved_at: int) -> None:
        """Note that a key rests on a proof of the number; the newest one counts."""
        self.execute(
            "INSERT INTO number_proofs VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET proved_at = max(proved_at, excluded.proved_at)",
            number.digits,
            key,
            proved_at,
        )

    def forget_number(self, number: TelephoneNumber, now: int) -> int:
        """Delete every proof and challenge of a number; returns how many keys rested on a proof.

        What carriers asserted of it before counts no more either.
        """
        self.execute("INSERT OR REPLACE INTO numbers_moved VALUES (?, ?)", number.digits, now)
        self.execute("DELETE FROM challenges WHERE number = ?", number.digits)
        return self.execute("DELETE FROM number_proofs WHERE number = ?", number.digits)

    def moved_at(self, number: TelephoneNumber) -> int:
        """When the number last went to somebody else, 0 if it never did."""
        row = self.row("SELECT at FROM numbers_moved WHERE number = ?", number.digits)
        return 0 if row is None else int(row[0])

    def take_over(self, proofs: Iterable[tuple[TelephoneNumber, str, int]], now: int) -> None:
        """Take proofs over from an authority of before, once."""
        if self.rows("SELECT 1 FROM takeovers"):
            return
        for number, key, proved_at in proofs:
            self.prove(number, key, proved_at)
        self.execute("INSERT INTO takeovers VALUES (?)", now)

    def prune(self, now: int) -> None:
        """Delete what is of no more use."""
        super().prune(now)
        self.execute("DELETE FROM challenges WHERE expires_at <= ?", now - CHALLENGE_RETENTION)
        self.execute("DELETE FROM number_proofs WHERE proved_at <= ?", now - NUMBER_PROOF_LIFETIME)
        self.execute("DELETE FROM numbers_moved WHERE at <= ?", now - MOVE_RETENTION)
