"""What a process has in memory, by the kind of its mappings (proc(5), smaps): which kind grows says where to look."""

import re
from pathlib import Path

ARENA = 64 * 2**20  # glibc's arenas, each of another thread, begin at multiples of it

_MAPPING = re.compile(r"([0-9a-f]+)-[0-9a-f]+ \S+ \S+ \S+ \d+ *(.*)")
_RESIDENT = re.compile(r"Rss: +(\d+) kB")


def resident_by_kind(pid: int) -> dict[str, int]:
    """KiB resident of a process: `heap` (malloc), `anonymous` (Python's objects, stacks), `files`, `index`.

    `files` are programs and libraries; `index` is that of a write-ahead log. Free memory of the heap counts as heap.
    """
    kinds = dict.fromkeys(("heap", "anonymous", "files", "index"), 0)
    kind = "files"
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if mapping := _MAPPING.fullmatch(line):
            kind = _kind(int(mapping[1], 16), mapping[2])
        elif found := _RESIDENT.fullmatch(line):
            kinds[kind] += int(found[1])
    return kinds


def _kind(start: int, name: str) -> str:
    if name == "[heap]" or (not name and start % ARENA == 0):
        return "heap"
    if not name or name.startswith("["):
        return "anonymous"
    return "index" if name.endswith("-shm") else "files"
