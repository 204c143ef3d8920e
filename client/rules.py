"""Admission rules as data: TOML to rules, with errors that say which rule and what to do."""

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Literal

import msgspec

from client.admission import Frank, Place, Relation, Rule, Subject
from client.errors import RulesError
from identity.binding import Verdict
from identity.status import NumberStatus

RULES_LIMIT = 100  # rules in a list
SIZE_LIMIT = 64 * 1024  # characters of TOML
_UNITS = {"minute": 60, "hour": 3600, "day": 86400, "week": 604800}


class _Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    place: Literal["inbox", "request", "quarantine", "drop"]
    subject: Subject | None = None
    relation: list[Relation] = []
    verdict: list[Verdict] = []
    status: list[NumberStatus] = []
    frank: list[Frank] = []
    numbers: list[Annotated[str, msgspec.Meta(pattern=r"\A\+[0-9]{1,15}\Z")]] = []
    issuer: list[str] = []
    younger_than: Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{1,4} (minute|hour|day|week)s?\Z")] | None = None
    needs_proof: bool | None = None


class _Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule: Annotated[list[_Rule], msgspec.Meta(max_length=RULES_LIMIT)] = []


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Read a list of rules from TOML. Raises RulesError."""
    if len(text) > SIZE_LIMIT:
        raise RulesError(f"a list of rules has at most {SIZE_LIMIT} characters")
    try:
        read = msgspec.convert(tomllib.loads(text), _Rules)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise RulesError(f"the rules cannot be read: {error}") from error
    names = [each.name for each in read.rule]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise RulesError(f"two rules are called {twice!a}; what a rule hides is told by its name")
    return tuple(map(_rule, read.rule))


def default_toml() -> str:
    """The rules that this program comes with."""
    return files("client").joinpath("default_rules.toml").read_text("utf-8")


@lru_cache(maxsize=1)
def default_rules() -> tuple[Rule, ...]:
    """The same, read."""
    return parse_rules(default_toml())


def _rule(read: _Rule) -> Rule:
    return Rule(
        read.name,
        Place(read.place),
        read.subject,
        frozenset(read.relation),
        frozenset(read.verdict),
        frozenset(read.status),
        frozenset(read.frank),
        tuple(read.numbers),
        frozenset(read.issuer),
        None if read.younger_than is None else _seconds(read.younger_than),
        read.needs_proof,
    )


def _seconds(text: str) -> int:
    count, unit = text.split()
    return int(count) * _UNITS[unit.removesuffix("s")]
