"""Reports and statuses: verifying a report, and a list of 100,000 numbers, against the bare cryptography and a set."""

import random
import time
from collections.abc import Callable
from math import lgamma, log
from statistics import median

import click
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from identity.binding import attest_message, group_uri
from identity.certificates import TrustAnchors
from identity.device import DeviceVerifier
from identity.issuing import create_issuer, create_root, issue_device_certificate
from identity.number import TelephoneNumber
from identity.reports.number_status import NumberStatus
from identity.reports.report import Evidence, EvidenceItem, ReportContext, ReportKind, sign_report, verify_report
from identity.reports.status_list import encode_entries, sign_status_list, verify_status_list
from identity.tn_auth_list import TelephoneNumberRange, TNAuthList
from lab.bench.passport import ES256, interleaved
from lab.bench.rows import Aim, Row, table

ROUNDS, QUICK_ROUNDS = 2_000, 100
LISTED = 100_000
LOOKUPS = 200  # numbers looked up in one turn of the clock, which is too coarse for one
NOW, YEAR = 1_800_000_000, 365 * 86_400
BASE_URL, AUDIENCE = "http://127.0.0.1:8441", "http://127.0.0.1:8441"
FRAMED = bytes(300)
URI = group_uri("example.org", bytes(range(16)))
ALICE, BOB = TelephoneNumber.from_digits("12025550142"), TelephoneNumber.from_digits("12025550143")
FIRST, COUNT = 12_000_000_000, 1_000_000_000  # the range that the numbers of the list are drawn from


def run(quick: bool = False) -> list[Row]:
    """Verify a report of one message; make, verify and search a list."""
    return [*_reports(QUICK_ROUNDS if quick else ROUNDS), *_lists(QUICK_ROUNDS if quick else ROUNDS)]


def _reports(rounds: int) -> list[Row]:
    root_key, root = create_root("Root", NOW, 10 * YEAR)
    numbers = TNAuthList((TelephoneNumberRange("12025550100", 100),))
    issuer_key, issuer = create_issuer(root_key, root, "Issuer", numbers, NOW, YEAR)
    anchors = TrustAnchors((root,))

    def device(number: TelephoneNumber) -> tuple[ec.EllipticCurvePrivateKey, tuple[bytes, ...]]:
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = issue_device_certificate(issuer_key, issuer, key.public_key(), number, NOW)
        return key, tuple(certificate.public_bytes(Encoding.DER) for certificate in (leaf, issuer))

    (alice_key, alice), (bob_key, bob) = device(ALICE), device(BOB)
    token = attest_message(
        alice_key, alice[0], base_url=BASE_URL, number=ALICE, group_uri=URI, peer=BOB, framed=FRAMED, now=NOW
    )
    item = EvidenceItem(FRAMED, token.decode(), alice, URI, 3, 0, NOW + 1)
    report = sign_report(bob_key, bob, Evidence((item,), ReportKind.SPAM).encode(), AUDIENCE, NOW + 2)
    context, warm = ReportContext(AUDIENCE, NOW + 2), DeviceVerifier(anchors)
    signing_input = token.rpartition(b".")[0]
    signature, public_key = alice_key.sign(signing_input, ES256), alice_key.public_key()

    def two_signatures() -> None:  # the message's and the reporter's: what nobody can save
        public_key.verify(signature, signing_input, ES256)
        public_key.verify(signature, signing_input, ES256)

    def verify(devices: DeviceVerifier) -> None:
        assert verify_report(report, context, devices).accepted

    known = interleaved(rounds, lambda: verify(warm), two_signatures)
    unknown = interleaved(rounds // 4, lambda: verify(DeviceVerifier(anchors)), two_signatures)
    floor, aim = "2 P-256 verifications", Aim("ours", "at most", 1_000)
    note = "neither the reporter's nor the accused number's certificates were seen before: two paths are validated"
    return [
        Row("report of 1 message, known devices", known[0], "µs", 1, floor, known[1], aim),
        Row("report of 1 message, unknown devices", unknown[0], "µs", 1, floor, unknown[1], aim, note),
    ]


def _lists(rounds: int) -> list[Row]:
    draw = random.Random(1)  # noqa: S311 - the same numbers in every run
    root_key, root = create_root("Root", NOW, 10 * YEAR)
    numbers = TNAuthList((TelephoneNumberRange(str(FIRST), COUNT),))
    issuer_key, issuer = create_issuer(root_key, root, "Issuer", numbers, NOW, YEAR)
    listed = [TelephoneNumber.from_digits(str(value)) for value in draw.sample(range(FIRST, FIRST + COUNT), LISTED)]
    body = encode_entries(dict.fromkeys(listed, NumberStatus.REPORTED))
    signed = sign_status_list(issuer_key, issuer, authority=BASE_URL, body=body, serial=1, now=NOW, lifetime=3_600)
    size = len(signed.encode())

    def verify() -> object:
        return verify_status_list(signed, authority=BASE_URL, anchors=TrustAnchors((root,)), now=NOW + 1)

    verified = verify_status_list(signed, authority=BASE_URL, anchors=TrustAnchors((root,)), now=NOW + 1)
    met = draw.sample(listed, LOOKUPS // 2)
    met += [TelephoneNumber.from_digits(str(draw.randrange(FIRST, FIRST + COUNT))) for _ in range(LOOKUPS // 2)]
    known = {number.digits for number in listed}
    lookup = _each(rounds, lambda: [verified.of(number) for number in met])
    floor = _each(rounds, lambda: [number.digits in known for number in met])
    taking = median(_timed(verify) for _ in range(max(3, rounds // 200))) * 1_000
    entropy = (lgamma(COUNT + 1) - lgamma(LISTED + 1) - lgamma(COUNT - LISTED + 1)) / log(2) / 8 / 1_000
    fixed = "entries of a fixed size are searched where they lie: nothing is decoded, nothing else is kept"
    return [
        Row(
            "status list, octets", size / 1_000, "kB", LISTED, "entropy", entropy, Aim("ours", "at most", 1_000), fixed
        ),
        Row("status list, one lookup", lookup, "µs", LISTED, "set of strings", floor, Aim("ours", "at most", 1)),
        Row(
            "status list, verify a new one",
            taking,
            "ms",
            LISTED,
            note="signature, digest, order and range of each number",
        ),
    ]


def _each(rounds: int, turn: Callable[[], object]) -> float:
    """Median microseconds of one lookup."""
    return median(_timed(turn) for _ in range(rounds)) * 1_000_000 / LOOKUPS


def _timed(turn: Callable[[], object]) -> float:
    started = time.perf_counter()
    turn()
    return time.perf_counter() - started


if __name__ == "__main__":
    click.echo(table(run()))
