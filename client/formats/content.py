"""What a message says: MIMI content (draft-ietf-mimi-content-08) as a value, and its octets in ApplicationFraming.

Every content names its sender and its room (extensions 1 and 2), so that a digest over it binds both.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from client.errors import ContentError
from client.formats import cbor
from client.formats.cbor import Plain
from client.formats.framing import FRAMED_LIMIT, MIMI_TYPE, Framing, MediaType, decode_framing, encode_framing
from client.formats.parts import (
    Disposition,
    ExternalPart,
    MultiPart,
    NullPart,
    Part,
    Semantics,
    SinglePart,
    from_plain,
    octets_of,
    text_of,
    to_plain,
    uint_of,
)

TEXT_TYPE = "text/plain;charset=utf-8"
MARKDOWN_TYPE = "text/markdown;variant=GFM-MIMI"
CHAT_TYPE = "application/vnd.ringtrue.chat+cbor"

SALT_SIZE = 16  # octets
MESSAGE_ID_SIZE = 32  # octets
TOPIC_LIMIT = 64  # octets
URI_LIMIT = 512  # characters
TITLE_LIMIT = 200  # characters
TIMER_LIMIT = 366 * 86400  # seconds
REACTION_LIMIT = 64  # octets of UTF-8: the longest emoji sequences have about 35
EXTENSIONS_LIMIT = 16
EXTENSION_KEY_LIMIT = 255  # octets of UTF-8 (§3.2)
EXTENSION_DEPTH_LIMIT = 4  # containers, the map of extensions itself included (§5.3)

_SENDER_URI, _ROOM_URI = 1, 2
_NESTING = 8  # the message, four parts and three lists of parts
_SHA_256 = b"\x01"  # the hash algorithm's number, first octet of a message id


@dataclass(frozen=True, slots=True)
class Expiration:
    """When to forget a message: `seconds` after reading it if relative, else a Unix time."""

    seconds: int
    relative: bool


@dataclass(frozen=True, slots=True)
class Content:
    """One MIMI content message; `replaces` and `in_reply_to` are message ids of 32 octets."""

    sender_uri: str
    room_uri: str
    part: Part
    replaces: bytes | None = None
    in_reply_to: bytes | None = None
    expires: Expiration | None = None
    topic: bytes = b""
    extensions: Mapping[int | str, Plain] = field(default_factory=dict)
    salt: bytes = field(default_factory=lambda: secrets.token_bytes(SALT_SIZE), repr=False)

    @property
    def message_id(self) -> bytes:
        """32 octets that name this message (§3.1): 0x01 and the first 31 octets of a SHA-256."""
        return message_id(to_cbor(self), self.sender_uri, self.room_uri, self.salt)


def text(sender_uri: str, room_uri: str, body: str, *, in_reply_to: bytes | None = None) -> Content:
    """Say `body` as plain text, perhaps as a reply."""
    return Content(sender_uri, room_uri, _text_part(body), in_reply_to=in_reply_to)


def edit(original: Content, replaces: bytes, body: str) -> Content:
    """Say `body` in the place of the message `replaces`: the first of its versions (§4.5)."""
    return replace(original, part=_text_part(body), replaces=replaces, salt=secrets.token_bytes(SALT_SIZE))


def deletion(sender_uri: str, room_uri: str, replaces: bytes) -> Content:
    """Take back an own message, or an own reaction."""
    return Content(sender_uri, room_uri, NullPart(), replaces=replaces)


def reaction(sender_uri: str, room_uri: str, emoji: str, in_reply_to: bytes) -> Content:
    """React to a message with one emoji. Raises ContentError if it is empty or too long."""
    if not 0 < len(emoji.encode(errors="replace")) <= REACTION_LIMIT:
        raise ContentError(f"a reaction has 1 to {REACTION_LIMIT} octets", code="too-large")
    return Content(sender_uri, room_uri, _text_part(emoji, Disposition.REACTION), in_reply_to=in_reply_to)


def attachment(sender_uri: str, room_uri: str, part: ExternalPart, caption: str = "") -> Content:
    """Offer encrypted content that lies elsewhere, perhaps with a text."""
    if not caption:
        return Content(sender_uri, room_uri, part)
    return Content(sender_uri, room_uri, MultiPart(Semantics.PROCESS_ALL, (_text_part(caption), part)))


def title(sender_uri: str, room_uri: str, name: str) -> Content:
    """Name the chat. Raises ContentError if the name is empty or too long."""
    if not 0 < len(name) <= TITLE_LIMIT:
        raise ContentError(f"a title has 1 to {TITLE_LIMIT} characters", code="too-large")
    return Content(sender_uri, room_uri, SinglePart(CHAT_TYPE, cbor.encode({"title": name})))


def timer(sender_uri: str, room_uri: str, seconds: int) -> Content:
    """Say that the chat's messages disappear so many seconds after they were read; 0: that they stay."""
    if not 0 <= seconds <= TIMER_LIMIT:
        raise ContentError(f"messages can disappear after 1 to {TIMER_LIMIT} seconds, or never: 0", code="timer")
    return Content(sender_uri, room_uri, SinglePart(CHAT_TYPE, cbor.encode({"timer": seconds})))


def timer_of(part: SinglePart) -> int | None:
    """Read the seconds from a part of type CHAT_TYPE; None if it says something else. Raises ContentError."""
    match cbor.decode(part.content, depth=1):
        case {"timer": seconds, **rest} if not rest:
            return uint_of(seconds, TIMER_LIMIT)
    return None


