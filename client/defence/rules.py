"""Admission rules as data: TOML to rules, with errors that say which rule is wrong and which words it may use."""

import re
import tomllib
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec

from client.defence.admission import (
    BEHIND_CHAT,
    DECLINED_CHAT,
    NO_RULE,
    Facts,
    Frank,
    Place,
    Relation,
    Rule,
    Rules,
    Subject,
    decide,
)
from client.errors import RulesError
from client.formats.text import safe_text
from identity.binding import Verdict
from identity.number import TelephoneNumber
from identity.reports.number_status import NumberStatus

RULES_LIMIT = 100  # rules in a list
SIZE_LIMIT = 64 * 1024  # characters of TOML
NAME_LIMIT = 60  # characters
UNITS = {"minute": 60, "hour": 3600, "day": 86400, "week": 604800}  # seconds
_PLACES = Literal["inbox", "request", "quarantine", "drop"]
_HOLDING = (Verdict.VERIFIED, Verdict.DELAYED, Verdict.STALE)
_OF_MESSAGES = ("verdict", "frank", "needs_proof")  # what a chat does not have
_RESERVED = (BEHIND_CHAT, DECLINED_CHAT, NO_RULE)


class _Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LIMIT)]
    place: _PLACES
    subject: Subject | None = None
    relation: list[Relation] = []
    verdict: list[Verdict] = []
    status: list[NumberStatus] = []
    frank: list[Frank] = []
    numbers: list[Annotated[str, msgspec.Meta(pattern=r"\A\+[0-9]{1,15}\Z")]] = []
    issuer: list[str] = []
    younger_than: Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{1,4} (minute|hour|day|week)s?\Z")] | None = None
    needs_proof: bool | None = None


_WORDS: dict[str, tuple[str, ...]] = {
    "place": get_args(_PLACES),
    "subject": tuple(Subject),
    "relation": tuple(Relation),
    "verdict": tuple(Verdict),
    "status": tuple(NumberStatus),
    "frank": tuple(Frank),
    "numbers": ('prefixes such as "+1900"',),
    "younger_than": ('a time such as "2 hours" or "7 days"',),
    "needs_proof": ("true", "false"),
}
_AT = re.compile(r" - at `\$\.?(\w*)[^`]*`")


def parse_rules(text: str) -> Rules:
    """Read a list of rules from TOML. Raises RulesError."""
    if len(text) > SIZE_LIMIT:
        raise RulesError(f"a list of rules has at most {SIZE_LIMIT} characters")
    unseen = next((sign for sign in text if not sign.isprintable() and sign not in "\n\r\t"), None)
    if unseen is not None:
        raise RulesError(f"the sign {unseen!a} is not shown; write it as an escape, or leave it out")
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also an integer of too many digits
        raise RulesError(f"this is no TOML: {_printable(str(error))}") from error
    tables = document.get("rule", [])
    other = next((key for key in document if key != "rule"), None)
    if other is not None or not isinstance(tables, list):
        raise RulesError(f"{other!a} is not understood; every rule begins with [[rule]]" if other else _NO_LIST)
    if len(tables) > RULES_LIMIT:
        raise RulesError(f"a list has at most {RULES_LIMIT} rules")
    rules = [_rule(place, table) for place, table in enumerate(tables, 1)]
    names = [rule.name for rule in rules]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise RulesError(f"two rules are called {twice!a}; what a rule hides is told by its name")
    return Rules(rules)


_NO_LIST = "`rule` is no list; every rule begins with [[rule]]"


def read_toml(path: Path) -> str:
    """Read a file of rules. Raises RulesError, and OSError where there is none."""
    with path.open("rb") as file:
        octets = file.read(4 * SIZE_LIMIT + 1)
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RulesError(f"{str(path)!a} is no UTF-8 text") from error
    if len(text) > SIZE_LIMIT:
        raise RulesError(f"{str(path)!a} has more than {SIZE_LIMIT} characters")
    return text


