"""What follows from verified reports: a small function over a count, with every number that it uses.

    independent reports   status      for
    1                     reported    1 day
    3                     reported    7 days
    10                    withdrawn   30 days

A status runs from the report that raised the count, ends by itself, and is prolonged only by another one that does.
Reports are independent of each other if each is by another number about another conversation: neither many numbers in
one group with the accused, nor one number in many groups with it, count for more than one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from identity.reports.franking import HubKey
from identity.reports.number_status import NumberStatus

DAY = 86_400  # seconds
COUNT_LIMIT = 200  # independent reports; who has so many has earned every consequence


@dataclass(frozen=True, slots=True)
class Consequence:
    """From so many independent reports on: a status, and for how many seconds."""

    reports: int
    status: NumberStatus
    lasts: int


@dataclass(frozen=True, slots=True)
class ReportPolicy:
    """Times are in seconds. `window`: how long a report counts, and its messages are remembered.

    `reports_per_day`: of one number, accepted or refused; `struck_for`: how long the reports of a number do not count
    after the operator ended a status that it had brought about; `list_lifetime`: of one signed list. `hub_keys`:
    of the delivery services whose franks are believed, by key id; each of them could accuse any number.
    """

    consequences: tuple[Consequence, ...] = (
        Consequence(1, NumberStatus.REPORTED, DAY),
        Consequence(3, NumberStatus.REPORTED, 7 * DAY),
        Consequence(10, NumberStatus.WITHDRAWN, 30 * DAY),
    )
    window: int = 30 * DAY
    reports_per_day: int = 20
    struck_for: int = 90 * DAY
    list_lifetime: int = 3_600
    hub_keys: Mapping[bytes, HubKey] = field(default_factory=dict)

    def consequence(self, count: int) -> Consequence | None:
        """What follows from so many independent reports."""
        reached = [each for each in self.consequences if each.reports <= count]
        return max(reached, key=lambda each: each.reports, default=None)


def independent(reports: Iterable[tuple[bytes, bytes]], limit: int = COUNT_LIMIT) -> int:
    """How many of these (reporter, conversation) can be paired off so that no reporter and no conversation is twice.

    The maximum matching, by augmenting paths; it stops at `limit`, since more changes nothing.
    """
    conversations: dict[bytes, set[bytes]] = {}
    for reporter, conversation in reports:
        conversations.setdefault(reporter, set()).add(conversation)
    taken: dict[bytes, bytes] = {}
    found, seen = 0, set[bytes]()
    for reporter in conversations:
        if found == limit:
            break
        # What a search without success has seen leads nowhere for the next one either.
        if _paired(reporter, conversations, taken, seen):
            found, seen = found + 1, set()
    return found


def _paired(
    reporter: bytes, conversations: dict[bytes, set[bytes]], taken: dict[bytes, bytes], seen: set[bytes]
) -> bool:
    """Find a conversation for a reporter, moving others to another one of theirs; at most COUNT_LIMIT deep."""
    for conversation in conversations[reporter]:
        if conversation in seen:
            continue
        seen.add(conversation)
        if conversation not in taken or _paired(taken[conversation], conversations, taken, seen):
            taken[conversation] = reporter
            return True
    return False
