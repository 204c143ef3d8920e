"""What is fuzzed: each target takes octets, and may raise nothing but an IdentityError.

A target that accepts its octets also checks what acceptance promises: DER has one encoding, JSON has one form.
"""

from base64 import b64decode

from identity.certificate_fields import (
    certificate_constraints,
    certificate_tn_auth_list,
    check_issuer_fields,
    check_key_identifiers,
    check_leaf_fields,
    check_list_signer,
    load_certificate,
)
from identity.certificates import TrustAnchors, verify_chain
from identity.claim_constraints import ClaimConstraints
from identity.passport import message_digest, parse_passport, sign_passport
from identity.tn_auth_list import TNAuthList
from lab.fuzz.status_targets import STATUS_TARGETS
from lab.fuzz.target import ALICE, NOW, NUMBERS, Target, ders, path


def _tn_auth_list(octets: bytes) -> None:
    assert TNAuthList.decode(octets).encode() == octets, "DER has one encoding"


def _certificate(octets: bytes) -> None:
    certificate = load_certificate(octets)
    certificate_tn_auth_list(certificate)
    certificate_constraints(certificate)
    check_leaf_fields(certificate)


def _issuer(octets: bytes) -> None:
    certificate = load_certificate(octets)
    check_issuer_fields(certificate)
    check_list_signer(certificate)
    check_key_identifiers((certificate, certificate))


def _chain(octets: bytes) -> None:
    """Certificates one after another, each behind its length in two octets."""
    chain = []
    while octets:
        size = int.from_bytes(octets[:2])
        chain.append(octets[2 : 2 + size])
        octets = octets[2 + size :]
    verify_chain(chain, TrustAnchors((path()[1][2],)), NOW)


def _chain_seed() -> list[bytes]:
    return [b"".join(len(der).to_bytes(2) + der for der in ders()[:2])]


def _passport_seed() -> list[bytes]:
    x5u, uris = "https://authority.example/certificates/ab.pem", ("mimi://example.org/g/AAAA",)
    msgi = message_digest(b"Watson, come here.")
    token = sign_passport(path()[0], x5u=x5u, orig=ALICE, dest_uris=uris, dest_numbers=(ALICE,), iat=NOW, msgi=msgi)
    return [token.encode()]


# The extensions of RFC 9118 §5 and of the ASN.1 tests of RFC 8226.
_9118 = b64decode("MECgDjAMFgpjb25maWRlbmNloSAwHjAcFgpjb25maWRlbmNlMA4MBGhpZ2gMBm1lZGl1baIMMAoWCHByaW9yaXR5")
_8226 = b64decode("MD2gBzAFFgNmb2+hMjAwMBkWA2ZvbzASDARmb28xDARmb28yDARmb28zMBMWA2JhcjAMDARiYXIxDARiYXIy")

TARGETS = {
    target.name: target
    for target in (
        Target("tn_auth_list", _tn_auth_list, lambda: [NUMBERS.encode()]),
        Target("constraints_8226", ClaimConstraints.decode_8226, lambda: [_8226]),
        Target("constraints_9118", ClaimConstraints.decode_9118, lambda: [_9118]),
        Target("passport", parse_passport, _passport_seed),
        Target("certificate", _certificate, ders),
        Target("issuer", _issuer, ders),
        Target("chain", _chain, _chain_seed),
        *STATUS_TARGETS,
    )
}