def default_toml() -> str:
    """The rules that this program comes with."""
    return files("client.defence").joinpath("default_rules.toml").read_text("utf-8")


@lru_cache(maxsize=1)
def default_rules() -> Rules:
    """The same, read."""
    return parse_rules(default_toml())


def check_own_devices(rules: Rules, own: TelephoneNumber, issuer: str) -> None:
    """Refuse rules that would hide what the person's own devices do with a proof. Raises RulesError."""
    for facts in _own_facts(rules, own, issuer):
        admitted = decide(rules, facts)
        if admitted.place is not Place.INBOX:
            what = "chats that your own devices add you to" if facts.subject is Subject.CHAT else "what they write"
            raise RulesError(
                f"{admitted.rule!a} would hide {what}: relation self, which is your own devices",
                code="rules-hide-own",
                hint='Put a rule with relation = ["self"] and place = "inbox" before it.',
            )


def _own_facts(rules: Rules, own: TelephoneNumber, issuer: str) -> Iterator[Facts]:
    """Whatever may be true of another device of one's own whose proofs hold."""
    ages = {0, *(rule.younger_than for rule in rules if rule.younger_than is not None)}
    for age, status in product(sorted(ages), NumberStatus):
        yield Facts(Subject.CHAT, Relation.SELF, own, None, status, age, issuer)
        for verdict, frank, needs_proof in product(_HOLDING, (Frank.GOOD, Frank.ABSENT), (False, True)):
            yield Facts(Subject.MESSAGE, Relation.SELF, own, verdict, status, age, issuer, frank, needs_proof)


def _rule(place: int, table: object) -> Rule:
    name = table.get("name") if isinstance(table, dict) else None
    called = f"rule {place}" + (f", {name[:NAME_LIMIT]!a}" if isinstance(name, str) else "")
    try:
        read = msgspec.convert(table, _Rule)
    except (msgspec.ValidationError, RecursionError) as error:
        raise RulesError(f"{called}: {_explained(str(error))}") from error
    if read.name in _RESERVED:
        raise RulesError(f"{called}: this program uses that name itself; give it another one")
    if not read.name.isprintable() or safe_text(read.name).text != read.name or read.name != read.name.strip():
        raise RulesError(f"{called}: a name is one line of signs that are shown")
    stated = [field for field in _OF_MESSAGES if getattr(read, field) not in ([], None)]
    if stated and read.subject is Subject.CHAT:
        raise RulesError(f"{called}: {stated[0]} is known of messages only, and its subject is a chat")
    subject = Subject.MESSAGE if stated else read.subject
    if read.place == "request" and subject is not Subject.CHAT:
        raise RulesError(f'{called}: only a chat can be a request; add subject = "chat"')
    return Rule(
        read.name,
        Place(read.place),
        subject,
        frozenset(read.relation),
        frozenset(read.verdict),
        frozenset(read.status),
        frozenset(read.frank),
        tuple(read.numbers),
        frozenset(read.issuer),
        None if read.younger_than is None else _seconds(read.younger_than),
        read.needs_proof,
    )


def _explained(problem: str) -> str:
    """What msgspec says, with the field first and the words that may stand there."""
    at = _AT.search(problem)
    field = at[1] if at else ""
    words = _WORDS.get(field)
    if words is None:
        known = f"; a rule may state {', '.join(_Rule.__struct_fields__)}" if "unknown field" in problem else ""
        return f"{_printable(_AT.sub('', problem))}{f' ({field})' if field else ''}{known}"
    return f"{field} is not understood; it may be {', '.join(map(_word, words))}"


def _word(word: str) -> str:
    return word.value if isinstance(word, StrEnum) else word


def _seconds(text: str) -> int:
    count, unit = text.split()
    return int(count) * UNITS[unit.removesuffix("s")]


def _printable(text: str) -> str:
    return text if text.isascii() and text.isprintable() else ascii(text)
