"""A witness: what a device had read of its group's log when it wrote a message, so that members can compare.

    start   = SHA-256("ringtrue log" ‖ 0x00 ‖ epoch authenticator ‖ uint64 seq of the epoch's commit)[0..15]
    digest  = SHA-256(digest before ‖ uint64 seq ‖ kind ‖ 0x00 ‖ SHA-256(body))[0..15]     for each entry after it
    witness = [epoch, seq, digest]                                     deterministic CBOR (docs/binding.md §4.5)

It travels as an extension of the MIMI content: encrypted, and covered by the PASSporT. Without one, or with one in
another form, a message is what it would be without: other programs do not know it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from client.errors import ContentError
from client.formats.cbor import INTEGER_LIMIT, Plain
from client.formats.parts import uint_of

EXTENSION = "witness"  # the name of the MIMI content extension
DIGEST_SIZE = 16  # octets
UNKNOWN = b""  # the digest after an entry that this device was not shown

_LABEL = b"ringtrue log\x00"


@dataclass(frozen=True, slots=True)
class Witness:
    """The last entry that was dealt with in an epoch, and the running digest of 16 octets up to it."""

    epoch: int
    seq: int
    digest: bytes


def start(authenticator: bytes, seq: int) -> bytes:
    """The digest with which an epoch begins; `seq` is the place of its commit, 0 for a new group."""
    return hashlib.sha256(_LABEL + authenticator + seq.to_bytes(8)).digest()[:DIGEST_SIZE]


def advance(digest: bytes, seq: int, kind: str, body_digest: bytes) -> bytes:
    """The digest after one more entry; what follows something unknown is unknown. `body_digest`: SHA-256."""
    if digest == UNKNOWN:
        return UNKNOWN
    return hashlib.sha256(digest + seq.to_bytes(8) + kind.encode() + b"\x00" + body_digest).digest()[:DIGEST_SIZE]


def to_plain(witness: Witness) -> Plain:
    """The extension's value."""
    return [witness.epoch, witness.seq, witness.digest]


def from_plain(plain: Plain) -> Witness:
    """Read an extension's value. Raises ContentError."""
    match plain:
        case [epoch, seq, bytes(digest)] if len(digest) == DIGEST_SIZE:
            return Witness(uint_of(epoch, INTEGER_LIMIT), uint_of(seq, INTEGER_LIMIT), digest)
    raise ContentError("a witness is an epoch, a sequence number and a digest of 16 octets")


def witness_of(extensions: Mapping[int | str, Plain]) -> Witness | None:
    """The witness among a content's extensions, if it is there in the form that is known here."""
    try:
        return from_plain(extensions.get(EXTENSION))
    except ContentError:
        return None
