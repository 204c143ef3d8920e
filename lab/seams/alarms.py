"""What a client watches to see that its owner's number or key is used elsewhere."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from client.credentials.log_monitor import LogMonitor
from client.defence.alarms import AlarmKind
from client.defence.watch import Watch
from identity.authority.log.wire import LoggedEntry
from identity.transparency.heads import TreeHead
from lab.attacks.outcome import Guard, Keeper
from lab.seams.seam import Place, exchanging, instead

Read: TypeAlias = Callable[[LogMonitor, bytes, TreeHead, Sequence[LoggedEntry], int], bool]


def alarm(kind: AlarmKind) -> Guard:
    """The guard that is an alarm of the owner's client."""
    return Guard(Keeper.ALARM, kind)


def _never_at_the_end(read: Read) -> Read:
    """Let entries be read as if more of them came."""

    def reading(self: LogMonitor, log_id: bytes, head: TreeHead, entries: Sequence[LoggedEntry], now: int) -> bool:
        return read(self, log_id, replace(head, size=head.size + 1), entries, now)

    return reading


SESSIONS = exchanging(alarm(AlarmKind.SESSION), instead(Watch, "_strange_sessions", lambda *_: False))
CERTIFICATES = exchanging(alarm(AlarmKind.CERTIFICATE), instead(Watch, "certificates", lambda *_: False))
LOGGED = exchanging(alarm(AlarmKind.CERTIFICATE), instead(LogMonitor, "_look_at", lambda *_: False))
TREE = exchanging(alarm(AlarmKind.LOG), Place(LogMonitor, "read", _never_at_the_end))
