"""The package says of itself what is true."""

import subprocess
import sys
import tomllib
from pathlib import Path

import mls_rs as mls
import pytest

FOLDER = Path(__file__).parents[1]


def test_the_versions_are_those_that_were_built():
    manifest = tomllib.loads((FOLDER / "Cargo.toml").read_text())
    assert manifest["package"]["version"] == mls.__version__
    assert manifest["dependencies"]["mls-rs"]["version"] == f"={mls.MLS_RS_VERSION}"


def test_everything_is_exported():
    stub = (FOLDER / "python" / "mls_rs" / "_mls_rs.pyi").read_text()
    from mls_rs import _mls_rs as compiled

    public = {name for name in dir(compiled) if not name.startswith("_")}
    assert public <= set(mls.__all__)
    assert all(name in stub for name in public)


def test_every_error_has_its_own_code():
    classes = [value for value in vars(mls).values() if isinstance(value, type) and issubclass(value, mls.MlsError)]
    assert len({error.code for error in classes}) == len(classes) == 22
    assert all(error.__module__ == "mls_rs" for error in classes)


def test_the_stub_matches_the_module():
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy.stubtest", "mls_rs._mls_rs"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_accept_basic_believes_basic_credentials_only():
    approval = mls.accept_basic(mls.Credential.basic(b"alice"), b"key", 0)
    assert (approval.identity, approval.not_before) == (b"alice", 0)
    assert approval.not_after > 2**60
    with pytest.raises(ValueError, match="Basic"):
        mls.accept_basic(mls.Credential.x509([b"der"]), b"key", 0)


def test_credentials_are_values():
    chain = mls.Credential.x509([b"leaf", b"issuer"])
    assert (chain.kind, chain.chain, chain.identifier) == ("x509", (b"leaf", b"issuer"), b"")
    assert chain == mls.Credential.x509((b"leaf", b"issuer")) != mls.Credential.basic(b"leaf")
    assert len({chain, mls.Credential.x509([b"leaf", b"issuer"]), mls.Credential.basic(b"leaf")}) == 2
    assert mls.Credential.basic(b"leaf").chain == ()
    with pytest.raises(mls.MalformedError):
        mls.Credential.x509([])
