"""Vectors and numbers in the presentation language of TLS (RFC 5246 §4), which RFC 6962 writes its structures in."""

from identity.errors import TransparencyError


class Reader:
    """Takes octets from the front; whatever is cut short, or left over, is a TransparencyError."""

    def __init__(self, octets: bytes, what: str) -> None:
        self._octets = octets
        self._position = 0
        self._what = what

    def take(self, size: int) -> bytes:
        """The next `size` octets."""
        taken = self._octets[self._position : self._position + size]
        if len(taken) < size:
            raise TransparencyError("malformed", f"{self._what} is cut short")
        self._position += size
        return taken

    def number(self, size: int) -> int:
        """A number of `size` octets."""
        return int.from_bytes(self.take(size), "big")

    def vector(self, length_size: int) -> bytes:
        """Octets behind their length."""
        return self.take(self.number(length_size))

    def vectors(self, length_size: int) -> list[bytes]:
        """All that is left, as vectors with lengths of this size."""
        found = []
        while self._position < len(self._octets):
            found.append(self.vector(length_size))
        return found

    def end(self) -> None:
        """Check that nothing is left."""
        if self._position != len(self._octets):
            raise TransparencyError("malformed", f"{self._what} has octets after its end")


def number(value: int, size: int) -> bytes:
    """Write a number in `size` octets."""
    return value.to_bytes(size, "big")


def vector(octets: bytes, length_size: int) -> bytes:
    """Write octets behind their length."""
    return number(len(octets), length_size) + octets
