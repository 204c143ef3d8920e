"""docs/protocol.md says what the wire modules say, completely, and its example verifies."""

import re
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import delivery_service.wire
import delivery_service.wire.blobs
import identity.authority.wire
from delivery_service.errors import RefusedError
from delivery_service.signatures import SignedRequest, verify

TEXT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
WIRES = [delivery_service.wire, identity.authority.wire]
CREATED = 1_795_000_000


def blocks() -> list[str]:
    return [block.removesuffix("\n") for block in re.findall(r"^```\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)]


@pytest.mark.parametrize("wire", [*WIRES, delivery_service.wire.blobs])
def test_the_limits_are_exactly_those_of_the_module(wire: ModuleType):
    rows = re.findall(rf"^\| .* \| ([0-9,]+) \| `{re.escape(wire.__name__)}\.(\w+)` \|$", TEXT, re.MULTILINE)
    stated = {name: int(value.replace(",", "")) for value, name in rows}
    assert stated == {name: value for name, value in vars(wire).items() if isinstance(value, int)}


@pytest.mark.parametrize("wire", WIRES)
def test_the_problems_are_exactly_those_of_the_module(wire: ModuleType):
    table = TEXT.partition(f"`{wire.PROBLEM_PREFIX}WORD`")[2].partition("\n#")[0]
    stated = re.findall(r"^\| `([a-z-]+)` \| ([0-9]{3}) \| .+ \|$", table, re.MULTILINE)
    assert stated == [(word, str(status)) for word, (status, _) in wire.PROBLEMS.items()]


@pytest.mark.parametrize("wire", WIRES)
def test_the_addresses_are_those_of_the_module(wire: ModuleType):
    for method, path in re.findall(r"^    (GET|PUT|POST) +(\S+)", wire.__doc__ or "", re.MULTILINE):
        assert f"`{method} {path.partition('?')[0]}" in TEXT


def test_the_signed_example_verifies_and_its_base_is_what_was_signed():
    (request,) = [block for block in blocks() if block.startswith("POST ")]
    head, _, body = request.partition("\n\n")
    start, *fields = head.split("\n")
    method, path, _ = start.split(" ")
    headers = dict(field.split(": ", 1) for field in fields)
    signed = SignedRequest(method, f"http://{headers['host']}{path}", headers)
    key = ec.derive_private_key(42, ec.SECP256R1()).public_key()
    assert verify(signed, body.encode(), key, CREATED)[0] == "8f14e45fceea167a5a36dedd4bea2543"
    with pytest.raises(RefusedError):
        verify(signed, body.encode() + b" ", key, CREATED)

    parameters = headers["signature-input"].removeprefix("device=")
    (base,) = [block for block in blocks() if block.startswith('"@method"')]
    assert base.split("\n") == [
        f'"@method": {method}',
        f'"@authority": {headers["host"]}',
        f'"@path": {path}',
        f'"content-digest": {headers["content-digest"]}',
        f'"@signature-params": {parameters}',
    ]
