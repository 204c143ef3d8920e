"""Which history a PostgreSQL server goes on with, so that a server that was left behind is not taken for the database.

A promotion begins a timeline with a higher number, `mark-restored` counts restores in the database, and a cluster that
was founded anew has another identifier. Whoever has met a newer history accepts no older one.
"""

import os
import secrets
from pathlib import Path

import msgspec

from delivery_service.errors import StartError

FILE = "lineage.json"
LINEAGE = """
SELECT restored, (pg_control_system()).system_identifier,
    ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint
FROM operation
"""  # of a primary; an error at a standby


class Lineage(msgspec.Struct, frozen=True, order=True):
    """The history of a server: restores, the cluster's identifier (the same for all its servers), and the timeline."""

    restored: int
    system: int
    timeline: int

    def __str__(self) -> str:
        return f"timeline {self.timeline} of system {self.system}"


NOTHING = Lineage(-1, 0, 0)


class Newest:
    """The newest history that this replica has met; with a folder also before its last start.

    Threads may ask it at any time. Who meets a server asks `meet`, who has one asks `is_behind`.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = None if folder is None else folder / FILE
        self._met = NOTHING

    @property
    def met(self) -> Lineage:
        """The newest history."""
        return self._met

    def load(self) -> None:
        """Remembers what the folder says. Raises StartError."""
        if self._file is None or not self._file.exists():
            return
        try:
            self._met = max(self._met, msgspec.json.decode(self._file.read_bytes(), type=Lineage))
        except (OSError, msgspec.MsgspecError) as error:
            raise StartError(f"{self._file} cannot be read ({error}): {_ACCEPT.format(file=self._file)}") from error

    def is_behind(self, found: Lineage) -> bool:
        """Whether another history is newer than the one found."""
        return found != self._met and not self._follows(found)

    def meet(self, found: Lineage) -> None:
        """Remembers a history that is newer. Raises StartError for one that is older, or of another cluster."""
        if found != self._met:
            self.load()  # another replica may have the folder, too
        if self.is_behind(found):
            raise StartError(
                f"the server goes on with {found}, and {self._met} was met before: it was left behind by a promotion, "
                f"or is another database; name the right one, or {_ACCEPT.format(file=self._file or FILE)}"
            )
        if found != self._met:
            self._keep(found)
            self._met = found

    def _follows(self, found: Lineage) -> bool:
        if found.restored != self._met.restored:
            return found.restored > self._met.restored
        return found.system == self._met.system and found.timeline > self._met.timeline

    def _keep(self, found: Lineage) -> None:
        """Stores it before it counts: after a power loss this replica must not go back either."""
        if self._file is None:
            return
        arriving = self._file.with_suffix(f".{secrets.token_hex(8)}")
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with arriving.open("wb") as file:
                file.write(msgspec.json.encode(found))
                file.flush()
                os.fsync(file.fileno())
            arriving.rename(self._file)
        except OSError as error:
            raise StartError(f"{self._file} cannot be stored: {error}") from error


_ACCEPT = "delete {file} once you know that no other server has more"
