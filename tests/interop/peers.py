"""The independent implementations: where they are, and what a test hands them."""

import base64
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from identity.binding import MessageContext, ReceivedMessage, group_uri, user_uri
from identity.certificates import TrustAnchors, public_point
from identity.issuing import create_issuer, create_root, issue_device_certificate
from identity.message import x5u_for
from identity.number import TelephoneNumber
from identity.passport import message_digest, sign_passport
from identity.tn_auth_list import TelephoneNumberRange, TNAuthList

HERE = Path(__file__).parent
DAY = 86_400  # seconds
PATIENCE = 60  # seconds for a peer to answer
BASE_URL = "http://127.0.0.1:8441"
GROUP_ID = b"an interop group"
GROUP = group_uri("example.org", GROUP_ID)
ALICE, BOB = TelephoneNumber.from_digits("12025550142"), TelephoneNumber.from_digits("12025550143")
RANGE = TelephoneNumberRange("12025550100", 100)
FRAMED = b"\x1aapplication/mimi-content" + b"Mr. Watson, come here."


def require(program: str, *more: Path) -> str:
    """The program's path; the test is skipped where it, or what it needs beside it, is not installed."""
    found = shutil.which(program) or shutil.which(program, path=str(HERE / "bin"))
    if found is None or not all(path.exists() for path in more):
        pytest.skip(f"{program} is not installed; tests/interop/install does it")
    return found


def run(*command: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a peer to its end; a peer that hangs fails the test."""
    return subprocess.run([str(part) for part in command], input=stdin, capture_output=True, timeout=PATIENCE)


def ask_node(**request: Any) -> dict[str, Any]:
    """One request to peer.mjs. Raises ValueError with the peer's own words where it refuses."""
    node = require("node", HERE / "node_modules" / "jose")
    done = run(node, HERE / "peer.mjs", stdin=json.dumps(request).encode())
    if done.returncode != 0:
        raise ValueError(done.stderr.decode())
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@dataclass(frozen=True)
class Signer:
    """Alice with a key and a chain of ours, valid now."""

    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...]
    root: x509.Certificate

    @classmethod
    def create(cls, now: int) -> "Signer":
        root_key, root = create_root("Interop root", now - 60, 365 * DAY)
        numbers = TNAuthList((RANGE,))
        issuer_key, issuer = create_issuer(root_key, root, "Interop issuer", numbers, now - 60, 30 * DAY)
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = issue_device_certificate(issuer_key, issuer, key.public_key(), ALICE, now)
        return cls(key, (leaf, issuer), root)

    @property
    def ders(self) -> tuple[bytes, ...]:
        return tuple(each.public_bytes(Encoding.DER) for each in self.chain)

    @property
    def anchors(self) -> TrustAnchors:
        return TrustAnchors((self.root,))

    @property
    def key_pem(self) -> bytes:
        return key_pem(self.key)

    def sign(self, now: int, base_url: str = BASE_URL) -> str:
        x5u = x5u_for(base_url, self.ders[0])
        return sign_passport(
            self.key,
            x5u=x5u,
            orig=ALICE,
            dest_uris=(GROUP,),
            dest_numbers=(BOB,),
            iat=now,
            msgi=message_digest(FRAMED),
        )


def received(token: bytes, chain: tuple[bytes, ...], now: int) -> tuple[ReceivedMessage, MessageContext]:
    """Bob's side of a message by Alice that came with this token, from a leaf with this chain."""
    leaf = x509.load_der_x509_certificate(chain[0]).public_key()
    assert isinstance(leaf, ec.EllipticCurvePublicKey)
    context = MessageContext(
        group_uri=GROUP,
        group_id=GROUP_ID,
        epoch=1,
        sender_leaf=0,
        sender_chain=chain,
        sender_key=public_point(leaf),
        own_number=BOB,
        member_numbers=frozenset({ALICE, BOB}),
        arrived=now,
        sender_since=None,
    )
    return ReceivedMessage(token, FRAMED, user_uri("example.org", ALICE), GROUP), context
