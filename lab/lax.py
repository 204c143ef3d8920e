"""Roles that nobody keeps to."""

from collections.abc import Iterable

from identity.groups.roles import Committed, EpochRoles, Proposed


class Lax(EpochRoles):
    """Whatever is proposed or committed is fine."""

    def check_proposals(self, proposals: Iterable[Proposed]) -> None:
        """Let it pass."""

    def check_commit(self, commit: Committed) -> None:
        """Let it pass."""
