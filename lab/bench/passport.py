"""PASSporTs against the bare ECDSA in them: signing, and all checks on a received message."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median

import click
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import ClientVerifier, PolicyBuilder, Store

from identity.binding import (
    MessageContext,
    ReceivedMessage,
    Verdict,
    attest_message,
    group_uri,
    user_uri,
    verify_message,
)
from identity.certificate_fields import policies
from identity.certificates import ChainVerifier, TrustAnchors, public_point
from identity.issuing import create_issuer, create_root, issue_device_certificate
from identity.number import TelephoneNumber
from identity.tn_auth_list import TelephoneNumberRange, TNAuthList
from lab.bench.rows import Aim, Row, table

ROUNDS, QUICK_ROUNDS = 4_000, 200
WARM_UP = 50
BLOCK = 20  # calls of one kind in a row: they meet their own caches, and both kinds the same minute of the machine
NOW, YEAR = 1_800_000_000, 365 * 86_400
BASE_URL = "http://127.0.0.1:8441"
GROUP = bytes(range(16))
URI = group_uri("example.org", GROUP)
ALICE, BOB = TelephoneNumber.from_digits("12025550142"), TelephoneNumber.from_digits("12025550143")
FRAMED = bytes(300)
ES256 = ec.ECDSA(hashes.SHA256())


def run(quick: bool = False) -> list[Row]:
    """Sign and verify, warm (the sender's chain was verified before) and cold."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    key, anchors, chain = _device()
    message, context = _message(key, chain), _context(key, chain)
    passport = message.passport or b""
    signing_input = passport.rpartition(b".")[0]
    signature, public_key = key.sign(signing_input, ES256), key.public_key()
    chains = ChainVerifier(anchors)

    def verify(verifier: ChainVerifier) -> None:
        assert verify_message(message, context, verifier, _never_seen).verdict is Verdict.VERIFIED

    signing = interleaved(rounds, lambda: _attest(key, chain), lambda: key.sign(signing_input, ES256))
    warm = interleaved(rounds, lambda: verify(chains), lambda: public_key.verify(signature, signing_input, ES256))
    # Verifiers that remember nothing are made ahead: a process makes one, and then meets many chains.
    fresh = [ChainVerifier(anchors) for _ in range(rounds // 4 + WARM_UP)]
    validator = _validator(anchors)

    def chain_and_signature() -> None:
        leaf, *issuers = (x509.load_der_x509_certificate(der) for der in chain)
        validator.verify(leaf, issuers)
        public_key.verify(signature, signing_input, ES256)

    cold = interleaved(rounds // 4, lambda: verify(fresh.pop()), chain_and_signature)
    rest = "beside the signature about a third is parsing the token, the rest the other checks and the result in Python"
    note = "all fifteen checks on a chain never seen before; the floor loads it, validates its path and verifies ES256"
    return [
        Row("attest", signing[0], "µs", None, "P-256 sign", signing[1], Aim("ratio", "at most", 1.6)),
        Row("verify_message, warm", warm[0], "µs", None, "P-256 verify", warm[1], Aim("ratio", "at most", 1.35), rest),
        Row(
            "verify_message, cold", cold[0], "µs", None, "chain, signature", cold[1], Aim("ratio", "at most", 1.3), note
        ),
    ]


def interleaved(rounds: int, ours: Callable[[], object], floor: Callable[[], object]) -> tuple[float, float]:
    """Medians in microseconds of two functions, called in turns of BLOCK."""
    times: tuple[list[float], list[float]] = ([], [])
    for function in (ours, floor):
        for _ in range(WARM_UP):
            function()
    for _ in range(rounds // BLOCK):
        for function, spent in zip((ours, floor), times, strict=True):
            for _ in range(BLOCK):
                started = time.perf_counter_ns()
                function()
                spent.append((time.perf_counter_ns() - started) / 1_000)
    return median(times[0]), median(times[1])


def _validator(anchors: TrustAnchors) -> ClientVerifier:
    """Path validation as `cryptography` offers it, with the extension policies that these certificates need."""
    leaf, issuer = policies()
    builder = (
        PolicyBuilder().store(Store(list(anchors.roots))).time(datetime.fromtimestamp(NOW, UTC).replace(tzinfo=None))
    )
    return builder.extension_policies(ee_policy=leaf, ca_policy=issuer).build_client_verifier()


def _device() -> tuple[ec.EllipticCurvePrivateKey, TrustAnchors, tuple[bytes, ...]]:
    root_key, root = create_root("Root", NOW, 10 * YEAR)
    numbers = TNAuthList((TelephoneNumberRange("12025550100", 100),))
    issuer_key, issuer = create_issuer(root_key, root, "Issuer", numbers, NOW, YEAR)
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = issue_device_certificate(issuer_key, issuer, key.public_key(), ALICE, NOW)
    chain = tuple(certificate.public_bytes(Encoding.DER) for certificate in (leaf, issuer))
    return key, TrustAnchors((root,)), chain


def _attest(key: ec.EllipticCurvePrivateKey, chain: tuple[bytes, ...]) -> bytes:
    return attest_message(
        key, chain[0], base_url=BASE_URL, number=ALICE, group_uri=URI, peer=BOB, framed=FRAMED, now=NOW
    )  # fmt: skip


def _message(key: ec.EllipticCurvePrivateKey, chain: tuple[bytes, ...]) -> ReceivedMessage:
    return ReceivedMessage(_attest(key, chain), FRAMED, user_uri("example.org", ALICE), URI)


def _context(key: ec.EllipticCurvePrivateKey, chain: tuple[bytes, ...]) -> MessageContext:
    members = frozenset({ALICE, BOB})
    point = public_point(key.public_key())
    return MessageContext(URI, GROUP, 3, 0, chain, point, BOB, members, NOW + 1, NOW - 3_600)


def _never_seen(_: bytes) -> bool:
    return False


if __name__ == "__main__":
    click.echo(table(run()))
