"""The parts of a MIMI content message (draft-ietf-mimi-content-08 §3.3) as values."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

from client.errors import ContentError
from client.formats.cbor import Plain

PART_DEPTH_LIMIT = 4  # nested parts (§5.3)
PARTS_LIMIT = 64  # parts in one message, all levels together
CONTENT_TYPE_LIMIT = 255  # characters
LANGUAGE_LIMIT = 127  # characters
URL_LIMIT = 2_048  # characters
NAME_LIMIT = 255  # characters of a file name
DESCRIPTION_LIMIT = 1_000  # characters
KEY_LIMIT = 64  # octets of key, nonce, additional data or hash

AES_128_GCM = 1  # IANA AEAD registry
SHA_256 = 1  # IANA named information hash algorithm registry


class Disposition(IntEnum):
    """What a part is for; values from 9 to 255 are legal and unknown."""

    UNSPECIFIED = 0
    RENDER = 1
    REACTION = 2
    PROFILE = 3
    INLINE = 4
    ICON = 5
    ATTACHMENT = 6
    SESSION = 7
    PREVIEW = 8


class Cardinality(IntEnum):
    """How a part carries its content."""

    NULL = 0
    SINGLE = 1
    EXTERNAL = 2
    MULTI = 3


class Semantics(IntEnum):
    """How a receiver treats the parts of a MultiPart."""

    CHOOSE_ONE = 0
    SINGLE_UNIT = 1
    PROCESS_ALL = 2


@dataclass(frozen=True, slots=True)
class NullPart:
    """No content: the message it replaces is deleted."""

    disposition: int = Disposition.RENDER
    language: str = ""


@dataclass(frozen=True, slots=True)
class SinglePart:
    """Content inside the message; `content_type` with its parameters, as in `text/plain;charset=utf-8`."""

    content_type: str
    content: bytes = field(repr=False)
    disposition: int = Disposition.RENDER
    language: str = ""


@dataclass(frozen=True, slots=True)
class ExternalPart:
    """Encrypted content elsewhere: `size` in octets, `expires` in Unix seconds, 0 if not stated (§3.4)."""

    content_type: str
    url: str
    size: int
    key: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    content_hash: bytes
    filename: str = ""
    description: str = ""
    expires: int = 0
    aad: bytes = field(default=b"", repr=False)
    encryption: int = AES_128_GCM
    hash_algorithm: int = SHA_256
    disposition: int = Disposition.ATTACHMENT
    language: str = ""


@dataclass(frozen=True, slots=True)
class MultiPart:
    """Two or more parts; with CHOOSE_ONE a receiver shows one of them and must say that there are others."""

    semantics: Semantics
    parts: tuple["Part", ...]
    disposition: int = Disposition.RENDER
    language: str = ""


Part: TypeAlias = NullPart | SinglePart | ExternalPart | MultiPart


def to_plain(part: Part) -> Plain:
    """State a part as the array of its CDDL."""
    start = (int(part.disposition), part.language)
    match part:
        case NullPart():
            return (*start, int(Cardinality.NULL))
        case SinglePart():
            return (*start, int(Cardinality.SINGLE), part.content_type, part.content)
        case MultiPart():
            return (*start, int(Cardinality.MULTI), int(part.semantics), [to_plain(inner) for inner in part.parts])
        case ExternalPart():
            head = (part.content_type, part.url, part.expires, part.size, part.encryption)
            tail = (part.key, part.nonce, part.aad, part.hash_algorithm, part.content_hash)
            return (*start, int(Cardinality.EXTERNAL), *head, *tail, part.description, part.filename)


def from_plain(plain: Plain) -> Part:
    """Read a part and all within it. Raises ContentError."""
    part = _part(plain, PART_DEPTH_LIMIT)
    if _count(part) > PARTS_LIMIT:
        raise ContentError(f"a message has at most {PARTS_LIMIT} parts", code="too-large")
    return part


def text_of(plain: Plain, limit: int) -> str:
    """Read text of at most `limit` characters. Raises ContentError."""
    if not isinstance(plain, str) or len(plain) > limit:
        raise ContentError(f"a field is not text of at most {limit} characters")
    return plain


def octets_of(plain: Plain, limit: int) -> bytes:
    """Read at most `limit` octets. Raises ContentError."""
    if not isinstance(plain, bytes) or len(plain) > limit:
        raise ContentError(f"a field is not a string of at most {limit} octets")
    return plain


def uint_of(plain: Plain, limit: int) -> int:
    """Read an integer from 0 to `limit`. Raises ContentError."""
    if isinstance(plain, bool) or not isinstance(plain, int) or not 0 <= plain <= limit:
        raise ContentError(f"a field is not an integer from 0 to {limit}")
    return plain


def _part(plain: Plain, depth: int) -> Part:
    if depth == 0:
        raise ContentError(f"parts are nested more than {PART_DEPTH_LIMIT} deep")
    match plain:
        case [disposition, language, cardinality, *rest]:
            pass
        case _:
            raise ContentError("a part is not an array of disposition, language and cardinality")
    start = (uint_of(disposition, 255), text_of(language, LANGUAGE_LIMIT))
    match uint_of(cardinality, 255), rest:
        case Cardinality.NULL, []:
            return NullPart(*start)
        case Cardinality.SINGLE, [content_type, bytes(content)]:
            return SinglePart(text_of(content_type, CONTENT_TYPE_LIMIT), content, *start)
        case Cardinality.EXTERNAL, [_, _, _, _, _, _, _, _, _, _, _, _]:
            return _external(rest, *start)
        case Cardinality.MULTI, [semantics, [_, _, *_] as parts]:
            kind = Semantics(uint_of(semantics, Semantics.PROCESS_ALL))
            return MultiPart(kind, tuple(_part(inner, depth - 1) for inner in parts), *start)
    raise ContentError("a part does not have the fields of its cardinality")


def _external(fields: list[Plain], disposition: int, language: str) -> ExternalPart:
    content_type, url, expires, size, encryption, key, nonce, aad, hash_algorithm, digest, description, filename = (
        fields
    )
    return ExternalPart(
        content_type=text_of(content_type, CONTENT_TYPE_LIMIT),
        url=text_of(url, URL_LIMIT),
        size=uint_of(size, 2**53 - 1),
        key=octets_of(key, KEY_LIMIT),
        nonce=octets_of(nonce, KEY_LIMIT),
        content_hash=octets_of(digest, KEY_LIMIT),
        filename=text_of(filename, NAME_LIMIT),
        description=text_of(description, DESCRIPTION_LIMIT),
        expires=uint_of(expires, 2**32 - 1),
        aad=octets_of(aad, KEY_LIMIT),
        encryption=uint_of(encryption, 2**16 - 1),
        hash_algorithm=uint_of(hash_algorithm, 255),
        disposition=disposition,
        language=language,
    )


def _count(part: Part) -> int:
    return 1 + sum(map(_count, part.parts)) if isinstance(part, MultiPart) else 1
