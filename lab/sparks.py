"""A small chart out of block characters, one column for each value."""

from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"


def sparks(values: Sequence[int], most: int) -> str:
    """Draw values from 0 to `most`; nothing at all is the lowest block, `most` a whole one."""
    return "".join(BLOCKS[min(value * len(BLOCKS) // (most + 1), len(BLOCKS) - 1)] for value in values)
