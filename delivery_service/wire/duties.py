"""What the service says of its own duties: how long it keeps things, whom it proposes to remove, which lists it has."""

import msgspec

RETENTION_LEAST = 86_400  # seconds that an operator may have entries kept at least
RETENTION_MOST = 365 * 86_400  # and at most
LAST_RESORT_AGE = 14 * 86_400  # seconds after which a last-resort key package is to be replaced, used or not
EVICTION_MARGIN = 86_400  # seconds beyond identity.device.MEMBER_GRACE before a lapsed member is proposed


class RevocationState(msgspec.Struct, frozen=True):
    """Which lists of revocations the service goes by.

    `lists`: how many were verified. `next_update`: when the first of them is over, 0 without any; after that the
    service knows no more of what it does not name. `failed_since`: since when a source cannot be had, 0 if all could.
    """

    sources: int
    lists: int
    next_update: int
    failed_since: int


class EvictionPolicy(msgspec.Struct, frozen=True):
    """Whom the service proposes to remove, as external sender of the groups that name it.

    `key`: an uncompressed P-256 point; `idle`: seconds after which a member is idle, 0 for never.
    """

    key: bytes
    idle: int = 0
