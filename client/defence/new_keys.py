"""What is said of keys that the name of their number does not go with, and asking before such a key is talked to."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from client.errors import ClientError, NewKeyError

# What stands beside the number (client.defence.continuity): a key not met, or accepted beside earlier ones.
KEY_WORDS = {"new": "⚠ KEY NOT MET", "other": "! ANOTHER KEY"}
TITLE = "A new key"
YES = "Go on with the new key"
_QUESTION = (
    "Ask them by another way first. If you go on, the new key gets a chat of its own, and nothing of the old one goes "
    "with it."
)

Done = TypeVar("Done")


async def with_new_keys(call: Callable[[bool], Awaitable[Done]], agreed: Callable[[str], Awaitable[bool]]) -> Done:
    """Do something without new keys; where that is refused, ask, and do it with them. Raises the refusal otherwise."""
    try:
        return await call(False)
    except ClientError as error:  # the daemon's client raises no NewKeyError, but one with its code
        if error.code != NewKeyError.code or not await agreed(f"{error}. {_QUESTION}"):
            raise
    return await call(True)
