"""ApplicationFraming (draft-ietf-mls-extensions) and the attested wrapper of this profile (docs/binding.md).

    attested = ApplicationFraming { application/vnd.ringtrue.attested, { opaque passport<V>; opaque framed<V>; } }
    framed   = ApplicationFraming { application/mimi-content, … }

Lengths are RFC 9420 §2.1.2 variable-size integers, in their shortest form only.
"""

import re
from dataclasses import dataclass

from client.errors import ContentError
from identity.passport import PASSPORT_SIZE_LIMIT

ATTESTED_TYPE = "application/vnd.ringtrue.attested"
MIMI_TYPE = "application/mimi-content"

FRAMED_LIMIT = 48 * 1024  # octets of one framed content; leaves room for passport and padding in one MLS message
ATTESTED_LIMIT = FRAMED_LIMIT + PASSPORT_SIZE_LIMIT + 128
TYPE_LIMIT = 255  # octets; RFC 6838 §4.2: 127 + "/" + 127
PARAMETER_LIMIT = 255  # octets of one name or value
PARAMETERS_LIMIT = 8

_TOKEN = "[a-z0-9][a-z0-9!#$&^_.+-]{0,126}"  # noqa: S105 - RFC 6838 §4.2 restricted-name, lower case
_TYPE = re.compile(f"{_TOKEN}/{_TOKEN}")
_NAME = re.compile(_TOKEN)


@dataclass(frozen=True, slots=True)
class MediaType:
    """One media type, lower case, with its parameters in order; values are without quotes."""

    type: str
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Framing:
    """An ApplicationFraming: what the content is, and its octets."""

    media_type: MediaType
    content: bytes


@dataclass(frozen=True, slots=True)
class Carried:
    """What one application message carries: `framed` are the exact octets that `msgi` digests."""

    passport: bytes | None
    framed: bytes


def wrap(passport: bytes, framed: bytes) -> bytes:
    """Build the attested wrapper. Raises ContentError if either part is empty or too long."""
    if not 0 < len(passport) <= PASSPORT_SIZE_LIMIT or not 0 < len(framed) <= FRAMED_LIMIT:
        raise ContentError("a message carries one passport and one content, within their limits", code="too-large")
    return encode_framing(Framing(MediaType(ATTESTED_TYPE), encode_opaque(passport) + encode_opaque(framed)))


def unwrap(octets: bytes) -> Carried:
    """Take a decrypted application message apart; bare MIMI content has no passport. Raises ContentError."""
    if len(octets) > ATTESTED_LIMIT:
        raise ContentError(f"an application message has at most {ATTESTED_LIMIT} octets", code="too-large")
    outer = decode_framing(octets)
    if outer.media_type == MediaType(MIMI_TYPE):
        return Carried(None, octets)
    if outer.media_type != MediaType(ATTESTED_TYPE):
        raise ContentError(f"media type {outer.media_type.type!a} is not one of this profile", code="media-type")
    reader = _Reader(outer.content)
    passport, framed = reader.opaque(PASSPORT_SIZE_LIMIT), reader.opaque(FRAMED_LIMIT)
    reader.finish()
    if not passport or not framed:
        raise ContentError("an attested message lacks its passport or its content")
    return Carried(passport, framed)


def encode_framing(framing: Framing) -> bytes:
    """Encode an ApplicationFraming. Raises ContentError if it could not be decoded again."""
    _check_media_type(framing.media_type)
    parameters = b"".join(
        encode_opaque(name.encode()) + encode_opaque(value.encode()) for name, value in framing.media_type.parameters
    )
    kind = framing.media_type.type.encode()
    return encode_opaque(kind) + encode_opaque(parameters) + encode_opaque(framing.content)


def decode_framing(octets: bytes) -> Framing:
    """Decode an ApplicationFraming that fills `octets` exactly. Raises ContentError."""
    reader = _Reader(octets)
    kind = _ascii(reader.opaque(TYPE_LIMIT))
    vector = _Reader(reader.opaque(2 * PARAMETERS_LIMIT * (PARAMETER_LIMIT + 2)))
    parameters = []
    while not vector.finished:
        parameters.append((_ascii(vector.opaque(PARAMETER_LIMIT)), _ascii(vector.opaque(PARAMETER_LIMIT))))
    content = reader.opaque(len(octets))
    reader.finish()
    media_type = MediaType(kind, tuple(parameters))
    _check_media_type(media_type)
    return Framing(media_type, content)


def encode_opaque(octets: bytes) -> bytes:
    """Encode `opaque<V>`: the length as a variable-size integer, then the octets (RFC 9420 §2.1.2)."""
    length = len(octets)
    if length < 1 << 6:
        return bytes((length,)) + octets
    if length < 1 << 14:
        return (length | 0x4000).to_bytes(2) + octets
    return (length | 0x8000_0000).to_bytes(4) + octets


def _check_media_type(media_type: MediaType) -> None:
    # The draft's empty type means the group's first one; here a digest covers the type, so it is always stated.
    if not _TYPE.fullmatch(media_type.type):
        raise ContentError(f"{media_type.type!a} is not a lower-case media type", code="media-type")
    names = [name for name, _ in media_type.parameters]
    if len(names) > PARAMETERS_LIMIT or len(set(names)) < len(names):
        raise ContentError("a media type has too many parameters, or one of them twice", code="media-type")
    for name, value in media_type.parameters:
        if not _NAME.fullmatch(name) or len(value) > PARAMETER_LIMIT or not value.isascii() or not value.isprintable():
            raise ContentError(f"{name!a} is not a media type parameter that can be read", code="media-type")


def _ascii(octets: bytes) -> str:
    try:
        return octets.decode("ascii")
    except UnicodeDecodeError as error:
        raise ContentError("a media type is written in ASCII", code="media-type") from error


class _Reader:
    """Reads `opaque<V>` after `opaque<V>` from octets that are not trusted."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._position = 0

    @property
    def finished(self) -> bool:
        return self._position == len(self._octets)

    def opaque(self, limit: int) -> bytes:
        length = self._length()
        if length > limit:
            raise ContentError(f"a field of {length} octets where at most {limit} are allowed", code="too-large")
        return self._take(length)

    def finish(self) -> None:
        if not self.finished:
            raise ContentError("octets follow after the end")

    def _length(self) -> int:
        first = self._take(1)[0]
        extra = (1 << (first >> 6)) - 1
        if extra == 7:
            raise ContentError("a length begins with the bits 11 (RFC 9420 §2.1.2)")
        length = int.from_bytes(bytes((first & 0x3F,)) + self._take(extra))
        if extra and length < (1 << 6 if extra == 1 else 1 << 14):
            raise ContentError("a length is not in its shortest form (RFC 9420 §2.1.2)")
        return length

    def _take(self, count: int) -> bytes:
        taken = self._octets[self._position : self._position + count]
        if len(taken) < count:
            raise ContentError("the octets end too early")
        self._position += count
        return taken
