"""Options of the whole suite, and an environment in which a terminal has its own size."""

import os

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-snapshots", action="store_true", help="keep every screen as it looks now")


def pytest_configure() -> None:
    for name in ("COLUMNS", "LINES"):  # workers of a parallel run have them, and programs believe them
        os.environ.pop(name, None)
