"""The set of trust anchors that a group names in its GroupContext, so that members who believe others notice it.

It is a statement of whoever founded the group, and binds nobody: each member verifies with its own anchors.
"""

from collections.abc import Iterable

ANCHORS_EXTENSION = 0xF101  # a GroupContext extension, private use (RFC 9420 §17.3)
FINGERPRINT_SIZE = 32  # octets: TrustAnchors.fingerprint

_HEAD = b"\xa1\x67anchors\x58\x20"  # RFC 8949: a map of the text "anchors" to a string of 32 octets

Extensions = Iterable[tuple[int, bytes]]


def encode_anchors(fingerprint: bytes) -> bytes:
    """The extension's content: deterministic CBOR of {"anchors": h'…'}."""
    if len(fingerprint) != FINGERPRINT_SIZE:
        raise ValueError(f"a fingerprint has {FINGERPRINT_SIZE} octets")
    return _HEAD + fingerprint


def anchors_of(extensions: Extensions) -> bytes | None:
    """The fingerprint that a GroupContext names; None if it names none in the one form that it may have."""
    found = [content for kind, content in extensions if kind == ANCHORS_EXTENSION]
    if len(found) != 1 or len(found[0]) != len(_HEAD) + FINGERPRINT_SIZE or not found[0].startswith(_HEAD):
        return None
    return found[0].removeprefix(_HEAD)


def with_anchors(extensions: Extensions, fingerprint: bytes) -> list[tuple[int, bytes]]:
    """The same GroupContext extensions, naming this set."""
    others = [(kind, content) for kind, content in extensions if kind != ANCHORS_EXTENSION]
    return [*others, (ANCHORS_EXTENSION, encode_anchors(fingerprint))]
