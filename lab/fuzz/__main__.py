"""`python -m lab.fuzz [TARGET …] --folder F [--seconds N]`: fuzz parsers with atheris (`uv sync --group fuzz`).

A finding ends the run, and its octets are written to the folder; without one the exit status is 0.
"""

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import click

try:
    import atheris
except ImportError as missing:
    raise SystemExit("atheris is not installed; run: uv sync --group fuzz") from missing

with atheris.instrument_imports(include=["identity"]):
    from identity.errors import IdentityError
    from lab.fuzz.target import Target
    from lab.fuzz.targets import TARGETS

INPUT_LIMIT = 16_384  # octets


@click.command(name="fuzz")
@click.argument("names", metavar="[TARGET]...", nargs=-1, type=click.Choice(sorted(TARGETS)))
@click.option("--seconds", default=60, show_default=True, help="How long, each.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="Corpus and findings.")
def fuzz(names: tuple[str, ...], seconds: int, folder: Path) -> None:
    """Feed parsers with octets until something other than an IdentityError comes out, or the time is over."""
    if len(names) == 1:
        _fuzz(TARGETS[names[0]], seconds, folder)
    for name in names or sorted(TARGETS):  # each in a process of its own, which ends with its fuzzing
        arguments = (name, "--seconds", str(seconds), "--folder", str(folder))
        done = subprocess.run([sys.executable, "-m", "lab.fuzz", *arguments], stderr=subprocess.PIPE, text=True)  # noqa: S603
        click.echo(f"{name}: {done.stderr.rstrip().rpartition(chr(10))[2]}")
        if done.returncode:
            click.echo(done.stderr, err=True)
            sys.exit(done.returncode)


def _fuzz(target: Target, seconds: int, folder: Path) -> NoReturn:
    corpus = folder / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    prefix = f"-artifact_prefix={folder / target.name}-"
    options = (f"-max_total_time={seconds}", f"-max_len={INPUT_LIMIT}", prefix, "-verbosity=1", "-print_final_stats=0")
    atheris.Setup([sys.argv[0], *options, str(corpus)], _attempt(target))
    atheris.Fuzz()
    raise SystemExit  # atheris ends the process by itself


def _attempt(target: Target) -> Callable[[bytes], None]:
    def attempt(octets: bytes) -> None:
        with suppress(IdentityError):
            target.parse(octets)

    return attempt


if __name__ == "__main__":
    fuzz()
