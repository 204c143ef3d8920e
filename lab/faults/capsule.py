"""Capsules: what is needed to play a failing run again, exactly, and to see whether it was."""

import platform
from pathlib import Path

import apsw
import msgspec

from lab.faults.run import Outcome

LINES_KEPT = 60  # of the end of the trace, beside those about faults


class CapsuleError(Exception):
    """The file is no capsule."""


class Capsule(msgspec.Struct, frozen=True):
    """A run by its family, its seed and the bug that was planted ("" for none), and what it came to.

    `digest` is of the whole trace, `steps` are its lines that say most, `versions` those of what takes part.
    """

    family: str
    seed: int
    bug: str
    digest: str
    violations: tuple[str, ...]
    versions: dict[str, str]
    steps: tuple[str, ...]


def capsule_of(outcome: Outcome, bug: str) -> Capsule:
    """The capsule of a run."""
    told = outcome.lines[:-LINES_KEPT]
    steps = (*(line for line in told if "FAULT" in line or " hears " in line), *outcome.lines[-LINES_KEPT:])
    versions = {"python": platform.python_version(), "sqlite": apsw.sqlite_lib_version()}
    return Capsule(outcome.family, outcome.seed, bug, outcome.digest, outcome.violations, versions, steps)


def write_capsule(capsule: Capsule, folder: Path) -> Path:
    """Put a capsule into a file of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{capsule.family.replace(' ', '-').replace(',', '')}-{capsule.seed}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(capsule)))
    return path


def read_capsule(path: Path) -> Capsule:
    """The capsule in a file. Raises CapsuleError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Capsule)
    except (OSError, msgspec.DecodeError) as error:
        raise CapsuleError(f"{path} is no capsule: {error}") from error
