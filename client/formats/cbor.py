"""Deterministic CBOR (RFC 8949 §4.2.1), narrowed to what MIMI content needs: no tags, no floats, no big integers."""

from collections.abc import Mapping, Sequence
from typing import NoReturn, TypeAlias

import cbor2

from client.errors import ContentError

Plain: TypeAlias = "int | str | bytes | bool | Sequence[Plain] | Mapping[int | str, Plain] | None"

INTEGER_LIMIT = 2**53 - 1  # draft-ietf-mimi-content §5.2: integer keys fit a double; here all integers do

_ARRAY, _MAP = 0x80, 0xA0  # major types 4 and 5 in the initial octet
# Tags that cbor2 gives a meaning of its own, some of them costly (regular expressions, dates, shared references).
_KNOWN_TAGS = (0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799)


def encode(value: Plain) -> bytes:
    """Encode deterministically: shortest forms, keys in the bytewise order of their encodings. Raises ContentError."""
    match value:
        case int() if abs(value) > INTEGER_LIMIT:
            raise ContentError(f"an integer of content is within ±{INTEGER_LIMIT}", code="malformed-cbor")
        case None | bool() | int() | str() | bytes():
            return _encode_scalar(value)
        case Mapping():
            # Not cbor2's `canonical`: that is RFC 7049 order, which the draft forbids (§5.1).
            pairs = sorted((_encode_key(key), encode(item)) for key, item in value.items())
            return _head(_MAP, len(pairs)) + b"".join(key + item for key, item in pairs)
        case list() | tuple():
            return _head(_ARRAY, len(value)) + b"".join(map(encode, value))
    raise ContentError(f"content does not carry values of the kind {type(value).__name__}", code="malformed-cbor")


def decode(octets: bytes, *, depth: int) -> Plain:
    """Decode one deterministic item that fills `octets`, at most `depth` containers deep. Raises ContentError."""
    try:
        value: Plain = cbor2.loads(
            octets,
            max_depth=depth,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            semantic_decoders=dict.fromkeys(_KNOWN_TAGS, _refuse_tag),
            tag_hook=_refuse_tag,
        )
    except cbor2.CBORDecodeError as error:
        raise ContentError("not CBOR that can be read", code="malformed-cbor") from error
    # One value has one deterministic encoding: this refuses long forms, wrong order and octets after the end.
    if encode(value) != octets:
        raise ContentError("the CBOR is not in deterministic form (RFC 8949 §4.2.1)", code="malformed-cbor")
    return value


def _encode_key(key: object) -> bytes:
    if isinstance(key, bool) or not isinstance(key, int | str):
        raise ContentError("a map key is neither an integer nor text", code="malformed-cbor")
    return encode(key)


def _encode_scalar(value: int | str | bytes | None) -> bytes:
    try:
        return cbor2.dumps(value)
    except UnicodeEncodeError as error:
        raise ContentError("text with a lone surrogate cannot be sent", code="malformed-cbor") from error


def _head(major: int, length: int) -> bytes:
    head = bytearray(cbor2.dumps(length))
    head[0] |= major
    return bytes(head)


def _refuse_tag(_value: object, _immutable: bool) -> NoReturn:
    raise ValueError("tags are not part of this profile")
