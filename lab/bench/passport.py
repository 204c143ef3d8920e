"""PASSporTs against the bare ECDSA in them: signing, and all checks on a received message."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import cycle
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
from identity.certificate_fields import (
    certificate_constraints,
    certificate_tn_auth_list,
    check_key_identifiers,
    check_leaf_fields,
    load_certificate,
    p256_key,
    policies,
    validity,
)
from identity.certificates import ChainVerifier, TrustAnchors, public_point, verify_chain
from identity.checks import check_constraints, check_number
from identity.issuer_path import issuer_path
from identity.issuing import create_issuer, create_root, issue_device_certificate
from identity.number import TelephoneNumber
from identity.passport import parse_passport, verify_signature
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
REST = "beside the signature about a third is parsing the token, the rest the other checks and the result in Python"
COLD = (
    "all fifteen checks on a chain never seen; the floor loads it, validates its path and verifies ES256 with the "
    "key of its leaf. Beyond the five steps: the key once more for check 4, the other checks, and the result"
)
KNOWN = (
    "a leaf never seen before below an issuer that was validated for others, as nearly all are; the floor is as above"
)


def run(quick: bool = False) -> list[Row]:
    """Sign and verify: warm (the sender's chain was verified before), cold, and cold below an issuer that is known."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    key, anchors, (chain, other) = _devices()
    message, context = _message(key, chain), _context(key, chain)
    signing_input = (message.passport or b"").rpartition(b".")[0]
    signature, public_key = key.sign(signing_input, ES256), key.public_key()
    signing = interleaved(rounds, lambda: _attest(key, chain), lambda: key.sign(signing_input, ES256))
    chains = ChainVerifier(anchors)
    warm = interleaved(
        rounds, lambda: _verify(message, context, chains), lambda: public_key.verify(signature, signing_input, ES256)
    )
    validator = _validator(anchors)

    def chain_and_signature() -> None:
        leaf, *issuers = (x509.load_der_x509_certificate(der) for der in chain)
        validator.verify(leaf, issuers)
        leaf_key = leaf.public_key()
        assert isinstance(leaf_key, ec.EllipticCurvePublicKey)
        leaf_key.verify(signature, signing_input, ES256)

    # Verifiers that remember nothing are made ahead: a process makes one, and then meets many chains.
    fresh = [ChainVerifier(anchors) for _ in range(rounds // 4 + WARM_UP)]
    cold = interleaved(rounds // 4, lambda: _verify(message, context, fresh.pop()), chain_and_signature)
    turns = cycle([(message, context), (_message(key, other), _context(key, other))])
    remembering_one = ChainVerifier(anchors, memo_limit=1)  # each chain takes the place of the one before
    met = interleaved(rounds // 4, lambda: _verify(*next(turns), remembering_one), chain_and_signature)
    steps = interleaved(rounds // 4, lambda: _five_steps(message, chain, anchors), chain_and_signature)
    floor = "chain, signature"
    return [
        Row("attest", signing[0], "µs", None, "P-256 sign", signing[1], Aim("ratio", "at most", 1.6)),
        Row("verify_message, warm", warm[0], "µs", None, "P-256 verify", warm[1], Aim("ratio", "at most", 1.35), REST),
        Row("verify_message, cold", cold[0], "µs", None, floor, cold[1], Aim("ratio", "at most", 1.3), COLD),
        Row("verify_message, known issuer", met[0], "µs", None, floor, met[1], None, KNOWN),
        Row(
            "five steps, cold",
            steps[0],
            "µs",
            None,
            floor,
            steps[1],
            Aim("ratio", "at most", 1.3),
            _where(message, chain, anchors, rounds // 4),
        ),
    ]


def _verify(message: ReceivedMessage, context: MessageContext, chains: ChainVerifier) -> None:
    assert verify_message(message, context, chains, _never_seen).verdict is Verdict.VERIFIED


def _five_steps(message: ReceivedMessage, chain: tuple[bytes, ...], anchors: TrustAnchors) -> None:
    """Parse, chain, coverage, constraints, signature: checks 1 to 3 and 5 to 8."""
    passport = parse_passport(message.passport or b"")
    verified = verify_chain(chain, anchors, passport.iat)
    check_number(passport, verified)
    check_constraints(passport, verified)
    verify_signature(passport, verified.public_key)


def _where(message: ReceivedMessage, chain: tuple[bytes, ...], anchors: TrustAnchors, rounds: int) -> str:
    """Say what the five steps spend beside the floor, part by part; each part is measured alone, in warm caches."""
    token = message.passport or b""
    path = (*(load_certificate(der) for der in chain), anchors.roots[0])
    leaf, key = path[0], p256_key(path[0])
    parts: dict[str, Callable[[], object]] = {
        "the token": lambda: parse_passport(token),
        "names and extensions of two certificates as objects": lambda: [load_certificate(der) for der in chain],
        "issuer and root": lambda: issuer_path(path[1:], [validity(path[1])], anchors.policy),
        "the leaf's TNAuthList": lambda: certificate_tn_auth_list(leaf),
        "its other fields": lambda: _read_leaf(path),
        "its key's point": lambda: public_point(key),
    }  # fmt: skip
    spent = [f"{name} {median(timed(function, rounds)):.0f}" for name, function in parts.items()]
    return (
        f"parse, chain, coverage, constraints, signature. Beside the floor, in µs and each alone: {', '.join(spent)}; "
        "among the signatures this Python takes about 1.6 times as long as alone"
    )


def _read_leaf(path: tuple[x509.Certificate, ...]) -> None:
    check_key_identifiers(path[:2])
    check_leaf_fields(path[0])
    certificate_constraints(path[0])
    validity(path[0])


def interleaved(rounds: int, ours: Callable[[], object], floor: Callable[[], object]) -> tuple[float, float]:
    """Medians in microseconds of two functions, called in turns of BLOCK."""
    times: tuple[list[float], list[float]] = ([], [])
    for function in (ours, floor):
        timed(function, WARM_UP)
    for _ in range(rounds // BLOCK):
        for function, spent in zip((ours, floor), times, strict=True):
            spent += timed(function, BLOCK)
    return median(times[0]), median(times[1])


def timed(function: Callable[[], object], calls: int) -> list[float]:
    """Microseconds of each of so many calls in a row."""
    spent = []
    for _ in range(calls):
        started = time.perf_counter_ns()
        function()
        spent.append((time.perf_counter_ns() - started) / 1_000)
    return spent


def _validator(anchors: TrustAnchors) -> ClientVerifier:
    """Path validation as `cryptography` offers it, with the extension policies that these certificates need."""
    leaf, issuer = policies()
    builder = (
        PolicyBuilder().store(Store(list(anchors.roots))).time(datetime.fromtimestamp(NOW, UTC).replace(tzinfo=None))
    )
    return builder.extension_policies(ee_policy=leaf, ca_policy=issuer).build_client_verifier()


def _devices() -> tuple[ec.EllipticCurvePrivateKey, TrustAnchors, list[tuple[bytes, ...]]]:
    """One key, certified twice by one issuer below one root."""
    root_key, root = create_root("Root", NOW, 10 * YEAR)
    numbers = TNAuthList((TelephoneNumberRange("12025550100", 100),))
    issuer_key, issuer = create_issuer(root_key, root, "Issuer", numbers, NOW, YEAR)
    key = ec.generate_private_key(ec.SECP256R1())
    leaves = [issue_device_certificate(issuer_key, issuer, key.public_key(), ALICE, NOW) for _ in range(2)]
    chains = [tuple(each.public_bytes(Encoding.DER) for each in (leaf, issuer)) for leaf in leaves]
    return key, TrustAnchors((root,)), chains


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
