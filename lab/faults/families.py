"""Families of seeds: named mixtures of faults and of what people do."""

from dataclasses import dataclass, field, fields


@dataclass(frozen=True, slots=True)
class Rates:
    """How likely each fault is: of a request unless it says otherwise, between 0 and 1.

    `slow`: seconds that a delayed request or answer may take. `crash_client`, `crash_replica`: for each deed, that one
    of them dies within the next callbacks. `commit_crash`, `step_crash`: that a replica dies beside a transaction, a
    client beside one of its store's. `partition`: for each deed, that a client and a replica are cut off from each
    other for up to `cut` seconds. `skew`: seconds by which clocks may be off. `outage`: of a transaction.
    """

    drop_request: float = 0.0
    drop_answer: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0
    slow: float = 8.0
    break_stream: float = 0.0
    crash_client: float = 0.0
    crash_replica: float = 0.0
    commit_crash: float = 0.0
    step_crash: float = 0.0
    partition: float = 0.0
    cut: float = 20.0
    skew: float = 0.0
    outage: float = 0.0
    lost_wakeup: float = 0.0

    def words(self) -> str:
        """The faults that there are."""
        given = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in ("slow", "cut")}
        return ", ".join(f"{name.replace('_', ' ')} {rate:g}" for name, rate in given.items() if rate)


@dataclass(frozen=True, slots=True)
class Habits:
    """How often people do what; weights."""

    say: int = 10
    create: int = 1
    invite: int = 2
    remove: int = 1
    leave: int = 1
    refresh: int = 2
    rename: int = 1
    claim: int = 1
    sync: int = 3
    offline: int = 1
    admin: int = 0


@dataclass(frozen=True, slots=True)
class Family:
    """A mixture: `actions` happen within `window` seconds; the part `following` of the clients follows a stream."""

    name: str
    rates: Rates = field(default_factory=Rates)
    habits: Habits = field(default_factory=Habits)
    replicas: int = 1
    actions: int = 7
    window: float = 14.0
    following: float = 0.5


_LOSSY = Rates(drop_request=0.08, drop_answer=0.08)
_RACING = Habits(say=6, invite=3, refresh=8, rename=2)

_ALL = (
    Family("calm"),
    Family("lossy", _LOSSY),
    Family("lost answers", Rates(drop_answer=0.25)),
    Family("lost requests", Rates(drop_request=0.25)),
    Family("duplicating", Rates(duplicate=0.3)),
    Family("delayed", Rates(delay=0.3)),
    Family("reordering", Rates(delay=0.5, slow=3.0, duplicate=0.2), window=6.0),
    Family("very late requests", Rates(delay=0.15, slow=70.0, drop_answer=0.05), window=60.0),
    Family("partitioned", Rates(partition=0.3)),
    Family("crashing clients", Rates(crash_client=0.6)),
    Family("clients crashing beside their store", Rates(step_crash=0.02, crash_client=0.1)),
    Family("crashing replicas", Rates(crash_replica=0.2)),
    Family("replicas crashing beside commits", Rates(commit_crash=0.05)),
    Family("skewed", Rates(skew=4.0)),
    Family("skewed beyond limits", Rates(skew=900.0)),
    Family("racing commits", habits=_RACING, window=3.0, actions=8),
    Family("racing commits on a lossy line", _LOSSY, _RACING, window=3.0, actions=8),
    Family("many invitations", Rates(drop_answer=0.05), Habits(say=3, create=4, invite=6, remove=3, claim=3)),
    Family("comings and goings", Rates(delay=0.1), Habits(say=4, invite=6, remove=4, leave=4), window=8.0),
    Family("offline returns", Rates(drop_answer=0.03), Habits(offline=8), window=120.0),
    Family("broken streams", Rates(break_stream=0.2, drop_request=0.03), following=1.0),
    Family("roles", Rates(drop_answer=0.08, delay=0.1), Habits(create=2, admin=5, invite=4, remove=2, leave=2)),
    Family("two replicas", replicas=2),
    Family("two replicas, racing", Rates(delay=0.1), _RACING, replicas=2, window=3.0, actions=8),
    Family("two replicas, crashing", Rates(crash_replica=0.2, commit_crash=0.03, drop_answer=0.05), replicas=2),
    Family("two replicas, partitioned", Rates(partition=0.3, lost_wakeup=0.3), replicas=2),
    Family("three replicas, duplicating", Rates(duplicate=0.3, delay=0.2, lost_wakeup=0.1), _RACING, replicas=3),
    Family("failing storage", Rates(outage=0.05), replicas=2),
    Family(
        "everything",
        Rates(0.05, 0.05, 0.08, 0.1, 12.0, 0.05, 0.15, 0.1, 0.01, 0.005, 0.08, 15.0, 30.0, 0.01, 0.1),
        Habits(admin=1),
        replicas=2,
    ),
)

FAMILIES = {family.name: family for family in _ALL}
