"""PASSporTs against the bare ECDSA in them: signing, and all checks on a received message."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from statistics import median

import click
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.verification import ClientVerifier, PolicyBuilder, Store

from identity.base64url import decode_base64url
from identity.binding import Verdict, verify_message
from identity.certificate_fields import (
    certificate_constraints,
    certificate_tn_auth_list,
    check_key_identifiers,
    check_leaf_fields,
    load_certificate,
    policies,
    validity,
)
from identity.certificates import ChainVerifier, TrustAnchors, verify_chain
from identity.checks import check_constraints, check_number
from identity.issuer_path import issuer_path
from identity.passport import parse_passport, verify_signature
from lab.bench.rows import Aim, Row, table
from lab.bench.senders import NOW, Sender, Town

ROUNDS, QUICK_ROUNDS = 4_000, 200
WARM_UP = 50
BLOCK = 20  # calls of one kind in a row: they meet their own caches, and both kinds the same minute of the machine
ES256 = ec.ECDSA(hashes.SHA256())
REST = "beside the signature about a third is parsing the token, the rest the other checks and the result in Python"
SAME = (
    "leaf, issuer, header and key are met for the first time, in ours and in the floor, which takes the same chain and "
    "signature: it loads both certificates, validates the path to a root that it knows, and verifies ES256 as the "
    "token has it (r and s) with the leaf's key"
)
COLD = f"all fifteen checks. {SAME}. Beyond the five steps: the key's comparison in check 4, the others, the result"
KNOWN = (
    "a leaf never seen before below an issuer that was validated for others, as nearly all are; the floor is as above"
)


def run(quick: bool = False) -> list[Row]:
    """Sign and verify: warm (the sender's chain was verified before), cold, and cold below an issuer that is known."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    town = Town()
    (sender,) = town.neighbours(1)
    signing_input, signature = _signed(sender)
    public_key = sender.key.public_key()
    signing = interleaved(rounds, sender.attest, lambda: sender.key.sign(signing_input, ES256))
    chains = ChainVerifier(town.anchors)
    warm = interleaved(
        rounds, lambda: _verify(sender, chains), lambda: public_key.verify(signature, signing_input, ES256)
    )
    once = rounds // 4
    # Verifiers that remember nothing are made ahead: a process makes one, and then meets many chains.
    fresh = [ChainVerifier(town.anchors) for _ in range(once + WARM_UP)]
    cold = _at_first(town.strangers(once + WARM_UP), town.anchors, lambda each: _verify(each, fresh.pop()))
    met = _at_first(town.neighbours(once + WARM_UP), town.anchors, lambda each: _verify(each, chains))
    steps = _at_first(town.strangers(once + WARM_UP), town.anchors, lambda each: _five_steps(each, town.anchors))
    floor, aim = "chain, signature", Aim("ratio", "at most", 1.3)
    return [
        Row("attest", signing[0], "µs", None, "P-256 sign", signing[1], Aim("ratio", "at most", 1.6)),
        Row("verify_message, warm", warm[0], "µs", None, "P-256 verify", warm[1], Aim("ratio", "at most", 1.35), REST),
        Row("verify_message, cold", cold[0], "µs", None, floor, cold[1], aim, COLD),
        Row("verify_message, known issuer", met[0], "µs", None, floor, met[1], None, KNOWN),
        Row("five steps, cold", steps[0], "µs", None, floor, steps[1], aim, _where(sender, town.anchors, once)),
    ]


def _verify(sender: Sender, chains: ChainVerifier) -> None:
    assert verify_message(sender.message, sender.context, chains, _never_seen).verdict is Verdict.VERIFIED


def _five_steps(sender: Sender, anchors: TrustAnchors) -> None:
    """Parse, chain, coverage, constraints, signature: checks 1 to 3 and 5 to 8."""
    passport = parse_passport(sender.token)
    verified = verify_chain(sender.chain, anchors, passport.iat)
    check_number(passport, verified)
    check_constraints(passport, verified)
    verify_signature(passport, verified.public_key)


def _where(sender: Sender, anchors: TrustAnchors, rounds: int) -> str:
    """Say what the five steps spend beside the floor, part by part; each part is measured alone, in warm caches."""
    path = (*(load_certificate(der) for der in sender.chain), anchors.roots[0])
    period = [validity(path[1])]
    parts: dict[str, Callable[[], object]] = {
        "the token": lambda: parse_passport(sender.token),
        "names and extensions of two certificates as objects": lambda: [load_certificate(der) for der in sender.chain],
        "issuer and root": lambda: issuer_path(path[1:], period, anchors.policy),
        "the leaf's TNAuthList": lambda: certificate_tn_auth_list(path[0]),
        "its other fields": lambda: _read_leaf(path),
    }
    spent = [f"{name} {median(timed(function, rounds)):.0f}" for name, function in parts.items()]
    return (
        f"parse, chain, coverage, constraints, signature; as above. Beside the floor, in µs and each alone: "
        f"{', '.join(spent)}; among the signatures Python takes about 1.6 times as long as alone"
    )


def _read_leaf(path: tuple[x509.Certificate, ...]) -> None:
    check_key_identifiers(path[:2])
    check_leaf_fields(path[0])
    certificate_constraints(path[0])
    validity(path[0])


def _at_first(
    senders: Sequence[Sender], anchors: TrustAnchors, ours: Callable[[Sender], object]
) -> tuple[float, float]:
    """Medians of `ours` and of the floor, each of which meets every sender once."""
    validator = _validator(anchors)

    def floor(sender: Sender) -> None:
        leaf, *issuers = (x509.load_der_x509_certificate(der) for der in sender.chain)
        validator.verify(leaf, issuers)
        key, (signing_input, raw) = leaf.public_key(), signed[id(sender)]
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(_der(raw), signing_input, ES256)

    signed = {id(each): _raw(each) for each in senders}
    one, other = iter(senders), iter(senders)
    return interleaved(len(senders) - WARM_UP, lambda: ours(next(one)), lambda: floor(next(other)))


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


def _raw(sender: Sender) -> tuple[bytes, bytes]:
    """The signing input of a token, and r and s."""
    signing_input, _, signature = sender.token.rpartition(b".")
    return signing_input, decode_base64url(signature)


def _signed(sender: Sender) -> tuple[bytes, bytes]:
    """The signing input of a token, and its signature in DER."""
    signing_input, raw = _raw(sender)
    return signing_input, _der(raw)


def _der(raw: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))


def _never_seen(_: bytes) -> bool:
    return False


if __name__ == "__main__":
    click.echo(table(run()))
