"""The README's example is a program that runs."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "identity" / "README.md"


def test_the_example_verifies_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    example = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert example is not None
    exec(compile(example[1], str(README), "exec"), {})
    shown = "verified +1 202-555-0142 The sender proved control of this number when the message was signed.\n"
    assert capsys.readouterr().out == shown


def test_the_map_names_every_file() -> None:
    rooms = [README.parent, *(README.parent / room for room in ("enrolment", "groups", "reports", "status"))]
    files = {path.name for room in rooms for path in room.glob("*.py")} - {"__init__.py"}
    assert {name for name in files if f"`{name}`" not in README.read_text()} == set()
