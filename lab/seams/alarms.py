"""What a client watches to see that its owner's number or key is used elsewhere."""

from client.credentials.log_monitor import LogMonitor
from client.defence.alarms import AlarmKind
from client.defence.watch import Watch
from lab.attacks.outcome import Guard, Keeper
from lab.seams.seam import exchanging, instead


def alarm(kind: AlarmKind) -> Guard:
    """The guard that is an alarm of the owner's client."""
    return Guard(Keeper.ALARM, kind)


SESSIONS = exchanging(alarm(AlarmKind.SESSION), instead(Watch, "_strange_sessions", lambda *_: False))
CERTIFICATES = exchanging(alarm(AlarmKind.CERTIFICATE), instead(Watch, "certificates", lambda *_: False))
LOGGED = exchanging(alarm(AlarmKind.CERTIFICATE), instead(LogMonitor, "_look_at", lambda *_: False))
