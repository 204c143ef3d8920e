"""What is left behind when the program fails: one line for the person, a file for whoever mends it, no message text."""

import os
import traceback
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from client.storage.home import FILE_MODE

CAUSES = 5


def write_log(home: Path, error: BaseException, moment: datetime) -> Path:
    """Write where it happened: kinds of errors, files, lines; not what an error says, which may quote a message."""
    path = home / f"crash-{moment:%Y%m%d-%H%M%S}-{os.getpid()}.log"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in _lines(error))
    return path


def _lines(error: BaseException) -> Iterator[str]:
    cause: BaseException | None = error
    for _ in range(CAUSES):
        if cause is None:
            return
        yield type(cause).__qualname__
        for frame in traceback.extract_tb(cause.__traceback__):
            yield f"  {Path(frame.filename).name}:{frame.lineno} {frame.name}"
        cause = cause.__cause__ or cause.__context__
