"""What a log holds of a certificate (RFC 6962 §3.1, §3.2, §3.4), from the certificate itself and back."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from identity.der import SEQUENCE, content_of, element, elements
from identity.errors import TransparencyError
from identity.transparency.merkle import HASH_SIZE, leaf_hash
from identity.transparency.tls import Reader, number, vector

ENTRY_LIMIT = 65_536 + 1_024  # octets of a leaf's input: a certificate at its own limit, and what is around it
CHAIN_LIMIT = 8  # certificates beside an entry

_VERSION = 0
_TIMESTAMPED_ENTRY = 0
_EXTENSIONS_TAG = 0xA3  # [3] EXPLICIT of TBSCertificate (RFC 5280 §4.1)
_POISON = x509.PrecertPoison.oid


class EntryKind(IntEnum):
    """LogEntryType."""

    CERTIFICATE = 0
    PRECERTIFICATE = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """What is logged: a certificate's DER; or, of a precertificate, its TBSCertificate and its issuer's key hash."""

    kind: EntryKind
    octets: bytes
    issuer_key_hash: bytes = b""

    def signed(self) -> bytes:
        """Entry type and entry, as they stand in leaves and below signatures."""
        return number(self.kind, 2) + self.issuer_key_hash + vector(self.octets, 3)

    @property
    def digest(self) -> bytes:
        """SHA-256 that names what is logged, whenever it is."""
        return hashlib.sha256(self.signed()).digest()

    def leaf_input(self, timestamp: int, extensions: bytes = b"") -> bytes:
        """MerkleTreeLeaf; `timestamp` in milliseconds."""
        head = number(_VERSION, 1) + number(_TIMESTAMPED_ENTRY, 1) + number(timestamp, 8)
        return head + self.signed() + vector(extensions, 2)

    def leaf_hash(self, timestamp: int) -> bytes:
        """The hash of that leaf in the tree."""
        return leaf_hash(self.leaf_input(timestamp))


def read_leaf(leaf_input: bytes) -> tuple[int, Entry]:
    """Timestamp and entry of a MerkleTreeLeaf. Raises TransparencyError."""
    if len(leaf_input) > ENTRY_LIMIT:
        raise TransparencyError("too-large", f"an entry has at most {ENTRY_LIMIT} octets")
    reader = Reader(leaf_input, "a leaf")
    if (reader.number(1), reader.number(1)) != (_VERSION, _TIMESTAMPED_ENTRY):
        raise TransparencyError("malformed", "a leaf is of another version or type")
    timestamp, kind = reader.number(8), reader.number(2)
    if kind not in (EntryKind.CERTIFICATE, EntryKind.PRECERTIFICATE):
        raise TransparencyError("malformed", f"an entry is of the unknown type {kind}")
    key_hash = reader.take(HASH_SIZE) if kind == EntryKind.PRECERTIFICATE else b""
    entry = Entry(EntryKind(kind), reader.vector(3), key_hash)
    reader.vector(2)
    reader.end()
    return timestamp, entry


def certificate_entry(certificate: x509.Certificate) -> Entry:
    """The entry of a certificate as it is."""
    return Entry(EntryKind.CERTIFICATE, certificate.public_bytes(Encoding.DER))


def precertificate_entry(precertificate: x509.Certificate, issuer: x509.Certificate) -> Entry:
    """The entry of a precertificate: without its poison. Raises TransparencyError."""
    return Entry(
        EntryKind.PRECERTIFICATE, without_poison(precertificate.tbs_certificate_bytes), issuer_key_hash(issuer)
    )


def embedded_entry(certificate: x509.Certificate, issuer: x509.Certificate) -> Entry:
    """The entry that a certificate's embedded timestamps are about: without them. Raises TransparencyError."""
    try:
        tbs = certificate.tbs_precertificate_bytes
    except ValueError as error:
        raise TransparencyError("no-timestamps", "the certificate has no signed timestamps") from error
    return Entry(EntryKind.PRECERTIFICATE, tbs, issuer_key_hash(issuer))


def issuer_key_hash(issuer: x509.Certificate) -> bytes:
    """SHA-256 of the issuer's SubjectPublicKeyInfo."""
    key = issuer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key).digest()


def is_precertificate(certificate: x509.Certificate) -> bool:
    """Say whether the poison is there, which no verifier admits: it is critical."""
    return any(extension.oid == _POISON and extension.critical for extension in certificate.extensions)


def without_poison(tbs: bytes) -> bytes:
    """Take the poison out of a TBSCertificate (RFC 6962 §3.2). Raises TransparencyError."""
    poison = element(0x06, bytes.fromhex("2b06010401d679020403"))
    try:
        fields = elements(content_of(tbs))
        tag, last = fields[-1]
        if tag != _EXTENSIONS_TAG:
            raise ValueError("there are no extensions")
        extensions = elements(content_of(content_of(last)))
        kept = [octets for _, octets in extensions if not content_of(octets).startswith(poison)]
    except (ValueError, IndexError) as error:
        raise TransparencyError("malformed", "not a precertificate that can be read") from error
    if len(kept) != len(extensions) - 1:
        raise TransparencyError("poison", "a precertificate has the poison exactly once")
    rest = b"".join(octets for _, octets in fields[:-1])
    return element(SEQUENCE, rest + element(_EXTENSIONS_TAG, element(SEQUENCE, b"".join(kept))))


def logged_certificate(entry: Entry) -> bytes:
    """A certificate in DER that says what was logged: of a precertificate with an empty signature, so only to read."""
    if entry.kind is EntryKind.CERTIFICATE:
        return entry.octets
    ecdsa_with_sha256 = bytes.fromhex("300a06082a8648ce3d040302")
    return element(SEQUENCE, entry.octets + ecdsa_with_sha256 + element(0x03, b"\x00"))


def extra_data(kind: EntryKind, submitted: bytes, chain: Sequence[bytes]) -> bytes:
    """What get-entries adds to a leaf: the precertificate, if it was one, and the certificates above it."""
    above = vector(b"".join(vector(der, 3) for der in chain), 3)
    return vector(submitted, 3) + above if kind is EntryKind.PRECERTIFICATE else above


def read_extra_data(kind: EntryKind, octets: bytes) -> tuple[bytes | None, list[bytes]]:
    """The precertificate, if it was one, and the certificates above it. Raises TransparencyError."""
    reader = Reader(octets, "an entry's extra data")
    precertificate = reader.vector(3) if kind is EntryKind.PRECERTIFICATE else None
    chain = Reader(reader.vector(3), "an entry's chain").vectors(3)
    reader.end()
    return precertificate, chain
