"""A commit that the delivery service cannot tell from an honest one: all right, but for its confirmation tag.

The tag stands behind what the committer has signed (RFC 9420 §6.1), and only members can compare it. A member may put
another one there and make the membership tag over it, with the key in her own state.
"""

import hashlib
import hmac

import mls_rs

from client.formats.framing import encode_opaque
from lab.mallory import Mallory

TAG = 32  # octets of HMAC-SHA256
OPAQUE_TAG = 1 + TAG
HONEST: dict[bytes, bytes] = {}  # the commit that each poisoned one was made of


def poisoned(mallory: Mallory, group_id: bytes, commit: bytes) -> bytes:
    """The commit with one bit of its confirmation tag changed."""
    return spoil(mallory.groups[group_id], commit)


def spoil(group: mls_rs.Group, commit: bytes) -> bytes:
    """The same for a commit of any member's, in whose state the group is."""
    covered = commit[: _end_of_content(commit)] + _group_context(group.group_info())
    authenticated = commit[_end_of_content(commit) : -OPAQUE_TAG]
    key = _membership_key(group.delta().state, covered + authenticated, commit[-TAG:])
    forged = authenticated[:-1] + bytes((authenticated[-1] ^ 1,))
    tag = encode_opaque(hmac.digest(key, covered + forged, "sha256"))
    made = commit[: _end_of_content(commit)] + forged + tag
    HONEST[made] = commit
    return made


def _end_of_content(commit: bytes) -> int:
    """Where the signature begins: an ECDSA signature in DER has 68 to 72 octets, after a length of two."""
    end = len(commit) - 2 * OPAQUE_TAG
    starts = (end - size - 2 for size in range(68, 73))
    return next(at for at in starts if commit[at : at + 2] == (0x4000 | end - at - 2).to_bytes(2))


def _membership_key(state: bytes, covered: bytes, tag: bytes) -> bytes:
    """The key lies somewhere in the member's own state: it is the one that made this tag (RFC 9420 §6.2)."""
    keys = (state[at : at + TAG] for at in range(len(state) - TAG))
    return next(key for key in keys if hmac.new(key, covered, hashlib.sha256).digest() == tag)


def _group_context(group_info: bytes) -> bytes:
    """The GroupContext at the start of a GroupInfo message (RFC 9420 §8.1, §12.4.3)."""
    body = group_info[4:]
    at = _after_opaque(body, 4) + 8  # version and suite, group id, epoch
    for _ in range(3):  # tree hash, transcript hash, extensions
        at = _after_opaque(body, at)
    return body[:at]


def _after_opaque(octets: bytes, at: int) -> int:
    width = 1 << (octets[at] >> 6)
    size = int.from_bytes(octets[at : at + width]) & ((1 << (8 * width - 2)) - 1)
    return at + width + size
