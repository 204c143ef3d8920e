"""jose and @peculiar (JavaScript): they verify what we sign, and we what they sign, certificates included."""

import base64
import time
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from identity.binding import Verdict, Verification, verify_message
from identity.certificates import ChainVerifier, TrustAnchors
from tests.interop.peers import ALICE, BASE_URL, BOB, FRAMED, GROUP, RANGE, Signer, ask_node, b64, received


def asked(signer: Signer, token: str, now: int, framed: bytes = FRAMED, **changes: Any) -> dict[str, Any]:
    request: dict[str, Any] = {
        "token": token,
        "chain": [b64(der) for der in signer.ders],
        "root": b64(signer.root.public_bytes(Encoding.DER)),
        "framed": b64(framed),
        "now": now,
    }
    return ask_node(act="verify", **(request | changes))


def test_they_verify_signature_chain_numbers_and_digest_of_ours() -> None:
    now = int(time.time())
    signer = Signer.create(now)
    found = asked(signer, signer.sign(now), now)
    assert (found["path"], found["covered"], found["digest"]) == (True, True, True)
    assert found["header"]["ppt"] == "msg"
    assert found["claims"]["orig"] == {"tn": ALICE.digits}
    assert found["lists"] == [[{"one": ALICE.digits}], [{"start": RANGE.start, "count": RANGE.count}], None]


def test_they_refuse_another_signature() -> None:
    now = int(time.time())
    signer, other = Signer.create(now), Signer.create(now)
    with pytest.raises(ValueError, match="signature verification failed"):
        asked(signer, other.sign(now), now)


def test_they_see_another_root_another_content_and_the_end_of_the_certificate() -> None:
    now = int(time.time())
    signer, other = Signer.create(now), Signer.create(now)
    token = signer.sign(now)
    assert not asked(signer, token, now, root=b64(other.root.public_bytes(Encoding.DER)))["path"]
    assert not asked(signer, token, now, framed=b"something else")["digest"]
    assert not asked(signer, token, now + 8 * 86_400)["path"]


def test_we_verify_what_they_sign_under_certificates_that_they_issued() -> None:
    verification = signed_by_them(ALICE.digits)
    assert verification.verdict is Verdict.VERIFIED, verification.checks
    assert verification.number == ALICE


def test_we_refuse_what_they_sign_for_a_number_beyond_their_issuer() -> None:
    verification = signed_by_them("12025550200")
    assert verification.failed_check is not None
    assert (verification.failed_check.number, verification.failed_check.name) == (5, "chain")
    assert "not within the list" in verification.failed_check.compared


def signed_by_them(digits: str) -> Verification:
    now = int(time.time())
    signed = ask_node(
        act="sign",
        number=digits,
        range={"start": RANGE.start, "count": RANGE.count},
        dest={"tn": [BOB.digits], "uri": [GROUP]},
        framed=b64(FRAMED),
        base=BASE_URL,
        now=now,
    )
    chain = tuple(base64.b64decode(der) for der in signed["chain"])
    root = x509.load_der_x509_certificate(base64.b64decode(signed["root"]))
    message, context = received(signed["token"].encode(), chain, now)
    return verify_message(message, context, ChainVerifier(TrustAnchors((root,))), seen=lambda _: False)
