"""A long list of revocations: what it takes to verify it, and then to ask it about one certificate."""

import random

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from identity.issuing import create_root
from identity.status.revocation import Reason, sign_crl, verify_crl
from lab.bench.passport import interleaved
from lab.bench.rows import Row
from lab.bench.senders import NOW, YEAR

LISTED, QUICK_LISTED = 75_000, 2_000
ROUNDS, QUICK_ROUNDS = 40, 20
REASONS = (Reason.unspecified, Reason.superseded, Reason.cessation_of_operation, Reason.key_compromise)
WHERE = "beside the signature every entry's serial number, time and reason are read, and kept for look-ups"


def run(quick: bool = False) -> list[Row]:
    """One list with all its entries revoked in the last minute, for one of four reasons."""
    listed, rounds = (QUICK_LISTED, QUICK_ROUNDS) if quick else (LISTED, ROUNDS)
    draw = random.Random(1)  # noqa: S311 - the same numbers in every run
    key, issuer = create_root("Issuer", NOW - YEAR, 10 * YEAR)
    entries = {draw.getrandbits(158) + 1: (NOW - draw.randrange(60), draw.choice(REASONS)) for _ in range(listed)}
    signed = sign_crl(key, issuer, entries, number=1, now=NOW, lifetime=86_400)
    issuer_der = issuer.public_bytes(Encoding.DER)

    def load_and_verify() -> None:
        assert x509.load_der_x509_crl(signed).is_signature_valid(key.public_key())

    verified = interleaved(rounds, lambda: verify_crl(signed, issuer_der, NOW + 1), load_and_verify)
    known, crl = verify_crl(signed, issuer_der, NOW + 1), x509.load_der_x509_crl(signed)
    serial = draw.choice(list(entries))
    asked = interleaved(
        rounds, lambda: known.of(serial, NOW), lambda: crl.get_revoked_certificate_by_serial_number(serial)
    )
    ours, floor = (each / 1_000 for each in verified)
    note = f"{len(signed) / 1_000_000:.1f} MB; {WHERE}"
    one_by_one = "the library looks at one entry after another"
    return [
        Row("verify a list of revocations", ours, "ms", listed, "load, signature", floor, None, note),
        Row("look one certificate up in it", asked[0], "µs", listed, "by the library", asked[1], None, one_by_one),
    ]
