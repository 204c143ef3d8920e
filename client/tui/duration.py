"""Lengths of time as people type them, where the screens look for them."""

from client.duration import LIMIT, DurationError, seconds_of

__all__ = ["LIMIT", "DurationError", "seconds_of"]
