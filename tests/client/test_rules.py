"""Admission rules as text and as decisions: any text is rules or a RulesError, and the first that applies decides."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import client
from client.defence.admission import (
    NO_RULE,
    Consent,
    Facts,
    Frank,
    Place,
    Relation,
    Rule,
    Rules,
    Subject,
    admit_message,
    decide,
)
from client.defence.rule_words import rule_words
from client.defence.rules import (
    RULES_LIMIT,
    SIZE_LIMIT,
    check_own_devices,
    default_rules,
    default_toml,
    parse_rules,
)
from client.errors import RulesError
from identity.binding import Verdict
from identity.number import TelephoneNumber
from identity.reports.number_status import NumberStatus

NUMBERS = st.from_regex(r"[1-9][0-9]{0,14}", fullmatch=True).map(TelephoneNumber.from_digits)
ISSUERS = st.sampled_from(["CN=One", "CN=Two"])
FACTS = st.builds(
    Facts,
    subject=st.sampled_from(Subject),
    relation=st.sampled_from(Relation),
    number=NUMBERS,
    verdict=st.none() | st.sampled_from(Verdict),
    status=st.sampled_from(NumberStatus),
    certificate_age=st.integers(0, 10**6),
    issuer=ISSUERS,
    frank=st.sampled_from(Frank),
    needs_proof=st.booleans(),
)
RULE = st.builds(
    Rule,
    name=st.text(min_size=1),
    place=st.sampled_from([Place.INBOX, Place.REQUEST, Place.QUARANTINE, Place.DROP]),
    subject=st.none() | st.sampled_from(Subject),
    relation=st.frozensets(st.sampled_from(Relation), max_size=2),
    verdict=st.frozensets(st.sampled_from(Verdict), max_size=2),
    status=st.frozensets(st.sampled_from(NumberStatus), max_size=2),
    frank=st.frozensets(st.sampled_from(Frank), max_size=2),
    numbers=st.lists(NUMBERS.map(lambda number: number.e164[:3]), max_size=2).map(tuple),
    issuer=st.frozensets(ISSUERS, max_size=1),
    younger_than=st.none() | st.integers(0, 10**6),
    needs_proof=st.none() | st.booleans(),
)
WORDS = ["chat", "message", "self", "stranger", "failed", "reported", "wrong", "inbox", "drop", "+1900", "2 days", ""]
VALUES = st.sampled_from([f'"{word}"' for word in WORDS]) | st.sampled_from(["true", "1", "{}", "[[]]", "9" * 5000])
LISTS = st.lists(VALUES, max_size=3).map(lambda values: f"[{', '.join(values)}]")
LINES = st.tuples(st.sampled_from([*Rule.__dataclass_fields__, "colour"]), VALUES | LISTS).map(" = ".join)
TABLES = st.lists(st.just("[[rule]]") | LINES, max_size=12).map("\n".join)
SELF_FIRST = '[[rule]]\nname = "mine"\nrelation = ["self"]\nplace = "inbox"\n'


def one(lines: str) -> str:
    return f'[[rule]]\nname = "one"\n{lines}\n'


@given(st.text() | TABLES)
def test_any_text_is_rules_or_refused(text: str) -> None:
    with suppress(RulesError):
        for rule in parse_rules(text):
            assert rule_words(rule)


@given(st.binary())
def test_any_octets_as_text_are_rules_or_refused(octets: bytes) -> None:
    with suppress(RulesError):
        parse_rules(octets.decode("latin-1"))


@given(st.lists(RULE, max_size=6), st.lists(FACTS, min_size=1, max_size=6))
def test_the_first_rule_that_applies_decides(rules: list[Rule], asked: list[Facts]) -> None:
    compiled = Rules(rules)
    for facts in asked:  # one after the other, since what suits is remembered
        first = next((rule for rule in rules if rule.applies(facts)), None)
        admitted = decide(compiled, facts)
        if first is None:
            expected = (Place.REQUEST, NO_RULE) if facts.subject is Subject.CHAT else (Place.INBOX, "")
            assert (admitted.place, admitted.rule) == expected
        else:
            hidden = first.place is not Place.INBOX
            assert (admitted.place, admitted.rule) == (first.place, first.name if hidden else "")
            assert bool(admitted.why) == hidden


@given(FACTS, st.sampled_from(Consent), st.booleans())
def test_nothing_is_shown_of_a_chat_that_was_not_accepted(facts: Facts, consent: Consent, aside: bool) -> None:
    admitted = admit_message(default_rules(), facts, consent, aside=aside)
    shown = admitted.place in (Place.INBOX, Place.ASIDE)
    assert not shown or consent is Consent.INBOX
    assert shown == (admitted.rule == "")


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("rule = 1", "every rule begins with"),
        ("[rule]", "every rule begins with"),
        ('[[regel]]\nname = "x"', "'regel' is not understood"),
        ("[[rule]]\nname =", "this is no TOML"),
        ("# \u202e", "the sign '\\u202e' is not shown"),
        ("# \x9b31m", "the sign '\\x9b' is not shown"),
        ('[[rule]]\nname = "a"', "rule 1, 'a': Object missing required field `place`"),
        ('[[rule]]\nplace = "drop"', "rule 1: Object missing required field `name`"),
        (one('place = "bin"'), "rule 1, 'one': place is not understood; it may be inbox, request, quarantine, drop"),
        (
            one('place = "drop"\nrelation = ["friend"]'),
            "it may be self, contact, new-key, shares-group, stranger, blocked",
        ),
        (one('place = "drop"\nverdict = "failed"'), "verdict is not understood; it may be verified, delayed"),
        (one('place = "drop"\nstatus = ["bad"]'), "it may be clear, reported, withdrawn"),
        (one('place = "drop"\nnumbers = ["1900"]'), 'it may be prefixes such as "+1900"'),
        (one('place = "drop"\nyounger_than = "soon"'), 'it may be a time such as "2 hours" or "7 days"'),
        (one('place = "drop"\ncolour = "red"'), "unknown field `colour`; a rule may state name, place, subject"),
        (one('place = "drop"\nverdict = ["failed"]\nsubject = "chat"'), "verdict is known of messages only"),
        (one('place = "request"'), 'only a chat can be a request; add subject = "chat"'),
        (SELF_FIRST + SELF_FIRST, "two rules are called 'mine'"),
        ('[[rule]]\nname = "a\\u202eb"\nplace = "drop"', "a name is one line of signs that are shown"),
        ('[[rule]]\nname = "chat not accepted"\nplace = "drop"', "this program uses that name itself"),
        ("\n".join(f'[[rule]]\nname = "{n}"\nplace = "drop"' for n in range(RULES_LIMIT + 1)), "at most 100 rules"),
        ("#" * (SIZE_LIMIT + 1), "at most 65536 characters"),
    ],
)
def test_an_error_names_the_rule_and_the_words_that_it_may_use(toml: str, says: str) -> None:
    with pytest.raises(RulesError) as caught:
        parse_rules(toml)
    assert says in str(caught.value)
    assert str(caught.value).isprintable()


def test_what_is_stated_of_messages_says_nothing_of_chats() -> None:
    rules = parse_rules(SELF_FIRST + one('place = "quarantine"\nfrank = ["absent"]'))
    chat = Facts(Subject.CHAT, Relation.CONTACT, TelephoneNumber.from_digits("12025550142"))
    assert decide(rules, chat).rule == NO_RULE


def test_own_devices_are_heard_by_the_default_rules() -> None:
    check_own_devices(default_rules(), TelephoneNumber.from_digits("12025550142"), "CN=Issuer")


@pytest.mark.parametrize(
    ("toml", "what"),
    [
        ("", "'no rule applies' would hide chats that your own devices add you to"),
        (one('place = "quarantine"') + default_toml(), "'one' would hide"),
        (one('place = "drop"\nnumbers = ["+1202"]') + default_toml(), "'one' would hide"),
        (one('place = "quarantine"\nfrank = ["absent"]') + default_toml(), "'one' would hide what they write"),
        (one('place = "quarantine"\nyounger_than = "2 days"') + default_toml(), "'one' would hide"),
        (one('place = "quarantine"\nrelation = ["self", "stranger"]') + default_toml(), "'one' would hide"),
        (one('place = "quarantine"\nissuer = ["CN=Issuer"]') + default_toml(), "'one' would hide"),
        (one('place = "quarantine"\nneeds_proof = true') + default_toml(), "'one' would hide what they write"),
        (one('place = "quarantine"\nverdict = ["delayed"]') + default_toml(), "'one' would hide what they write"),
    ],
)
def test_rules_that_hide_own_devices_are_refused(toml: str, what: str) -> None:
    own = TelephoneNumber.from_digits("12025550142")
    with pytest.raises(RulesError, match=what) as caught:
        check_own_devices(parse_rules(toml), own, "CN=Issuer")
    assert caught.value.code == "rules-hide-own"
    check_own_devices(parse_rules(SELF_FIRST + toml), own, "CN=Issuer")  # as the hint says


def test_every_default_rule_stands_in_the_readme_in_words() -> None:
    readme = Path(client.__file__).with_name("README.md").read_text("utf-8")
    table = readme.partition("| rule | what it does |\n|---|---|\n")[2].partition("\n\n")[0]
    assert table.splitlines() == [f"| {rule.name} | {rule_words(rule)} |" for rule in default_rules()]


@pytest.mark.parametrize("verdict", [Verdict.UNSIGNED, Verdict.UNDECIDED, Verdict.FAILED])
@pytest.mark.parametrize("relation", [Relation.CONTACT, Relation.SHARES_GROUP, Relation.STRANGER, Relation.NEW_KEY])
def test_a_chat_that_wants_proof_shows_nothing_that_is_not_proved(verdict: Verdict, relation: Relation) -> None:
    number = TelephoneNumber.from_digits("12025550142")
    facts = Facts(Subject.MESSAGE, relation, number, verdict, needs_proof=True)
    admitted = admit_message(default_rules(), facts, Consent.INBOX, aside=False)
    assert admitted.place is Place.QUARANTINE
