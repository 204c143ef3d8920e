"""secsipidx (Go), the library behind Kamailio: it verifies our tokens and chains, and signs what we verify.

It knows neither `msgi` nor TNAuthList: what it confirms is the JWS, its age, and the path of certificates.
"""

import ctypes.util
import sys
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from identity.binding import Verdict, verify_message, x5u_for
from identity.certificates import ChainVerifier
from identity.passport import canonical_json, message_digest
from tests.interop.peers import ALICE, BASE_URL, BOB, FRAMED, GROUP, HERE, Signer, received, require, run

VALID, OLD, BAD_SIGNATURE, UNTRUSTED = 0, -232, -251, -101


def check(token: str, signer: Signer, root: Signer, folder: Path) -> int:
    """libsecsipid's return code for the token under the signer's chain."""
    if ctypes.util.find_library("secsipid") is None:
        pytest.skip("libsecsipid is not installed; tests/interop/install does it")
    chain, anchor = folder / "chain.pem", folder / "root.pem"
    chain.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in signer.chain))
    anchor.write_bytes(root.root.public_bytes(Encoding.PEM))
    done = run(sys.executable, HERE / "libsecsipid.py", token, chain, anchor, "60")
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_it_verifies_our_signature_and_our_chain(tmp_path: Path) -> None:
    now = int(time.time())
    signer = Signer.create(now)
    assert check(signer.sign(now), signer, signer, tmp_path) == VALID


def test_it_refuses_another_signer_another_root_and_an_old_token(tmp_path: Path) -> None:
    now = int(time.time())
    signer, other = Signer.create(now), Signer.create(now)
    assert check(other.sign(now), signer, signer, tmp_path) == BAD_SIGNATURE
    assert check(signer.sign(now), signer, other, tmp_path) == UNTRUSTED
    assert check(signer.sign(now - 3_600), signer, signer, tmp_path) == OLD


def test_we_verify_what_it_signs(tmp_path: Path) -> None:
    now = int(time.time())
    signer = Signer.create(now)
    key = tmp_path / "leaf.key"
    key.write_bytes(signer.key_pem)
    header = {"alg": "ES256", "ppt": "msg", "typ": "passport", "x5u": x5u_for(BASE_URL, signer.ders[0])}
    dest = {"tn": [BOB.digits], "uri": [GROUP]}
    claims = {"dest": dest, "iat": now, "msgi": message_digest(FRAMED), "orig": {"tn": ALICE.digits}}
    done = run(
        require("secsipidx"), "-sign", "-k", key, "-header", canonical_json(header).decode(),
        "-payload", canonical_json(claims).decode(),
    )  # fmt: skip
    token = done.stdout.strip().partition(b";")[0]
    assert done.returncode == 0, done.stderr
    message, context = received(token, signer.ders, now)
    verification = verify_message(message, context, ChainVerifier(signer.anchors), seen=lambda _: False)
    assert verification.verdict is Verdict.VERIFIED, verification.checks
