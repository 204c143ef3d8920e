"""What is said at the daemon's socket: any line is a request or an error, and the schema describes what there is."""

import ast
import inspect
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import client
from client.desk.api import Admission, Chats, Device, Devices, Messages, People, Trust
from client.desk.codes import advice
from client.desk.protocol import CALLS, EVENTS, INTEGER_LIMIT, Request, RequestError, id_of, parse_request, request_line
from client.desk.schema import LINES, schema_document
from tests.client.desk.schema_reader import invalid

AREAS = {
    "chats": Chats,
    "messages": Messages,
    "people": People,
    "admission": Admission,
    "device": Device,
    "devices": Devices,
    "trust": Trust,
}
PACKAGE = Path(client.__file__).parent
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
REQUESTS = st.fixed_dictionaries(
    {"id": JSON, "call": st.sampled_from(sorted(CALLS)) | JSON}, optional={"with": JSON, "more": JSON}
)


def test_every_method_of_the_port_is_a_call() -> None:
    methods = {f"{area}.{name}" for area, port in AREAS.items() for name in vars(port) if not name.startswith("_")}
    assert set(CALLS) == methods
    for area, port in AREAS.items():
        for name, method in inspect.getmembers(port, inspect.iscoroutinefunction):
            taken = [parameter for parameter in inspect.signature(method).parameters if parameter != "self"]
            assert list(CALLS[f"{area}.{name}"].arguments.__struct_fields__) == taken


@given(st.binary())
def test_any_octets_are_a_request_or_refused(line: bytes) -> None:
    _refused_or_read(line)


@given(REQUESTS | JSON)
def test_any_json_is_a_request_or_refused(value: Any) -> None:
    _refused_or_read(json.dumps(value).encode())


def _refused_or_read(line: bytes) -> None:
    refused, request = _parsed(line)
    if request is None:
        assert refused.isascii()
        assert refused.isprintable()
        identity = id_of(line)
        assert identity is None or 0 <= identity <= INTEGER_LIMIT
    elif request.call != EVENTS:
        call = CALLS[request.call]
        with suppress(RequestError):
            assert call.asked(request.arguments).keys() == set(call.arguments.__struct_fields__)


def _parsed(line: bytes) -> tuple[str, Request | None]:
    try:
        return "", parse_request(line)
    except RequestError as error:
        return str(error), None


@pytest.mark.parametrize("depth", [100, 100_000])
def test_nesting_is_refused_and_not_followed(depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    with pytest.raises(RequestError):
        CALLS["chats.get"].asked(parse_request(b'{"id":1,"call":"chats.get","with":' + nested + b"}").arguments)


@given(st.text(), st.none() | st.integers(0, INTEGER_LIMIT))
def test_what_is_asked_arrives(text: str, row: int | None) -> None:
    line = request_line(7, CALLS["messages.send"], "ab", text, reply_to=row)
    assert line.isascii()
    assert line.count(b"\n") == 1
    request = parse_request(line)
    assert (request.id, request.call) == (7, "messages.send")
    assert CALLS["messages.send"].asked(request.arguments) == {"group": "ab", "text": text, "reply_to": row}


def test_arguments_are_refused_by_name_and_kind() -> None:
    for given_, complaint in (
        ({}, "missing required field `group`"),
        ({"group": "ab", "grupo": 1}, "unknown field `grupo`"),
        ({"group": 1}, "Expected `str`"),
        ({"group": "ab", "limit": -1}, ">= 0"),
        ({"group": "ab", "limit": INTEGER_LIMIT + 1}, "<="),
        ({"group": "ab", "limit": True}, "got `bool`"),
        ({"group": "ab", "limit": 1.0}, "got `float`"),
    ):
        line = json.dumps({"id": 1, "call": "messages.page", "with": given_}).encode()
        with pytest.raises(RequestError, match=complaint) as refused:
            CALLS["messages.page"].asked(parse_request(line).arguments)
        assert refused.value.code == "wrong-arguments"


def test_the_schema_describes_every_call() -> None:
    document = schema_document()
    assert document["calls"].keys() == {*CALLS, EVENTS}  # type: ignore[attr-defined]
    takes = document["calls"]["messages.page"]["with"]  # type: ignore[index]
    assert not invalid(document, takes, {"group": "ab", "before": None, "limit": 3})
    assert invalid(document, takes, {"group": "ab", "limit": -3})
    assert invalid(document, takes, {"limit": 3})
    assert invalid(document, takes, {"group": "ab", "limits": 3})


def test_every_error_code_is_listed_with_what_to_do() -> None:
    known = advice()
    assert all(known.values())
    written = {code: path.name for path in _sources() for code in _codes(ast.parse(path.read_text(encoding="utf-8")))}
    assert len(written) > 50
    assert {code: name for code, name in written.items() if code not in known} == {}


def test_every_type_of_json_line_is_listed() -> None:
    told = {kind for path in _sources() for kind in _line_types(ast.parse(path.read_text(encoding="utf-8")))}
    assert {"chat", "ready", "verification", "enrolled"} <= told
    assert told <= LINES.keys()


def _sources() -> list[Path]:
    screens = {"tui", "plain"}  # what they raise stays on the screen
    return [path for path in PACKAGE.rglob("*.py") if not screens & set(path.relative_to(PACKAGE).parts)]


def _codes(tree: ast.Module) -> set[str]:
    """What stands as `code=` in a call of an error or as `code =` in a class, and what a command fails with."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name), keywords=keywords) if name.endswith("Error"):
                found |= {each.value.value for each in keywords if each.arg == "code" and _is_text(each.value)}
            case ast.Call(func=ast.Attribute(attr="fail"), args=[ast.Constant(value=str(code)), _, _, _]):
                found.add(code)
            case ast.ClassDef(name=name, body=body) if name.endswith("Error"):
                found |= {
                    each.value.value
                    for each in body
                    if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "code" and _is_text(each.value)
                }
    return found


def _line_types(tree: ast.Module) -> set[str]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    told = {node.args[0] for node in calls if ast.unparse(node.func) == "terminal.tell"}
    shown = {node.args[1] for node in calls if isinstance(node.func, ast.Name) and node.func.id == "show"}
    return {node.value for node in told | shown if _is_text(node)}


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
