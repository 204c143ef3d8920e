"""`python -m lab.fuzz TARGET [--seconds N]`: fuzz one parser with atheris (`uv sync --group fuzz`).

A finding ends the run, and its octets are written to the folder of the run; without one the exit status is 0.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

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
@click.argument("name", metavar="TARGET", type=click.Choice(sorted(TARGETS)))
@click.option("--seconds", default=60, show_default=True, help="How long.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="Corpus and findings.")
def fuzz(name: str, seconds: int, folder: Path) -> None:
    """Feed a parser with octets until something other than an IdentityError comes out, or the time is over."""
    target = TARGETS[name]
    corpus = folder / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = (f"-max_total_time={seconds}", f"-max_len={INPUT_LIMIT}", f"-artifact_prefix={folder / name}-")
    atheris.Setup([sys.argv[0], *options, str(corpus)], _attempt(target))
    atheris.Fuzz()


def _attempt(target: Target) -> Callable[[bytes], None]:
    def attempt(octets: bytes) -> None:
        with suppress(IdentityError):
            target.parse(octets)

    return attempt


if __name__ == "__main__":
    fuzz()