def title_of(part: SinglePart) -> str:
    """Read the chat's name from a part of type CHAT_TYPE; it is not yet safe to show. Raises ContentError."""
    match cbor.decode(part.content, depth=1):
        case {"title": str(name), **rest} if not rest and 0 < len(name) <= TITLE_LIMIT:
            return name
    raise ContentError("a chat's name is not a map with a title")


def encode(content: Content) -> bytes:
    """Encode as `framed` octets: ApplicationFraming of the deterministic CBOR. Raises ContentError."""
    framed = encode_framing(Framing(MediaType(MIMI_TYPE), to_cbor(content)))
    if len(framed) > FRAMED_LIMIT:
        raise ContentError(
            f"the message has {len(framed)} octets; at most {FRAMED_LIMIT} can be sent",
            code="too-large",
            hint="Send it in several messages.",
        )
    return framed


def decode(framed: bytes) -> Content:
    """Decode `framed` octets; `encode` of the result gives the same octets. Raises ContentError."""
    if len(framed) > FRAMED_LIMIT:
        raise ContentError(f"a content has at most {FRAMED_LIMIT} octets", code="too-large")
    framing = decode_framing(framed)
    if framing.media_type != MediaType(MIMI_TYPE):
        raise ContentError(f"{framing.media_type.type!a} is not MIMI content", code="media-type")
    return from_cbor(framing.content)


def to_cbor(content: Content) -> bytes:
    """Encode as MIMI content without framing. Raises ContentError if it could not be decoded again."""
    expires = None if content.expires is None else [content.expires.relative, content.expires.seconds]
    extensions = {_SENDER_URI: content.sender_uri, _ROOM_URI: content.room_uri, **content.extensions}
    start: list[Plain] = [content.salt, content.replaces, content.topic, expires, content.in_reply_to]
    octets = cbor.encode([*start, extensions, to_plain(content.part)])
    from_cbor(octets)
    return octets


def from_cbor(octets: bytes) -> Content:
    """Decode MIMI content without framing. Raises ContentError."""
    match cbor.decode(octets, depth=_NESTING):
        case [bytes(salt), replaces, topic, expires, in_reply_to, Mapping() as extensions, part] if (
            len(salt) == SALT_SIZE
        ):
            pass
        case _:
            raise ContentError("MIMI content is an array of seven fields, the first a salt of 16 octets")
    _check_extensions(extensions)
    return Content(
        sender_uri=_uri(extensions.get(_SENDER_URI)),
        room_uri=_uri(extensions.get(_ROOM_URI)),
        part=from_plain(part),
        replaces=_message_id_or_none(replaces),
        in_reply_to=_message_id_or_none(in_reply_to),
        expires=_expiration(expires),
        topic=octets_of(topic, TOPIC_LIMIT),
        extensions={key: value for key, value in extensions.items() if key not in (_SENDER_URI, _ROOM_URI)},
        salt=salt,
    )


def message_id(content: bytes, sender_uri: str, room_uri: str, salt: bytes) -> bytes:
    """Derive the message id (§3.1) from the CBOR octets of a content and what it names. Raises ContentError."""
    names = b"".join(len(uri).to_bytes(2) + _uri(uri).encode("ascii") for uri in (sender_uri, room_uri))
    return _SHA_256 + hashlib.sha256(names + content + salt).digest()[: MESSAGE_ID_SIZE - 1]


def _text_part(body: str, disposition: Disposition = Disposition.RENDER) -> SinglePart:
    try:
        return SinglePart(TEXT_TYPE, body.encode(), disposition)
    except UnicodeEncodeError as error:
        raise ContentError("text with a lone surrogate cannot be sent") from error


def _uri(plain: Plain) -> str:
    if not isinstance(plain, str) or not 0 < len(plain) <= URI_LIMIT or not plain.isascii() or not plain.isprintable():
        raise ContentError("the content does not name its sender and its room (extensions 1 and 2)", code="uri")
    return plain


def _message_id_or_none(plain: Plain) -> bytes | None:
    if plain is None:
        return None
    if not isinstance(plain, bytes) or len(plain) != MESSAGE_ID_SIZE or not plain.startswith(_SHA_256):
        raise ContentError("a reference to a message is not a message id of 32 octets")
    return plain


def _expiration(plain: Plain) -> Expiration | None:
    match plain:
        case None:
            return None
        case [bool(relative), seconds]:
            return Expiration(uint_of(seconds, 2**32 - 1), relative)
    raise ContentError("an expiration is not a pair of relative and time")


def _check_extensions(extensions: Mapping[int | str, Plain]) -> None:
    if len(extensions) > EXTENSIONS_LIMIT or _depth(extensions) > EXTENSION_DEPTH_LIMIT:
        raise ContentError(
            f"at most {EXTENSIONS_LIMIT} extensions, {EXTENSION_DEPTH_LIMIT} levels deep", code="too-large"
        )
    for key in extensions:
        if isinstance(key, str) and not 0 < len(text_of(key, EXTENSION_KEY_LIMIT).encode()) <= EXTENSION_KEY_LIMIT:
            raise ContentError(f"an extension's name has 1 to {EXTENSION_KEY_LIMIT} octets")


def _depth(plain: Plain) -> int:
    match plain:
        case Mapping():
            return 1 + max(map(_depth, plain.values()), default=0)
        case list():
            return 1 + max(map(_depth, plain), default=0)
    return 0
