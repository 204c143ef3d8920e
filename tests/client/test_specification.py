"""docs/binding.md says what the code does: its tables, its limits and its example."""

import importlib
import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from client.defence.lies import Lie
from client.formats.framing import unwrap
from identity.enrolment.delegation import DEPTH_LIMIT
from identity.groups.group_trust import ANCHORS_EXTENSION
from identity.passport import split_token
from identity.path_policy import KNOWN_POLICY_ARCS
from identity.trust import FINGERPRINT_LABEL, CodeParents, TrustPolicy
from identity.verdict import RULES, Verdict
from tests.vectors.make_content_vectors import VECTORS

TEXT = (Path(__file__).parents[2] / "docs" / "binding.md").read_text()
VECTOR = json.loads(VECTORS.read_text())
ATTESTED = bytes.fromhex(VECTOR["message"]["attested"])
LIMITS = re.findall(r"^\| .* \| ([0-9,]+)[^|]*\| `([a-z_.]+)\.([A-Z_]+)` \|$", TEXT, re.MULTILINE)
CHECKS = re.findall(r"^\| ([0-9]+) \| (\w+) \| .* \| ([0-9]+|–) \|$", TEXT, re.MULTILINE)
VERDICTS = re.findall(r"^\| `(\w+)` \| .* \|$", TEXT.partition("| verdict |")[2].partition("\n\n")[0], re.MULTILINE)


@pytest.mark.parametrize(("stated", "module", "name"), LIMITS)
def test_each_limit_is_that_of_its_constant(stated: str, module: str, name: str) -> None:
    assert int(stated.replace(",", "")) == getattr(importlib.import_module(module), name)


def test_the_limits_were_found() -> None:
    assert len(LIMITS) == 20


def test_the_checks_are_those_of_the_code_in_their_order() -> None:
    stated = [(name, None if code == "–" else int(code)) for _, name, code in CHECKS]
    assert stated == [(rule.name, rule.code) for rule in RULES]
    assert [int(number) for number, _, _ in CHECKS] == list(range(15))


def test_the_verdicts_are_those_of_the_code() -> None:
    assert set(VERDICTS) == set(Verdict)


def test_the_names_for_lies_are_those_of_the_code() -> None:
    table = TEXT.partition("| code | what was seen |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([a-z_-]+)` \|", table, re.MULTILINE) == [str(lie) for lie in Lie]


def test_the_example_of_framed_is_the_vector() -> None:
    assert _octets("`framed`, 202 octets") == unwrap(ATTESTED).framed


def test_the_example_of_the_wrapper_is_the_vector() -> None:
    passport, framed = VECTOR["message"]["passport"], unwrap(ATTESTED).framed
    start, _, rest = _hex("The wrapper, 805 octets").partition("…")
    assert ATTESTED.hex().startswith(start)
    assert len(ATTESTED) == 805
    assert (4 + len(passport) + len(framed), len(passport), len(framed)) == (768, 562, 202)
    assert framed.hex().startswith(rest.rstrip("…").removeprefix("40ca"))


def test_the_examples_of_token_and_message_id_are_the_vectors() -> None:
    token = split_token(VECTOR["message"]["passport"].encode())
    block = "".join(line.strip() for line in _block("PASSporT header and claims").splitlines())
    stated = [json.loads(part) for part in block.replace("}{", "}\n{").splitlines()]
    assert stated == [token.unverified_header, token.unverified_claims]
    assert f"Message id: `{VECTOR['contents']['text']['message_id']}`" in TEXT


def _block(after: str) -> str:
    return TEXT.partition(after)[2].partition("```\n")[2].partition("```")[0]


def _hex(after: str) -> str:
    """The hexadecimal columns of an example: what stands before two spaces in a row, or alone."""
    columns = (re.split(r" {2,}", line.strip())[0] for line in _block(after).splitlines())
    return "".join(column for column in columns if re.fullmatch("[0-9a-f …]+", column)).replace(" ", "")


def _octets(after: str) -> bytes:
    return bytes.fromhex(_hex(after))


def test_the_switches_of_trust_are_those_of_the_code_with_their_defaults() -> None:
    table = TEXT.partition("| switch | default |")[2].partition("\n\n")[0]
    stated = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", table, re.MULTILINE))
    words = {"True": "on", "False": "off", "frozenset()": "none", "0": "0", str(CodeParents.ADMIT): "`admit`"}
    assert stated == {field: words[str(getattr(TrustPolicy(), field))] for field in stated}
    assert {field.name for field in fields(TrustPolicy)} - {"logs", "directory"} == set(stated)


def test_what_a_code_delegates_has_the_names_of_the_code() -> None:
    table = TEXT.partition("| `code_parents` | a certificate")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [each.value for each in CodeParents]


def test_known_certificate_policies_and_the_groups_extension_are_those_of_the_code() -> None:
    for arc in KNOWN_POLICY_ARCS:
        assert arc.removesuffix(".") in TEXT
    assert f"0x{ANCHORS_EXTENSION:X}" in TEXT
    assert repr(FINGERPRINT_LABEL.decode()).strip("'") in TEXT
    assert f"at most {DEPTH_LIMIT} issuers below" in TEXT
