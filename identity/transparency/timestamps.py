"""Signed certificate timestamps: a log's promise that an entry is in its tree (RFC 6962 §3.2, §3.3)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from identity.der import content_of, element
from identity.errors import TransparencyError
from identity.transparency.entries import Entry, embedded_entry
from identity.transparency.log_key import LogKey, sign
from identity.transparency.merkle import HASH_SIZE
from identity.transparency.tls import Reader, number, vector

TIMESTAMP_LIST_OID = x509.PrecertificateSignedCertificateTimestamps.oid
TIMESTAMPS_LIMIT = 8  # of one certificate: each known log costs a signature's verification
ECDSA_WITH_SHA256 = bytes((4, 3))  # SignatureAndHashAlgorithm (RFC 5246 §7.4.1.4.1)

_VERSION = 0
_CERTIFICATE_TIMESTAMP = 0
_OCTET_STRING = 0x04


@dataclass(frozen=True, slots=True)
class SignedTimestamp:
    """An SCT of version 1: which log, when (milliseconds since the epoch), and its ECDSA signature."""

    log_id: bytes
    timestamp: int
    signature: bytes
    extensions: bytes = b""

    def encode(self) -> bytes:
        """As in a certificate's list."""
        head = number(_VERSION, 1) + self.log_id + number(self.timestamp, 8) + vector(self.extensions, 2)
        return head + ECDSA_WITH_SHA256 + vector(self.signature, 2)

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read one. Raises TransparencyError, also on another version or algorithm."""
        reader = Reader(octets, "a signed timestamp")
        if reader.number(1) != _VERSION:
            raise TransparencyError("version", "a signed timestamp is of another version")
        log_id, timestamp, extensions = reader.take(HASH_SIZE), reader.number(8), reader.vector(2)
        signature = read_signature(reader)
        return cls(log_id, timestamp, signature, extensions)

    def is_by(self, log: LogKey, entry: Entry) -> bool:
        """Say whether this log has signed it, for this entry."""
        signed = signed_octets(entry, self.timestamp, self.extensions)
        return self.log_id == log.log_id and log.verifies(self.signature, signed)


@dataclass(frozen=True, slots=True)
class Vouched:
    """A log that vouches for a certificate, and since when: Unix time, seconds."""

    log: LogKey
    since: int


def sign_timestamp(key: ec.EllipticCurvePrivateKey, entry: Entry, timestamp: int) -> SignedTimestamp:
    """Promise, as the log with this key, that the entry is in its tree; `timestamp` in milliseconds."""
    log_id = LogKey.of("log", key.public_key()).log_id
    return SignedTimestamp(log_id, timestamp, sign(key, signed_octets(entry, timestamp)))


def signed_octets(entry: Entry, timestamp: int, extensions: bytes = b"") -> bytes:
    """What a timestamp's signature is over."""
    head = number(_VERSION, 1) + number(_CERTIFICATE_TIMESTAMP, 1) + number(timestamp, 8)
    return head + entry.signed() + vector(extensions, 2)


def read_signature(reader: Reader) -> bytes:
    """The signature in a digitally-signed struct, which ends the octets. Raises TransparencyError."""
    if reader.take(2) != ECDSA_WITH_SHA256:
        raise TransparencyError("algorithm", "a log with a P-256 key signs with ECDSA and SHA-256")
    signature = reader.vector(2)
    reader.end()
    return signature


def timestamp_list(timestamps: Iterable[SignedTimestamp]) -> x509.UnrecognizedExtension:
    """The extension that embeds timestamps in a certificate (RFC 6962 §3.3)."""
    listed = vector(b"".join(vector(each.encode(), 2) for each in timestamps), 2)
    return x509.UnrecognizedExtension(TIMESTAMP_LIST_OID, element(_OCTET_STRING, listed))


def embedded_timestamps(certificate: x509.Certificate) -> list[SignedTimestamp]:
    """The timestamps in a certificate that can be read here, in order. Raises TransparencyError if the list cannot.

    One of another version or algorithm is passed over, as RFC 6962 §3.3 asks.
    """
    found = []
    for encoded in _encoded_list(certificate):
        try:
            found.append(SignedTimestamp.decode(encoded))
        except TransparencyError as error:
            if error.code == "malformed":
                raise
    return found


def vouching(certificate: x509.Certificate, issuer: x509.Certificate, logs: Sequence[LogKey]) -> tuple[Vouched, ...]:
    """The logs among these that vouch for the certificate, each once. Raises TransparencyError.

    A timestamp that names a known log, but that the log has not signed for this certificate, is an error.
    """
    known = {log.log_id: log for log in logs}
    timestamps = [each for each in embedded_timestamps(certificate) if each.log_id in known]
    if not timestamps:
        return ()
    entry, found = embedded_entry(certificate, issuer), dict[bytes, Vouched]()
    for each in timestamps:
        if not each.is_by(known[each.log_id], entry):
            raise TransparencyError(
                "forged", f"a timestamp is not by the log {known[each.log_id].name!a} that it names"
            )
        found.setdefault(each.log_id, Vouched(known[each.log_id], each.timestamp // 1000))
    return tuple(found.values())


def _encoded_list(certificate: x509.Certificate) -> list[bytes]:
    for extension in certificate.extensions:
        if extension.oid == TIMESTAMP_LIST_OID:
            encoded = extension.value.public_bytes()
            try:
                reader = Reader(content_of(encoded), "the list of timestamps")
            except ValueError as error:
                raise TransparencyError("malformed", "the list of timestamps is not an OCTET STRING") from error
            listed = Reader(reader.vector(2), "the list of timestamps").vectors(2)
            reader.end()
            if not 1 <= len(listed) <= TIMESTAMPS_LIMIT:
                raise TransparencyError("malformed", f"a certificate has 1 to {TIMESTAMPS_LIMIT} signed timestamps")
            return listed
    return []
