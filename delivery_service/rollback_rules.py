"""When a commit may be taken back: plain decisions over values, by number (docs/protocol.md §6.1).

The service cannot check the tags of a commit (RFC 9420 §6.1, §8.1); the members can. So their word decides, within
these bounds, and everything that is not certain lets the commit stand.

| # | word           | rule                                                                                        |
|---|----------------|---------------------------------------------------------------------------------------------|
| 1 | settled        | no other device than the committer has appended anything since the commit                   |
| 2 | settled        | the last of the committer's commits is at most ROLLBACK_WINDOW old; one that comes more     |
|   |                | than that after the first begins anew, and what was before it stands                        |
| 3 | unknown-commit | the report names one of these commits by its number and by the digest of its octets         |
| 4 | not-allowed    | it is by a device that was a member before the first of them and is one after the last, and |
|   |                | that is not their committer                                                                 |
| 5 | invalid-signature | the device has signed exactly this report                                                |
| 6 |                | each device counts once, with its first report                                              |
| 7 |                | they are taken back when more than half of the devices of rule 4 have reported              |
"""

from collections.abc import Set
from dataclasses import dataclass

from delivery_service.errors import RefusedError
from delivery_service.wire.rollback import ROLLBACK_WINDOW


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Commits that may be taken back: the first, the epoch that it ended, by whom; the time of the last; the log's end.

    `device` and `committer` name the same device, before and after a commit of its own that changed its key.
    """

    seq: int
    epoch: int
    device: bytes
    last_ms: int
    committer: bytes
    head: int


def check_unsettled(unsettled: Unsettled | None) -> Unsettled:
    """Rule 1."""
    if unsettled is None:
        raise RefusedError("settled", "the group's last change stands: somebody else has gone on from it")
    return unsettled


def check_window(unsettled: Unsettled, at_ms: int) -> None:
    """Rule 2."""
    if at_ms > unsettled.last_ms + ROLLBACK_WINDOW * 1000:
        raise RefusedError("settled", f"a commit stands after {ROLLBACK_WINDOW} seconds (ROLLBACK_WINDOW)")


def check_named(unsettled: Unsettled, seq: int, digest: bytes, of_log: bytes | None) -> None:
    """Rule 3; `of_log` is the digest of the commit that stands at `seq`."""
    if of_log is None or seq > unsettled.head or digest != of_log:
        raise RefusedError("unknown-commit", f"there is no such commit at {seq}")
    if seq < unsettled.seq:
        raise RefusedError("settled", f"the commit at {seq} stands: somebody else has gone on from it")


def check_reporter(unsettled: Unsettled, device: bytes, may_report: Set[bytes]) -> None:
    """Rule 4."""
    if device in (unsettled.device, unsettled.committer):
        raise RefusedError("not-allowed", "nobody reports a commit of their own")
    if device not in may_report:
        raise RefusedError("not-allowed", "only members of the epoch before, who are still there, report a commit")


def is_due(reports: int, of: int) -> bool:
    """Rule 7."""
    return 2 * reports > of
