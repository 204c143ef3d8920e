"""DER where the decoder of `cryptography` stops: single elements, and the SEQUENCE that it wants around a list."""

SEQUENCE = 0x30
LENGTH_SIZE_LIMIT = 4  # octets of a long length; a certificate's need 2


def element(tag: int, content: bytes) -> bytes:
    """Put tag and length before the content (X.690 §8.1)."""
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def elements(content: bytes) -> list[tuple[int, bytes]]:
    """Split content into its elements: tag (of one octet) and whole encoding. Raises ValueError."""
    found, position = [], 0
    while position < len(content):
        _, end = bounds(content, position)
        found.append((content[position], content[position:end]))
        position = end
    return found


def content_of(encoded: bytes) -> bytes:
    """Take one element's tag and length away. Raises ValueError if it is not exactly one element."""
    start, end = bounds(encoded, 0)
    if end != len(encoded):
        raise ValueError("this is not one DER element")
    return encoded[start:]


def bounds(octets: bytes, position: int) -> tuple[int, int]:
    """Where the content of the element at `position` starts and ends. Raises ValueError."""
    start = position + 2
    if start > len(octets) or octets[position] & 0x1F == 0x1F:
        raise ValueError("a DER element is cut short or has a long tag")
    length = octets[position + 1]
    if length >= 0x80:
        size = length & 0x7F
        digits = octets[start : start + size]
        length = int.from_bytes(digits, "big")
        if not 1 <= size <= LENGTH_SIZE_LIMIT or len(digits) < size or digits[0] == 0 or length < 0x80:
            raise ValueError("a DER length is not in its shortest form")
        start += size
    if start + length > len(octets):
        raise ValueError("a DER element is cut short")
    return start, start + length
