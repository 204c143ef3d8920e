"""Bodies of answers, which nobody vouches for, as the Structs of a wire module."""

from typing import TypeVar

import msgspec

from client.errors import UnexpectedAnswerError

T = TypeVar("T", bound=msgspec.Struct)

# What msgspec raises for octets that it cannot decode; deep nesting is a RecursionError even in a field it skips.
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def from_json(body: bytes, shape: type[T]) -> T:
    """Decode JSON. Raises UnexpectedAnswerError."""
    try:
        return msgspec.json.decode(body, type=shape)
    except UNREADABLE as error:
        raise UnexpectedAnswerError(f"the service's answer is not a {shape.__name__}") from error


def from_msgpack(body: bytes, shape: type[T]) -> T:
    """Decode MessagePack. Raises UnexpectedAnswerError."""
    try:
        return msgspec.msgpack.decode(body, type=shape)
    except UNREADABLE as error:
        raise UnexpectedAnswerError(f"the service's answer is not a {shape.__name__}") from error
