"""OpenSSL's own path validation of what we issue."""

import time
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from tests.interop.peers import Signer, require, run


def verify(signer: Signer, root: Signer, folder: Path) -> str:
    leaf, issuer = signer.chain
    files = {"leaf.pem": leaf, "issuer.pem": issuer, "root.pem": root.root}
    for name, certificate in files.items():
        (folder / name).write_bytes(certificate.public_bytes(Encoding.PEM))
    paths = (folder / name for name in ("root.pem", "issuer.pem", "leaf.pem"))
    anchor, untrusted, subject = paths
    done = run(require("openssl"), "verify", "-x509_strict", "-CAfile", anchor, "-untrusted", untrusted, subject)
    return (done.stdout + done.stderr).decode()


def test_it_validates_our_path_strictly(tmp_path: Path) -> None:
    signer = Signer.create(int(time.time()))
    assert verify(signer, signer, tmp_path).endswith("leaf.pem: OK\n")


def test_it_refuses_another_root(tmp_path: Path) -> None:
    now = int(time.time())
    assert "unable to get local issuer certificate" in verify(Signer.create(now), Signer.create(now), tmp_path)
