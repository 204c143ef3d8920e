"""The OpenAPI document of a service: what its routes take and give, from the wire modules' own shapes.

Both services describe themselves with it, each from one table of its routes.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from identity.enrolment.acme_jws import JOSE_TYPE

JSON_TYPE = "application/json"

_REFERENCE = "#/components/schemas/{name}"
_BASE64URL = {"type": "string", "pattern": "^[A-Za-z0-9_-]*$"}
_ANCHORS = (("\\A", "^"), ("\\Z", "$"))  # Python's, and those of ECMA-262 that JSON Schema has

_CONVERTER = re.compile(r":[a-z]+\}")  # how Starlette is told what a parameter of a path may hold

_SCHEME = "session"
_PHRASES = {200: "Done", 201: "Made", 204: "Nothing", 206: "A part", 304: "As the client has it"}

Shape = type[msgspec.Struct]


@dataclass(frozen=True, slots=True)
class Octets:
    """A body that is not JSON; `holds` says what is in it."""

    media_type: str
    holds: str = ""


@dataclass(frozen=True, slots=True)
class Events:
    """Server-sent events without an end, each with one of these as JSON in its `data`."""

    holds: Shape


@dataclass(frozen=True, slots=True)
class Signed:
    """A flattened JWS (RFC 7515 §7.2.2) whose payload has this shape; None where there is none (POST-as-GET)."""

    payload: Shape | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in path, query or header."""

    name: str
    schema: dict[str, Any]
    place: str = "query"
    required: bool = True


@dataclass(frozen=True, slots=True)
class Operation:
    """What one route does: its body, its answers by status (None: no body), and the shape of its refusals.

    `refusals`: each status that refuses, with the words for it; without them any status may. `bearer`: with a token.
    """

    method: str
    path: str
    summary: str
    answers: tuple[tuple[int, Shape | Octets | Events | None], ...]
    refusal: Shape
    refusal_type: str
    takes: Shape | Octets | Signed | None = None
    parameters: tuple[Parameter, ...] = ()
    refusals: tuple[tuple[int, str], ...] = ()
    bearer: bool = False


class Document(msgspec.Struct, frozen=True):
    """An OpenAPI document."""

    openapi: str
    info: dict[str, Any]
    servers: list[Any]
    paths: dict[str, Any]
    components: dict[str, Any]


def document(operations: Sequence[Operation], title: str) -> Document:
    """The OpenAPI 3.1 document of these operations."""
    shapes = dict.fromkeys(shape for each in operations for shape in _shapes(each))
    schemas, components = msgspec.json.schema_components(shapes, ref_template=_REFERENCE)
    known = dict(zip(shapes, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _described(each, known)
    info = {"title": title, "version": "1"}
    parts: dict[str, Any] = {"schemas": _translated(components)}
    if any(each.bearer for each in operations):
        parts["securitySchemes"] = {_SCHEME: {"type": "http", "scheme": "bearer"}}
    return Document("3.1.0", info, [{"url": "/"}], paths, parts)


def served(routes: Iterable[BaseRoute], below: str = "") -> list[tuple[str, str]]:
    """Method and path of every route, those of mounted applications too."""
    found: list[tuple[str, str]] = []
    for route in routes:
        if isinstance(route, Mount):
            found += served(route.routes, below + route.path)
        elif isinstance(route, Route):
            methods = (route.methods or set()) - {"HEAD"}  # which goes with every GET
            path = _CONVERTER.sub("}", below + route.path)
            found += [(method, path) for method in methods]
    return sorted(found)


def document_route(routes: Iterable[tuple[str, str]], operations: Iterable[Operation], title: str, path: str) -> Route:
    """`GET path`: the document of these routes, each given as in `served`."""
    there = {*routes, ("GET", path)}
    own = [each for each in operations if (each.method, each.path) in there]
    octets = msgspec.json.format(msgspec.json.encode(document(own, title)))

    async def answer(_: Request) -> Response:
        return Response(octets, media_type=JSON_TYPE)

    return Route(path, answer)


def _shapes(operation: Operation) -> Iterable[Shape]:
    takes = operation.takes.payload if isinstance(operation.takes, Signed) else operation.takes
    for answer in (takes, *(answer for _, answer in operation.answers), operation.refusal):
        shape = answer.holds if isinstance(answer, Events) else answer
        if isinstance(shape, type):
            yield shape


def _described(operation: Operation, known: dict[Shape, dict[str, Any]]) -> dict[str, Any]:
    responses: dict[str, Any] = {
        str(status): {"description": _PHRASES[status], **_content(shape, known)} for status, shape in operation.answers
    }
    refusal = {operation.refusal_type: {"schema": _translated(known[operation.refusal])}}
    for status, words in operation.refusals:
        responses[str(status)] = {"description": words, "content": refusal}
    if not operation.refusals:
        responses["default"] = {"description": "Refused", "content": refusal}
    described: dict[str, Any] = {"summary": operation.summary, "responses": responses}
    if operation.bearer:
        described["security"] = [{_SCHEME: []}]
    if operation.parameters:
        described["parameters"] = [
            {"name": each.name, "in": each.place, "required": each.required, "schema": each.schema}
            for each in operation.parameters
        ]
    if operation.takes is not None:
        described["requestBody"] = {"required": True, **_content(operation.takes, known)}
    return described


def _content(shape: Shape | Octets | Events | Signed | None, known: dict[Shape, dict[str, Any]]) -> dict[str, Any]:
    match shape:
        case None:
            return {}
        case Octets(media_type, holds):
            schema: dict[str, Any] = {"type": "string", "format": "binary", **({"description": holds} if holds else {})}
            return {"content": {media_type: {"schema": schema}}}
        case Events(holds):
            event = {"id": {"type": "string"}, "data": {"type": "string"}}
            schema = {"type": "object", "properties": event, "description": f"`data` is a {holds.__name__}"}
            return {"content": {"text/event-stream": {"schema": schema}}}
        case Signed(payload):
            described = "" if payload is None else f"The payload is a {payload.__name__}."
            parts = {"protected": _BASE64URL, "payload": _BASE64URL, "signature": _BASE64URL}
            schema = {"type": "object", "properties": parts, "required": [*parts], "description": described}
            return {"content": {JOSE_TYPE: {"schema": schema}}}
        case _:
            return {"content": {JSON_TYPE: {"schema": _translated(known[shape])}}}


def _translated(schema: Any) -> Any:
    """Write Python's anchors in patterns as JSON Schema's."""
    if isinstance(schema, dict):
        return {name: _pattern(value) if name == "pattern" else _translated(value) for name, value in schema.items()}
    return [_translated(each) for each in schema] if isinstance(schema, list) else schema


def _pattern(pattern: Any) -> Any:
    if not isinstance(pattern, str):
        return _translated(pattern)
    for python, json_schema in _ANCHORS:
        pattern = pattern.replace(python, json_schema)
    return re.sub(r"\\([_-])", r"\1", pattern)
