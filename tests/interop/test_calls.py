"""Calls: secsipidx verifies the Identity header fields that our signing service makes, and we those that it makes."""

import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from identity.attestation import Expected
from identity.authority.signing.signer import Signer as CallSigner
from identity.authority.signing.wire import Many, One, SigningRequest
from identity.binding import Verdict
from identity.certificates import ChainVerifier, TrustAnchors
from identity.issuing import create_issuer, create_root
from identity.sip import verify_identity
from identity.tn_auth_list import TNAuthList
from tests.identity.conftest import any_certificate, key_usage, tn_extension
from tests.interop.peers import ALICE, BOB, DAY, RANGE, key_pem, require, run

CALL_ID = "1e5b8c22-6a51-4c3f-9a02-0e3e7d6c1d77"


class Carrier:
    """A carrier's key and certificate for a range, with files of them as its peers want."""

    def __init__(self, folder: Path, now: int) -> None:
        root_key, self.root = create_root("Calls root", now - 60, 365 * DAY)
        numbers = TNAuthList((RANGE,))
        issuer_key, issuer = create_issuer(root_key, self.root, "Calls issuer", numbers, now - 60, 30 * DAY)
        key = ec.generate_private_key(ec.SECP256R1())
        extensions = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (key_usage(digital_signature=True), True),
            tn_extension(numbers),
        ]
        period = (now - 60, now + DAY)
        leaf = any_certificate(issuer_key, issuer.subject, key.public_key(), extensions, period=period)
        self.key, self.chain, self.root_file = folder / "call.key", folder / "call.pem", folder / "root.pem"
        self.key.write_bytes(key_pem(key))
        self.chain.write_bytes(leaf.public_bytes(Encoding.PEM) + issuer.public_bytes(Encoding.PEM))
        self.root_file.write_bytes(self.root.public_bytes(Encoding.PEM))

    @property
    def ders(self) -> tuple[bytes, ...]:
        path = x509.load_pem_x509_certificates(self.chain.read_bytes())
        return tuple(each.public_bytes(Encoding.DER) for each in path)


def test_secsipidx_verifies_a_call_that_we_signed(tmp_path: Path) -> None:
    now = int(time.time())
    carrier = Carrier(tmp_path, now)
    signer = CallSigner.of(carrier.key.read_bytes(), carrier.chain.read_bytes(), "https://carrier.example/call.pem")
    request = SigningRequest(
        orig=One(tn=ALICE.digits), dest=Many(tn=[BOB.digits]), iat=now, ppt="shaken", attest="A", origid=CALL_ID
    )
    assert checked(signer.sign(request, now).identityHeader, carrier) == 0
    (tmp_path / "another").mkdir()
    another = Carrier(tmp_path / "another", now)
    assert checked(signer.sign(request, now).identityHeader, another) != 0


def test_we_verify_a_call_that_secsipidx_signed(tmp_path: Path) -> None:
    now = int(time.time())
    carrier = Carrier(tmp_path, now)
    signed = run(
        require("secsipidx"), "-sign-full", "-orig-tn", ALICE.digits, "-dest-tn", BOB.digits, "-attest", "A",
        "-orig-id", CALL_ID, "-x5u", "https://carrier.example/call.pem", "-k", carrier.key,
    )  # fmt: skip
    assert signed.returncode == 0, signed.stderr
    expected = Expected(now, ALICE, {BOB}, chain=carrier.ders, kinds=("shaken",))
    chains = ChainVerifier(TrustAnchors((carrier.root,)))
    verification = verify_identity(signed.stdout.decode().strip(), None, expected, chains, None)
    assert verification.verdict is Verdict.CARRIER, verification.checks


def checked(header: str, carrier: Carrier) -> int:
    done = run(
        require("secsipidx"), "-check", "-identity", header, "-fpubkey", carrier.chain, "-expire", "60",
        "-ca-file", carrier.root_file, "-cert-verify", "5",
    )  # fmt: skip
    return done.returncode
