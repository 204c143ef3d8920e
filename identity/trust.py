"""Trust: the roots that somebody believes, and the policy under which chains below them count."""

import hashlib
import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from identity.certificate_fields import load_pem
from identity.errors import CertificateError
from identity.tn_auth_list import TNAuthList
from identity.transparency.log_key import LogKey

TRUST_LIST_SIZE_LIMIT = 1_048_576  # octets of PEM
FINGERPRINT_LABEL = b"ringtrue trust policy\n"  # before what a policy that is not the default adds to the fingerprint


class CodeParents(Enum):
    """What a certificate that holds service provider codes may delegate (RFC 9060 §4).

    ADMIT       any number: which numbers a code has stands in no certificate
    REFUSE      codes only: numbers come from above as numbers
    DIRECTORY   the numbers that one's own directory lists for the code
    """

    ADMIT = "admit"
    REFUSE = "refuse"
    DIRECTORY = "directory"


@dataclass(frozen=True, slots=True, order=True)
class Pin:
    """Of the chains below this root's key, only those that pass this issuer's key count. SHA-256 of each key's SPKI."""

    root: bytes
    issuer: bytes


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """Which chains count below the roots; the default is what docs/binding.md asks of everybody.

    `non_ecdsa_issuers`: issuers may sign with RSA (RFC 8226 §4).  `code_parents`: see CodeParents, with `directory`,
    pairs of a code and its numbers.  `code_leaves`: a leaf may hold a service provider code.  `unknown_policies`: a
    certificate may stand under certificate policies that are not known here.  `pins`: see Pin.  `logs`, `scts`: how
    many of these logs must vouch.  `uri_identities`: participants without a number may sign with a URI.
    """

    non_ecdsa_issuers: bool = False
    code_parents: CodeParents = CodeParents.ADMIT
    code_leaves: bool = True
    unknown_policies: bool = True
    pins: frozenset[Pin] = frozenset()
    logs: tuple[LogKey, ...] = ()
    scts: int = 0
    uri_identities: bool = False
    directory: tuple[tuple[str, TNAuthList], ...] = ()

    def canonical(self) -> bytes:
        """The policy as sorted JSON, with what differs from the default alone: empty for the default itself."""
        stated = {name: value for name, value in _stated(self).items() if value != _stated(DEFAULT_POLICY)[name]}
        return json.dumps(stated, sort_keys=True, separators=(",", ":")).encode() if stated else b""


@dataclass(frozen=True, slots=True)
class TrustAnchors:
    """The roots that one trusts, and the policy for what is below them."""

    roots: tuple[x509.Certificate, ...]
    policy: TrustPolicy = field(default_factory=TrustPolicy)

    @classmethod
    def from_pem(cls, pem: bytes, policy: TrustPolicy | None = None) -> Self:
        """Read one or more certificates. Raises CertificateError."""
        if len(pem) > TRUST_LIST_SIZE_LIMIT:
            raise CertificateError("too-large", f"a trust list has at most {TRUST_LIST_SIZE_LIMIT} octets")
        try:
            return cls(tuple(load_pem(pem)), policy or DEFAULT_POLICY)
        except CertificateError as error:
            raise CertificateError(error.code, f"the trust list is {error}") from error

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 over the roots' DER in sorted order, and over the policy unless that is the default.

        Two sets with one fingerprint give the same results for every chain, whatever the order of their roots.
        """
        digest = hashlib.sha256(b"".join(sorted(root.public_bytes(Encoding.DER) for root in self.roots))).digest()
        policy = self.policy.canonical()
        return hashlib.sha256(FINGERPRINT_LABEL + digest + policy).digest() if policy else digest


def key_hash(certificate: x509.Certificate) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo: what a Pin names, the same after a renewal with the old key."""
    key = certificate.public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def _stated(policy: TrustPolicy) -> dict[str, object]:
    return {
        "code_leaves": policy.code_leaves,
        "code_parents": policy.code_parents.value,
        "directory": sorted((code, numbers.encode().hex()) for code, numbers in policy.directory),
        "logs": sorted(log.log_id.hex() for log in policy.logs),
        "non_ecdsa_issuers": policy.non_ecdsa_issuers,
        "pins": sorted((pin.root.hex(), pin.issuer.hex()) for pin in policy.pins),
        "scts": policy.scts,
        "unknown_policies": policy.unknown_policies,
        "uri_identities": policy.uri_identities,
    }


DEFAULT_POLICY = TrustPolicy()
