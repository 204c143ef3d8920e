"""The few fields that the service reads out of MLS structures itself (TLS presentation language, RFC 9420 §2.1).

Only for messages that the engine has already parsed whole; still, anything malformed raises RefusedError.
"""

from dataclasses import dataclass

from delivery_service.errors import RefusedError

_MESSAGE_HEADER = 4  # MLSMessage: ProtocolVersion, WireFormat
_X509 = 2
_SOURCE_KEY_PACKAGE = 1


@dataclass(slots=True)
class _Reader:
    octets: bytes
    offset: int = 0

    def take(self, count: int) -> bytes:
        end = self.offset + count
        if end > len(self.octets):
            raise RefusedError("malformed", "the message ends early")
        taken = self.octets[self.offset : end]
        self.offset = end
        return taken

    def integer(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self) -> bytes:
        """An opaque<V>: its length is a variable-size integer of 1, 2 or 4 octets (RFC 9420 §2.1.2)."""
        first = self.integer(1)
        prefix = first >> 6
        if prefix == 3:
            raise RefusedError("malformed", "a length is out of range")
        rest = (1 << prefix) - 1
        return self.take((first & 0x3F) << (8 * rest) | self.integer(rest))


def tree_hash(group_info: bytes) -> bytes:
    """GroupContext.tree_hash of an MLSMessage(GroupInfo) (RFC 9420 §8.1, §12.4.3)."""
    reader = _Reader(group_info, _MESSAGE_HEADER)
    reader.take(4)  # version, cipher_suite
    reader.vector()  # group_id
    reader.take(8)  # epoch
    return reader.vector()


def lifetime_end(key_package: bytes) -> int:
    """Lifetime.not_after, in seconds, of an MLSMessage(KeyPackage) with an X.509 credential (RFC 9420 §7.2, §10)."""
    reader = _Reader(key_package, _MESSAGE_HEADER)
    reader.take(4)  # version, cipher_suite
    reader.vector()  # init_key
    reader.vector()  # encryption_key
    reader.vector()  # signature_key
    if reader.integer(2) != _X509:
        raise RefusedError("credential-refused", "the credential must be an X.509 chain")
    reader.vector()  # certificates
    for _ in range(5):  # capabilities: versions, cipher_suites, extensions, proposals, credentials
        reader.vector()
    if reader.integer(1) != _SOURCE_KEY_PACKAGE:
        raise RefusedError("malformed", "the leaf is not that of a key package")
    reader.take(8)  # not_before
    return reader.integer(8)
