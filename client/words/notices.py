"""What a commit did to a chat, as one line: who came and went, whose devices did, and whose role changed."""

from collections.abc import Iterable, Iterator, Sequence

from client.events import MembersChanged
from identity.number import TelephoneNumber


def notice(changed: MembersChanged, own: TelephoneNumber) -> str:
    """Who came, who left and whose role changed, told to `own`; empty if nothing of that happened."""
    who = "Somebody" if changed.committer is None else str(changed.committer)
    return " ".join((*_arrivals(changed, who), *_departures(changed, who, own), *_roles(changed, who)))


def _arrivals(changed: MembersChanged, who: str) -> Iterator[str]:
    people, devices = _apart(changed.added, changed)
    if people:
        yield f"{who} added {_listed(people)}."
    if changed.committer in devices:
        yield f"{who} added another device."
    if others := [number for number in devices if number != changed.committer]:
        yield f"{who} added another device of {_listed(others)}."


def _departures(changed: MembersChanged, who: str, own: TelephoneNumber) -> Iterator[str]:
    people, devices = _apart(changed.left, changed)
    if people:
        yield "You left." if changed.removed_self and own in people else f"{_listed(people)} left."
    if devices:
        yield f"A device of {_listed(devices)} left."
    people, devices = _apart([number for number in changed.removed if number not in changed.left], changed)
    if people:
        yield f"{who} removed {'you' if changed.removed_self and own in people else _listed(people)}."
    if changed.removed_self and own in devices:
        yield f"{who} removed this device."
    elif changed.committer in devices:
        yield f"{who} removed another device."
    if others := [number for number in devices if number not in (changed.committer, own)]:
        yield f"{who} removed a device of {_listed(others)}."
    if own in devices and not changed.removed_self and own != changed.committer:
        yield f"{who} removed a device of yours."


def _roles(changed: MembersChanged, who: str) -> Iterator[str]:
    if changed.promoted:
        yield f"{who} made {_listed(changed.promoted)} {'admins' if len(changed.promoted) > 1 else 'an admin'}."
    if changed.demoted:
        yield f"{who} ended the admin role of {_listed(changed.demoted)}."


def _apart(
    numbers: Sequence[TelephoneNumber], changed: MembersChanged
) -> tuple[Sequence[TelephoneNumber], Sequence[TelephoneNumber]]:
    """Those who came or went as persons, and those of whom another device was there before and is there still."""
    people = [number for number in numbers if number not in changed.staying]
    return people, [number for number in numbers if number in changed.staying]


def _listed(numbers: Iterable[TelephoneNumber]) -> str:
    return ", ".join(map(str, dict.fromkeys(numbers)))
