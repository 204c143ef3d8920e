"""The delivery service's errors.

DeliveryError
  RefusedError       the request is answered with a problem (RFC 9457): `word` is a key of wire.PROBLEMS
    OutdatedError    the handshake was judged from an observer that another replica has advanced: judge it again
  StoreError         the storage engine failed: whether the request was kept is not known; a repeat finds out
  StartError         the service cannot start as asked
"""

from typing import Any


class DeliveryError(Exception):
    """Root of all errors of this package."""


class RefusedError(DeliveryError):
    """A request refused with a problem; `members` are the extension members of wire.Problem that the word needs."""

    def __init__(self, word: str, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.word = word
        self.detail = detail
        self.members = members


class OutdatedError(RefusedError):
    """A handshake judged from an observer that is not the stored one any more; it is judged again, a few times."""

    def __init__(self) -> None:
        super().__init__("overloaded", "other handshakes of the group keep coming first", retry_after=1)


class StoreError(DeliveryError):
    """The storage engine failed, for instance because the disk is full, or lost the answer to its COMMIT."""


class StartError(DeliveryError):
    """The service cannot start as asked; the message says what to change."""
