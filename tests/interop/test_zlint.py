"""zlint's RFC 5280 lints on every kind of certificate that we issue."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from tests.interop.peers import Signer, require, run

SOURCES = "RFC5280,RFC5480,RFC5891,RFC8813"  # not the CA/Browser Forum's: these are not servers' certificates
WRONG = {"warn", "error", "fatal"}


def lint(certificate: x509.Certificate, folder: Path) -> dict[str, str]:
    """What zlint finds wrong: each lint's name with its result."""
    file = folder / "certificate.pem"
    file.write_bytes(certificate.public_bytes(Encoding.PEM))
    done = run(require("zlint"), "-includeSources", SOURCES, file)
    results = json.loads(done.stdout)
    assert len(results) > 50, "the lints ran"
    return {name: found["result"] for name, found in results.items() if found["result"] in WRONG}


@pytest.mark.parametrize("kind", ["leaf", "issuer", "root"])
def test_nothing_is_wrong_with(kind: str, tmp_path: Path) -> None:
    signer = Signer.create(int(time.time()))
    certificate = {"leaf": signer.chain[0], "issuer": signer.chain[1], "root": signer.root}[kind]
    assert lint(certificate, tmp_path) == {}


def test_it_would_find_what_is_wrong(tmp_path: Path) -> None:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    assert lint(builder.sign(key, hashes.SHA256()), tmp_path)["e_issuer_field_empty"] == "error"
