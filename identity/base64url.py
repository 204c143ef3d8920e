"""Strict base64 and base64url: one text for each octet string, nothing else is accepted."""

from binascii import a2b_base64, b2a_base64

_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_PADDING = (b"", b"===", b"==", b"=")


def base64(octets: bytes) -> bytes:
    """Encode with padding and the standard alphabet (RFC 4648 §4)."""
    return b2a_base64(octets, newline=False)


def encode_base64url(octets: bytes) -> bytes:
    """Encode without padding (RFC 7515 §2)."""
    return b2a_base64(octets, newline=False).translate(_TO_URL).rstrip(b"=")


def decode_base64url(text: bytes) -> bytes:
    """Decode unpadded base64url. Raises ValueError, also on padding and on trailing bits that are not zero."""
    octets = a2b_base64(text.translate(_FROM_URL) + _PADDING[len(text) % 4])
    if encode_base64url(octets) != text:  # a2b_base64 skips what it does not know and ignores trailing bits
        raise ValueError("not unpadded base64url")
    return octets
