"""What somebody found who looked: the shape that the doctor's parts share."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: whether it is right, and words for people, which say what to do if it is not."""

    subject: str
    right: bool
    words: str
