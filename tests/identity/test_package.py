"""The face of the package, and what importing it must not bring along."""

import subprocess
import sys

import pytest

import identity


def test_the_face_is_sorted_and_importable() -> None:
    assert sorted(identity.__all__) == list(identity.__all__)
    assert [name for name in identity.__all__ if not hasattr(identity, name)] == []


@pytest.mark.parametrize("module", ["identity", "identity.binding", "identity.issuing", "identity.sip"])
def test_importing_the_rules_loads_no_service(module: str) -> None:
    script = f"import sys, {module}; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert "'identity.passport'" in loaded
    for unwanted in ("starlette", "uvicorn", "httpx", "apsw", "textual", "identity.authority", "mls_rs"):
        assert f"'{unwanted}'" not in loaded
