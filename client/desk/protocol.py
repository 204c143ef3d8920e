"""What is said at the daemon's socket: one JSON object in ASCII on each line, and the table of calls.

    {"id": 1, "call": "messages.send", "with": {"group": "…", "text": "hi"}}
    {"id": 1, "result": {…}}      or     {"id": 1, "error": {"code": "…", "detail": "…", "hint": "…", "exit": 5}}
    {"id": 2, "call": "events"}          {"id": 2, "result": null}, then {"event": {"type": "message", …}} for ever

Answers come in any order, each with the id of its call. The table is derived from the signatures of
client.desk.api, so that a method added there can be called here; octets are base64 (RFC 4648 §4).
"""

import inspect
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, get_args, get_type_hints

import msgspec

from client.desk.api import Api
from client.desk.told import Told
from client.errors import ClientError
from client.failures import Failure

EVENTS = "events"
INTEGER_LIMIT = 2**53 - 1  # what every JSON reader keeps exactly (RFC 8259 §6)
REQUEST_LIMIT = 1024 * 1024  # octets of one line to the daemon

NOTHING = msgspec.Raw(b"")

Integer = Annotated[int, msgspec.Meta(ge=0, le=INTEGER_LIMIT)]


class RequestError(ClientError):
    """A line at the daemon's socket is no request, or asks for what there is not."""

    code = "malformed-request"
    hint = "See what can be asked and how: ringtrue schema"
    exit_code = 2


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line to the daemon; `call` is a name in CALLS or `events`, `with` its arguments by name."""

    id: Integer
    call: str
    arguments: msgspec.Raw = msgspec.field(name="with", default=msgspec.Raw(b"{}"))


class Answer(msgspec.Struct, frozen=True):
    """One line from the daemon: `id` with `result` or `error`, or an `event`."""

    id: int | None = None
    result: msgspec.Raw = NOTHING
    error: Failure | None = None
    event: msgspec.Raw = NOTHING


class _OnlyId(msgspec.Struct):
    id: Integer


@dataclass(frozen=True, slots=True)
class Call:
    """One method of the port: `area` and `method` name it, `arguments` is the struct of what it takes."""

    area: str
    method: str
    words: str
    arguments: type[msgspec.Struct]
    result: Any

    @property
    def name(self) -> str:
        """As it is written in a request."""
        return f"{self.area}.{self.method}"

    def asked(self, raw: msgspec.Raw) -> dict[str, object]:
        """Validate a request's arguments. Raises RequestError."""
        try:
            return msgspec.structs.asdict(msgspec.json.decode(raw, type=self.arguments))
        except (msgspec.MsgspecError, RecursionError) as error:
            raise RequestError(f"{self.name}: {_printable(error)}", code="wrong-arguments") from None

    async def on(self, api: Api, arguments: dict[str, object]) -> object:
        """Do it."""
        return await getattr(getattr(api, self.area), self.method)(**arguments)


def parse_request(line: bytes) -> Request:
    """Read one line to the daemon. Raises RequestError."""
    try:
        request = msgspec.json.decode(line, type=Request)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise RequestError(f"this line is no request: {_printable(error)}") from None
    if request.call not in CALLS and request.call != EVENTS:
        raise RequestError(f"there is no call {request.call!a}", code="unknown-call")
    return request


def id_of(line: bytes) -> int | None:
    """The id of a line that is no request, if it has one, so that its sender learns which one it was."""
    try:
        return msgspec.json.decode(line, type=_OnlyId).id
    except (msgspec.MsgspecError, RecursionError):
        return None


def request_line(identity: int, call: Call | None, *args: object, **kwargs: object) -> bytes:
    """Write a request; no call means `events`. Raises TypeError like the method itself."""
    if call is None:
        return _line({"id": identity, "call": EVENTS})
    return _line({"id": identity, "call": call.name, "with": call.arguments(*args, **kwargs)})


def result_line(identity: int, result: object) -> bytes:
    """Write the answer to a call that was done."""
    return _line({"id": identity, "result": result})


def error_line(identity: int | None, problem: Failure) -> bytes:
    """Write the answer to a call that failed."""
    return _line({"id": identity, "error": problem})


def event_line(told: Told) -> bytes:
    """Write an event."""
    return _line({"event": told})


def _line(value: object) -> bytes:
    return json.dumps(msgspec.to_builtins(value), separators=(",", ":")).encode("ascii") + b"\n"


def _printable(error: Exception) -> str:
    words = str(error)
    return words if words.isascii() and words.isprintable() else ascii(words)


def _calls() -> Iterator[tuple[str, Call]]:
    for area, method, function in port_methods():
        call = _call(area, method, function)
        yield call.name, call


def port_methods() -> Iterator[tuple[str, str, Callable[..., object]]]:
    """Area, name and function of every method in client.desk.api, in the order in which they stand there."""
    for area, member in vars(Api).items():
        if isinstance(member, property):
            protocol = get_type_hints(member.fget)["return"]
            for name, function in vars(protocol).items():
                if inspect.iscoroutinefunction(function) and not name.startswith("_"):
                    yield area, name, function


def _call(area: str, method: str, function: Callable[..., object]) -> Call:
    hints = get_type_hints(function, include_extras=True)
    fields = [
        (name, _bounded(hints[name]))
        if parameter.default is parameter.empty
        else (name, _bounded(hints[name]), parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "self"
    ]
    title = f"{area.title()}{method.title().replace('_', '')}"
    arguments = msgspec.defstruct(title, fields, frozen=True, forbid_unknown_fields=True, omit_defaults=True)
    return Call(area, method, inspect.getdoc(function) or "", arguments, hints["return"])


def _bounded(hint: Any) -> Any:
    if hint is int:
        return Integer
    if isinstance(hint, UnionType):
        first, *others = map(_bounded, get_args(hint))
        for other in others:
            first = first | other
        return first
    return hint


CALLS: dict[str, Call] = dict(_calls())
