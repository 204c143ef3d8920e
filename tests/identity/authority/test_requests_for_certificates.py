"""Only a P-256 key whose owner asks for the proved number is certified."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from identity.issuing import device_csr
from identity.number import TelephoneNumber


def csr_by(key, hash_=hashes.SHA256()) -> bytes:  # noqa: B008 - a value
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "anyone")])
    return x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hash_).public_bytes(Encoding.DER)


def unproven(key) -> bytes:
    csr = bytearray(csr_by(key))
    csr[-1] ^= 1
    return bytes(csr)


BAD = {
    "P-384": lambda: csr_by(ec.generate_private_key(ec.SECP384R1())),
    "RSA": lambda: csr_by(rsa.generate_private_key(65537, 2048)),
    "Ed25519": lambda: csr_by(ed25519.Ed25519PrivateKey.generate(), None),
    "signature of another key": lambda: unproven(ec.generate_private_key(ec.SECP256R1())),
    "too large": lambda: csr_by(ec.generate_private_key(ec.SECP256R1())) + b"\0" * 4096,
    "empty": lambda: b"",
    "not DER": lambda: b"\x30\x82garbage",
    "another number": lambda: device_csr(
        ec.generate_private_key(ec.SECP256R1()), TelephoneNumber.from_digits("12025550143")
    ),
}


@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_request_is_refused_and_costs_no_attempt(authority, device, word, kind):
    challenge, code = await authority.challenge()
    bad = BAD[kind]()

    for _ in range(6):
        assert word(await authority.certify(challenge, code, bad)) == "csr-refused"

    assert (await authority.certify(challenge, code, device.csr())).status_code == 201


async def test_a_request_that_names_no_number_is_certified_for_the_proved_one(authority, device):
    response = await authority.certify(*await authority.challenge(), csr_by(device.key))

    assert response.status_code == 201
