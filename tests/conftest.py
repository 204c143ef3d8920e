"""Options of the whole suite, and an environment where a terminal has its own size and programs can be interrupted."""

import os
import signal

import pytest

pytest_plugins = ["tests.postgresql.fixtures"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-snapshots", action="store_true", help="keep every screen as it looks now")


def pytest_configure() -> None:
    for name in ("COLUMNS", "LINES"):  # workers of a parallel run have them, and programs believe them
        os.environ.pop(name, None)
    if (
        signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    ):  # a shell's background job hands this on to all that it starts
        signal.signal(signal.SIGINT, signal.default_int_handler)
