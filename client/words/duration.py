"""Lengths of time as people type them: 30m, 8h, 2d, 1w, "off", "always"."""

import re

from client.errors import ClientError

LIMIT = 10 * 365 * 86400  # seconds
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_LENGTH = re.compile(r"([0-9]{1,9})\s*([smhdw])[a-z]*", re.ASCII)
_ENDLESS = ("always", "ever", "forever", "for ever")


class DurationError(ClientError):
    """This is no length of time."""

    code = "duration"
    hint = "Write 30m, 8h, 2d or 1w; or off."
    exit_code = 2


def seconds_of(text: str) -> int | None:
    """Seconds; 0 for "off", None for "always". Raises DurationError."""
    words = " ".join(text.lower().split())
    if words in ("off", "0", "no", "none", "never"):
        return 0
    if words in _ENDLESS:
        return None
    match = _LENGTH.fullmatch(words)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < seconds <= LIMIT:
        raise DurationError(f"{text[:40]!a} is no length of time")
    return seconds
