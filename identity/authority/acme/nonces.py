"""Nonces (RFC 8555 §6.5): numbered and authenticated, so that only those that were used are remembered."""

import hashlib
import hmac
import secrets
from heapq import heappop, heappush
from threading import Lock

from identity.base64url import decode_base64url, encode_base64url

USED_LIMIT = 65_536  # used nonces that are remembered; with more, the oldest unused ones count no more
TAG_LENGTH = 16  # octets


class Nonces:
    """Draws nonces and takes each once. A restart ends all of them: a client then asks for another (badNonce)."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._lock = Lock()
        self._drawn = 0
        self._earliest = 0  # nonces below have ended
        self._used: list[int] = []
        self._used_set: set[int] = set()

    def draw(self) -> str:
        """Make a nonce."""
        with self._lock:
            self._drawn += 1
            number = self._drawn.to_bytes(8)
        return encode_base64url(number + self._tag(number)).decode("ascii")

    def spend(self, nonce: str) -> bool:
        """Say whether this is a nonce of ours that was not used, and use it."""
        try:
            octets = decode_base64url(nonce.encode("ascii"))
        except ValueError:
            return False
        number, tag = octets[:8], octets[8:]
        if not hmac.compare_digest(tag, self._tag(number)):
            return False
        return self._spend(int.from_bytes(number))

    def _spend(self, number: int) -> bool:
        with self._lock:
            if number < self._earliest or number in self._used_set:
                return False
            heappush(self._used, number)
            self._used_set.add(number)
            if len(self._used) > USED_LIMIT:
                oldest = heappop(self._used)
                self._used_set.remove(oldest)
                self._earliest = oldest + 1
            return True

    def _tag(self, number: bytes) -> bytes:
        return hmac.digest(self._key, number, hashlib.sha256)[:TAG_LENGTH]
