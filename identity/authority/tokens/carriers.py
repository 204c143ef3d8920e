"""Carriers whose assertions a token authority believes: their certificates, configured one by one."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import jwt
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from identity.authority.errors import CarrierError, RefusedError
from identity.authority.tokens.wire import ASSERTION_LIFETIME, ASSERTION_TYPE, AssertionClaims
from identity.authority.wire import PROOF_MAX_AGE
from identity.certificate_fields import certificate_tn_auth_list, load_certificate, p256_key, validity
from identity.errors import IdentityError, TNAuthListError
from identity.tn_auth_list import ServiceProviderCode, TNAuthList, TNEntry, check_encompassing


@dataclass(frozen=True, slots=True)
class Carrier:
    """A carrier's key, what it may speak for, and from when to when."""

    key: ec.EllipticCurvePublicKey
    authority: TNAuthList
    not_before: int
    not_after: int

    def speaks_for(self, asked: TNAuthList) -> bool:
        """Whether all that is asked for is named in the carrier's list.

        A code in the list stands for itself alone: which numbers a carrier has is written down nowhere (RFC 9060 §6).
        """
        numbers = tuple(entry for entry in self.authority.entries if not isinstance(entry, ServiceProviderCode))
        return all(
            entry.code in self.authority.codes if isinstance(entry, ServiceProviderCode) else _within(numbers, entry)
            for entry in asked.entries
        )


class Carriers:
    """The carriers that are believed."""

    def __init__(self, carriers: Iterable[Carrier] = ()) -> None:
        self._carriers = tuple(carriers)

    @classmethod
    def read(cls, files: Iterable[Path]) -> "Carriers":
        """Read one certificate of each file, PEM. Raises CarrierError."""
        return cls(read_carrier(file) for file in files)

    def check(self, assertion: str, audience: str, now: int) -> tuple[AssertionClaims, Carrier]:
        """Find who signed the assertion, fresh and for this authority. Raises RefusedError.

        1. a configured carrier's key signed it, with alg ES256 and typ alone in its header
        2. that carrier's certificate is valid now
        3. it is for this authority
        4. it was made at most PROOF_MAX_AGE in the future, has not ended, and lasts at most ASSERTION_LIFETIME
        """
        for carrier in self._carriers:
            claims = _signed(assertion, carrier.key)
            if claims is None:
                continue
            if not carrier.not_before <= now <= carrier.not_after:
                raise RefusedError("right-refused", "the carrier's certificate is not valid now")
            if claims.aud != audience:
                raise RefusedError("right-refused", f"the assertion is not for {audience}")
            fresh = claims.iat - PROOF_MAX_AGE <= now < claims.exp and claims.exp - claims.iat <= ASSERTION_LIFETIME
            if not fresh:
                raise RefusedError("right-refused", f"an assertion counts for at most {ASSERTION_LIFETIME} seconds")
            return claims, carrier
        raise RefusedError("right-refused", f"the assertion is not a {ASSERTION_TYPE} signed by a carrier known here")


NO_CARRIERS = Carriers()


def _signed(assertion: str, key: ec.EllipticCurvePublicKey) -> AssertionClaims | None:
    try:
        signed = jwt.PyJWS().decode_complete(assertion, key, algorithms=["ES256"])
        claims = msgspec.json.decode(signed["payload"], type=AssertionClaims)
    except (jwt.InvalidTokenError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return claims if signed["header"] == {"alg": "ES256", "typ": ASSERTION_TYPE} else None


def _within(numbers: tuple[TNEntry, ...], entry: TNEntry) -> bool:
    if not numbers:
        return False
    try:
        check_encompassing(TNAuthList(numbers), TNAuthList((entry,)))
    except TNAuthListError:
        return False
    return True


def read_carrier(file: Path) -> Carrier:
    """Read a carrier's certificate, PEM. Raises CarrierError."""
    try:
        certificate = load_certificate(x509.load_pem_x509_certificate(file.read_bytes()).public_bytes(Encoding.DER))
        authority = certificate_tn_auth_list(certificate)
        if authority is None:
            raise CarrierError(f"{file}: the certificate has no TNAuthList, so it speaks for nobody")
        return Carrier(p256_key(certificate), authority, *validity(certificate))
    except (OSError, ValueError, IdentityError) as error:
        raise CarrierError(f"{file} holds no carrier's certificate ({error}); give it as PEM") from error
