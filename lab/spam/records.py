"""What came of each first contact, as rows that anybody can count again."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lab.spam.scenario import Scenario, name_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(slots=True)
class Attempt:
    """One first contact. Steps count from 0; None where it never came to that.

    `asked`, `granted`: a request for contact came first, and was agreed to. `refused`: the delivery service's word, if
    it handed out no key package. `place`: where the recipient's client put it (inbox, request, quarantine, declined).
    `carded`: when its number was seen among the requests; `seen`: when its words were; `reported`: when the recipient
    reported it.
    """

    id: int
    step: int
    spam: bool
    stranger: bool
    strategy: str
    sender: str
    number: str
    target: str
    group: str = ""
    refused: str = ""
    asked: bool = False
    granted: bool = False
    place: str = ""
    carded: int | None = None
    seen: int | None = None
    accepted: int | None = None
    reported: int | None = None

    @property
    def hidden(self) -> bool:
        """Whether the recipient can not come across it: refused, held back or dropped."""
        return bool(self.refused) or self.place in ("quarantine", "declined")


@dataclass(frozen=True, slots=True)
class Summary:
    """One run in figures. `spam_seen`: whose words a person saw; `spam_carded`: whose number they saw in a request."""

    seed: int
    defences: str
    users: int
    spammers: int
    days: int
    spam: int
    spam_refused: int
    spam_quarantined: int
    spam_carded: int
    spam_seen: int
    honest: int
    honest_hidden: int
    honest_seen: int
    reports: int
    misreports: int
    numbers: int
    seen_per_user: float
    seen_per_number: float
    hidden_share: float


def summary(scenario: Scenario, attempts: Sequence[Attempt]) -> Summary:
    """Count a run."""
    spam = [each for each in attempts if each.spam]
    honest = [each for each in attempts if not each.spam]
    strangers = [each for each in honest if each.stranger]
    numbers = len({each.number for each in spam})
    seen = sum(each.seen is not None for each in spam)
    hidden = sum(each.hidden for each in honest)
    return Summary(
        seed=scenario.seed,
        defences=name_of(scenario.defences),
        users=scenario.users,
        spammers=scenario.spammers,
        days=scenario.days,
        spam=len(spam),
        spam_refused=sum(bool(each.refused) for each in spam),
        spam_quarantined=sum(each.place in ("quarantine", "declined") for each in spam),
        spam_carded=sum(each.carded is not None for each in spam),
        spam_seen=seen,
        honest=len(honest),
        honest_hidden=hidden,
        honest_seen=sum(each.seen is not None for each in honest),
        reports=sum(each.reported is not None for each in spam),
        misreports=sum(each.reported is not None for each in strangers),
        numbers=numbers,
        seen_per_user=seen / scenario.users,
        seen_per_number=seen / max(numbers, 1),
        hidden_share=hidden / max(len(honest), 1),
    )


def write_run(path: Path, scenario: Scenario, attempts: Iterable[Attempt]) -> None:
    """JSON Lines: the scenario, then each attempt."""
    lines = [msgspec.json.encode(scenario), *map(msgspec.json.encode, attempts)]
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def read_run(path: Path) -> tuple[Scenario, list[Attempt]]:
    """What `write_run` wrote. Raises ValueError."""
    try:
        first, *rest = path.read_bytes().splitlines()
        return msgspec.json.decode(first, type=Scenario), [msgspec.json.decode(line, type=Attempt) for line in rest]
    except (msgspec.DecodeError, ValueError) as error:
        raise ValueError(f"{path} is not a run of this laboratory: {error}") from error


def write_rows(path: Path, rows: Sequence["DataclassInstance"]) -> None:
    """CSV with a heading, of dataclasses of one kind."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(rows[0])] if rows else [])
        writer.writerows(astuple(row) for row in rows)
