"""Every request and answer of a log, as RFC 6962 §4 has them; octets are base64, times are in milliseconds.

    POST /stict/v1/add-pre-chain           Chain    -> 200 Timestamp
    POST /stict/v1/add-chain               Chain    -> 200 Timestamp
    GET  /stict/v1/get-sth                          -> 200 Head
    GET  /stict/v1/get-sth-consistency?first=&second=        -> 200 Consistency
    GET  /stict/v1/get-proof-by-hash?hash=&tree_size=        -> 200 Proof
    GET  /stict/v1/get-entries?start=&end=                   -> 200 Entries, at most ENTRIES_LIMIT
    GET  /stict/v1/get-roots                        -> 200 Roots

An authority says with `GET /v1/logs` (-> 200 Logs) which logs its certificates are in.
"""

from typing import Annotated

import msgspec

from identity.transparency.entries import ENTRY_LIMIT
from identity.transparency.heads import SIZE_LIMIT, TreeHead
from identity.transparency.log_key import NAME_LIMIT, LogKey
from identity.transparency.merkle import PROOF_LIMIT
from identity.transparency.timestamps import ECDSA_WITH_SHA256, SignedTimestamp, read_signature
from identity.transparency.tls import Reader, vector

PREFIX = "/stict/v1"  # STI-CT draft §5
ENTRIES_LIMIT = 256  # entries of one answer
MAXIMUM_MERGE_DELAY = 3_600  # seconds from a timestamp to a head whose tree has the entry, and the age of a head
LOGS_LIMIT = 8  # that an authority may name
CHAIN_BODY_LIMIT = 512 * 1024  # octets of a submission

Size = Annotated[int, msgspec.Meta(ge=0, le=SIZE_LIMIT)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Octets = Annotated[bytes, msgspec.Meta(max_length=ENTRY_LIMIT)]
Hash = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
ExtraData = Annotated[bytes, msgspec.Meta(max_length=CHAIN_BODY_LIMIT)]
Hashes = Annotated[list[Hash], msgspec.Meta(max_length=PROOF_LIMIT)]


class Chain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A certificate or precertificate and those above it; the root may be left out."""

    chain: list[bytes]


class Timestamp(msgspec.Struct, frozen=True):
    """A signed timestamp; `signature` with the algorithm before it."""

    sct_version: Annotated[int, msgspec.Meta(ge=0, le=0)]
    id: Hash
    timestamp: Milliseconds
    extensions: bytes
    signature: Annotated[bytes, msgspec.Meta(max_length=256)]

    @classmethod
    def of(cls, timestamp: SignedTimestamp) -> "Timestamp":
        """Write it."""
        signature = ECDSA_WITH_SHA256 + vector(timestamp.signature, 2)
        return cls(0, timestamp.log_id, timestamp.timestamp, timestamp.extensions, signature)

    def read(self) -> SignedTimestamp:
        """Read it. Raises TransparencyError."""
        signature = read_signature(Reader(self.signature, "a timestamp's signature"))
        return SignedTimestamp(self.id, self.timestamp, signature, self.extensions)


class Head(msgspec.Struct, frozen=True):
    """A signed tree head."""

    tree_size: Size
    timestamp: Milliseconds
    sha256_root_hash: Hash
    tree_head_signature: Annotated[bytes, msgspec.Meta(max_length=256)]

    def read(self) -> TreeHead:
        """The head, whose signature is still to be verified."""
        return TreeHead(self.tree_size, self.timestamp, self.sha256_root_hash)


class Consistency(msgspec.Struct, frozen=True):
    """A consistency proof."""

    consistency: Hashes


class Proof(msgspec.Struct, frozen=True):
    """Where an entry is, and its inclusion proof."""

    leaf_index: Size
    audit_path: Hashes


class LoggedEntry(msgspec.Struct, frozen=True):
    """A leaf as it was hashed, and the certificates that came with it."""

    leaf_input: Octets
    extra_data: ExtraData


class Entries(msgspec.Struct, frozen=True):
    """Entries from `start` on; perhaps fewer than were asked for."""

    entries: Annotated[list[LoggedEntry], msgspec.Meta(max_length=ENTRIES_LIMIT)]


class Roots(msgspec.Struct, frozen=True):
    """The roots that a submission may lead to."""

    certificates: list[bytes]


class Log(msgspec.Struct, frozen=True):
    """A log: what people call it, its key (SubjectPublicKeyInfo, DER), and where it is."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LIMIT)]
    key: Annotated[bytes, msgspec.Meta(max_length=256)]
    url: Annotated[str, msgspec.Meta(max_length=1_024)]

    def read(self) -> LogKey:
        """The key. Raises TransparencyError."""
        return LogKey(self.name, self.key)


class Logs(msgspec.Struct, frozen=True):
    """The logs in which an authority's certificates are."""

    logs: Annotated[list[Log], msgspec.Meta(max_length=LOGS_LIMIT)]
