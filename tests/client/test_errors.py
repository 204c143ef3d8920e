"""The error tree: what it promises to whoever catches, and what importing it brings along."""

import inspect
import subprocess
import sys

import pytest

from client import errors
from client.errors import ClientError

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, ClientError)]
EXIT_CODES = {1, 3, 4, 5, 6, 7, 8}


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_stands_in_the_tree(kind: type[ClientError]) -> None:
    assert errors.__doc__ is not None
    assert kind.__name__ in errors.__doc__.split()
    assert kind.exit_code in EXIT_CODES


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.__init__ is ClientError.__init__])
def test_an_error_says_what_happened_and_keeps_its_code(kind: type[ClientError]) -> None:
    error = kind("it happened", code="word", hint="do this")
    assert (str(error), error.code, error.hint) == ("it happened", "word", "do this")
    assert kind("it happened").code == kind.code


def test_importing_the_leaf_modules_brings_no_interface_and_no_server() -> None:
    program = (
        "import sys, client, client.formats.content, client.formats.reading\n"
        "import client.services.delivery, client.credentials.enrolment\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted({'textual', 'starlette', 'uvicorn', 'apsw', 'lab'} & loaded))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
