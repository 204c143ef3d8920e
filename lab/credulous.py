"""A verifier that believes every certificate what it says of itself: a service or a client on the attacker's side."""

import hashlib
from collections.abc import Sequence

from cryptography import x509
from cryptography.x509.oid import NameOID

from identity.certificate_fields import (
    certificate_constraints,
    certificate_tn_auth_list,
    load_certificate,
    p256_key,
    validity,
)
from identity.certificates import VerifiedChain, leaf_number, public_point
from identity.device import DeviceIdentity, DeviceVerifier
from identity.number import TelephoneNumber
from identity.tn_auth_list import OneNumber, TNAuthList

ALL_OF_TIME = 2**40  # seconds


def as_stated(chain: Sequence[bytes]) -> VerifiedChain:
    """A chain's own words, with no signature, path, time, list or field looked at."""
    leaf, *issuers = map(load_certificate, chain)
    key, (not_before, not_after) = p256_key(leaf), validity(leaf)
    constraints, conflicting = certificate_constraints(leaf)
    return VerifiedChain(
        certificates=tuple(chain),
        public_key=key,
        public_point=public_point(key),
        fingerprint=hashlib.sha256(chain[0]).digest(),
        tn_auth_list=certificate_tn_auth_list(leaf) or TNAuthList((OneNumber("0"),)),
        bounds=tuple(filter(None, map(certificate_tn_auth_list, issuers))),
        number=leaf_number(chain[0]),
        constraints=constraints,
        conflicting_constraints=conflicting,
        not_before=0,
        not_after=ALL_OF_TIME,
        lifetime=not_after - not_before,
        issuer_name=leaf.issuer,
        serial=leaf.serial_number,
    )


def stated_number(chain: Sequence[bytes]) -> TelephoneNumber:
    """The number that a certificate speaks for; where that is none or many, the one that its subject is called by."""
    number = leaf_number(chain[0])
    return TelephoneNumber.parse(_subject(chain[0])) if number is None else number


def _subject(der: bytes) -> str:
    (name,) = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(name.value)


class Credulous(DeviceVerifier):
    """Every credential is a device of the number that it names, and every other one its rightful successor."""

    def verify(self, chain: Sequence[bytes], signature_key: bytes, now: int) -> DeviceIdentity:
        """Believe it."""
        return DeviceIdentity(stated_number(chain), as_stated(chain))

    def check_successor(self, old_chain: Sequence[bytes], new_chain: Sequence[bytes]) -> None:
        """Let it pass."""
