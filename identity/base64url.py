"""base64 and base64url of RFC 4648, as the standard library has them only with lenient decoders."""

from binascii import a2b_base64, b2a_base64

_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/!!!")  # what base64 knows and base64url does not becomes what neither knows
_PADDING = (b"", b"===", b"==", b"=")
_DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_LAST = (_DIGITS, b"", _DIGITS[::16], _DIGITS[::4])  # by length modulo 4: last digits whose unused bits are zero


def base64(octets: bytes) -> bytes:
    """Encode with padding and the standard alphabet (RFC 4648 §4)."""
    return b2a_base64(octets, newline=False)


def encode_base64url(octets: bytes) -> bytes:
    """Encode without padding (RFC 7515 §2)."""
    return b2a_base64(octets, newline=False).translate(_TO_URL).rstrip(b"=")


def decode_base64url(text: bytes) -> bytes:
    """Decode strictly: no padding, no other character, unused bits zero. Raises ValueError."""
    remainder = len(text) & 3
    if text[-1:] not in _LAST[remainder]:
        raise ValueError("the last digit has bits that belong to nothing")
    return a2b_base64(text.translate(_FROM_URL) + _PADDING[remainder], strict_mode=True)
