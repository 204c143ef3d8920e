"""What the authority says of numbers: its last list that was verified, kept whole, and asked without asking anybody."""

from contextlib import suppress
from dataclasses import dataclass

from client.credentials.trust import own_issuers
from client.steps.groups import Groups
from client.storage.store import Store
from identity.errors import StatusListError
from identity.number import TelephoneNumber
from identity.reports.number_status import NumberStatus
from identity.reports.status_list import SignedStatusList, StatusList, verify_status_list


@dataclass(frozen=True, slots=True)
class KnownList:
    """Which list is in use; `fetched_at`: when the authority last confirmed that it is the present one."""

    serial: int
    count: int
    issued_at: int
    expires_at: int
    fetched_at: int


class Statuses:
    """The list of the account's authority. Without one that has not ended, nothing is held against anybody."""

    def __init__(self, store: Store, groups: Groups) -> None:
        self._store = store
        self._groups = groups
        self._authority = groups.account.authority
        self._list: StatusList | None = None
        self._fetched_at = 0
        self.load()

    def of(self, number: TelephoneNumber, now: int) -> NumberStatus:
        """The status of a number."""
        if self._list is None or now >= self._list.expires_at:
            return NumberStatus.CLEAR
        return self._list.of(number)

    @property
    def known(self) -> KnownList | None:
        """The list that was last accepted, ended or not; None if there never was one."""
        last = self._list
        if last is None:
            return None
        return KnownList(last.serial, last.count, last.issued_at, last.expires_at, self._fetched_at)

    def adopt(self, octets: bytes, now: int) -> KnownList:
        """Verify a list that was fetched and keep it. Raises StatusListError, also on one that is older than ours."""
        signed = SignedStatusList.decode(octets)
        new = self._verified(signed, now)
        last = self._list
        # A serial that went back is a replay, unless all that we knew had ended before it was made: an authority that
        # was restored from a backup is believed again after the life of one list.
        if last is not None and new.serial < last.serial and new.issued_at <= last.expires_at:
            raise StatusListError(
                "rollback", f"the list has the serial {new.serial}, and {last.serial} was seen before"
            )
        self._store.execute(
            "INSERT OR REPLACE INTO status_list VALUES (?, ?, ?, ?)",
            self._authority,
            signed.token.decode("ascii"),
            signed.body,
            now,
        )
        self._list, self._fetched_at = new, now
        return KnownList(new.serial, new.count, new.issued_at, new.expires_at, now)

    def confirm(self, now: int) -> None:
        """Note that the authority has no other list."""
        self._store.execute("UPDATE status_list SET fetched_at = ? WHERE authority = ?", now, self._authority)
        self._fetched_at = now

    def load(self) -> None:
        """Read the list that is kept, if its signer is believed now."""
        row = self._store.row("SELECT token, body, fetched_at FROM status_list WHERE authority = ?", self._authority)
        self._list = None
        if row is None:
            return
        signed, self._fetched_at = SignedStatusList(row[0].encode("ascii"), row[1]), row[2]
        # An anchor may have been taken back since, or the row is damaged: the next list takes its place.
        with suppress(StatusListError):
            self._list = self._verified(signed, self._fetched_at)

    def _verified(self, signed: SignedStatusList, now: int) -> StatusList:
        trust = self._groups.trust
        signers = own_issuers(self._groups.account.chain, trust)
        revoked = self._groups.revocations.current()
        return verify_status_list(
            signed, authority=self._authority, anchors=trust, now=now, signers=signers, revocations=revoked
        )
