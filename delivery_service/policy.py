"""What an operator decides: how long things are kept, when a member is idle, whose lists of revocations count."""

from dataclasses import dataclass

from delivery_service.errors import StartError
from delivery_service.wire import RETENTION
from delivery_service.wire.duties import RETENTION_LEAST, RETENTION_MOST
from identity.groups.eviction import IDLE_LEAST, IDLE_MOST

DAY = 86_400


@dataclass(frozen=True, slots=True)
class Policy:
    """Seconds, but `revocations`: URLs or paths of lists. `idle` 0: nobody is proposed for being idle."""

    retention: int = RETENTION
    idle: int = 0
    revocations: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises StartError for what is out of bounds."""
        if not RETENTION_LEAST <= self.retention <= RETENTION_MOST:
            raise StartError(f"entries are kept for {RETENTION_LEAST // DAY} to {RETENTION_MOST // DAY} days")
        if self.idle and not IDLE_LEAST <= self.idle <= IDLE_MOST:
            raise StartError(f"members are idle after {IDLE_LEAST // DAY} to {IDLE_MOST // DAY} days, or never")


POLICY = Policy()
