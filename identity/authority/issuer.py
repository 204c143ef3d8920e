"""The certification authority: root, issuer, device certificates, and the renewal of the first two."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from identity.authority.keys import (
    ISSUER,
    ROOTS,
    AuthorityKeys,
    DelegatedKeys,
    certificates_pem,
    new_secret,
    replace_certificates,
)
from identity.certificate_fields import certificate_tn_auth_list, validity
from identity.certificates import TrustAnchors
from identity.enrolment.delegation import (
    DEPTH_LIMIT,
    SUB_ISSUER_LIFETIME,
    check_delegation_request,
    depth_below,
    issue_sub_issuer,
)
from identity.errors import CertificateError
from identity.issuing import (
    DEVICE_LIFETIME,
    Logging,
    create_issuer,
    create_root,
    issue_device_certificate,
    issuer_certificate,
    root_certificate,
)
from identity.number import TelephoneNumber
from identity.number_attributes import NumberAttributes
from identity.path_policy import check_within
from identity.prefixes import DEFAULT_PREFIXES, authority_list, prefixes_of
from identity.reports.status_list import SignedStatusList, sign_status_list
from identity.status.ocsp import CertificateName, StatusQuery, sign_response
from identity.status.revocation import CertificateStatus, Reason, issuer_name, sign_crl
from identity.tn_auth_list import Coverage, TNAuthList, check_encompassing
from identity.transparency.timestamps import SignedTimestamp
from identity.trust import DEFAULT_POLICY

ROOT_NAME = "Ringtrue development root"
ISSUER_NAME = "Ringtrue development authority"
YEAR = 365 * 86_400  # seconds
ROOT_LIFETIME = 10 * YEAR
ROOT_RENEWAL = 2 * YEAR  # left of the root when the next one is published; the key, and so its trust, stays the same
ISSUER_LIFETIME = YEAR
ISSUER_RENEWAL = 30 * 86_400  # left of the issuer when it is renewed: a device certificate never ends early


@dataclass(frozen=True, slots=True)
class IssuedPath:
    """A certificate, its issuer's, those `above` that one, lowest first, and the root's."""

    leaf: x509.Certificate
    issuer: x509.Certificate
    root: x509.Certificate
    above: tuple[x509.Certificate, ...] = ()

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the leaf's DER."""
        return hashlib.sha256(self.leaf.public_bytes(Encoding.DER)).digest()

    @property
    def chain(self) -> list[bytes]:
        """The chain that MLS carries: DER, leaf first, without the root."""
        return [certificate.public_bytes(Encoding.DER) for certificate in (self.leaf, self.issuer, *self.above)]

    @property
    def pem(self) -> bytes:
        """The whole path, signer to anchor (RFC 9060 §7)."""
        return certificates_pem((self.leaf, self.issuer, *self.above, self.root))

    @classmethod
    def from_pem(cls, pem: bytes) -> "IssuedPath":
        """Read back what `pem` wrote."""
        leaf, issuer, *above, root = x509.load_pem_x509_certificates(pem)
        return cls(leaf, issuer, root, tuple(above))


class Submission(Protocol):
    """A log that takes what is issued: DER, the root included. Raises LogError or RefusedError."""

    def add_pre_chain(self, chain: Sequence[bytes], now: int) -> SignedTimestamp: ...

    def add_chain(self, chain: Sequence[bytes], now: int) -> SignedTimestamp: ...


class Issuer:
    """Issues under the keys given; with a folder, certificates that it renews are written there.

    Below another authority (DelegatedKeys) it renews none: its operator asks for the next one (`authority delegate`).

    `authority` replaces the numbers that the issuer's certificate covers; `declared` tells what a number's certificate
    says of it. Several threads may issue at once, outside a transaction of the store: logs elsewhere take their time.
    """

    def __init__(
        self,
        keys: AuthorityKeys | DelegatedKeys,
        now: int,
        *,
        authority: TNAuthList | None = None,
        folder: Path | None = None,
        declared: Callable[[TelephoneNumber], NumberAttributes | None] = lambda _: None,
    ) -> None:
        self._declared = declared
        self._renewing = Lock()
        self._logs: tuple[Submission, ...] = ()
        self._logged_issuer = b""
        self._keys = keys
        self._folder = folder
        self._authority = authority or _covered(keys.issuer)
        if isinstance(keys, DelegatedKeys):
            check_within(_covered(keys.issuer), self._authority, DEFAULT_POLICY)
        self.refresh(now)

    @property
    def name(self) -> str:
        """What people know this authority by."""
        names = self._keys.issuer.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(names[0].value) if names else ISSUER_NAME

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The prefixes of the numbers that it certifies."""
        return prefixes_of(self._authority)

    @property
    def anchors(self) -> TrustAnchors:
        """The roots under which its chains verify."""
        return TrustAnchors(self._keys.roots)

    @property
    def anchors_pem(self) -> bytes:
        """The same roots for people to install."""
        return certificates_pem(self._keys.roots)

    def certifies(self, number: TelephoneNumber) -> bool:
        """Say whether a number is among those that it certifies."""
        return self._authority.covers(number) is Coverage.BY_NUMBER

    def check_within(self, asked: TNAuthList) -> None:
        """Raise TNAuthListError for a list that reaches beyond the issuer's own (RFC 9060 §4)."""
        check_encompassing(self._authority, asked)

    def issue(
        self, key: ec.EllipticCurvePublicKey, number: TelephoneNumber, now: int, lifetime: int = DEVICE_LIFETIME
    ) -> IssuedPath:
        """Certify a device key for a number. Raises CertificateError if the number is not among its own."""
        self.refresh(now)
        keys = self._keys
        leaf = issue_device_certificate(
            keys.issuer_key,
            keys.issuer,
            key,
            number,
            now,
            lifetime,
            attributes=self._declared(number),
            log=self._logging(keys, now),
        )
        return IssuedPath(leaf, keys.issuer, keys.roots[0], keys.above)

    def delegate(
        self, request: bytes, authority: TNAuthList | None, now: int, lifetime: int = SUB_ISSUER_LIFETIME
    ) -> IssuedPath:
        """Certify a sub-issuer by its request (DER), for exactly the list `authority` if one is stated.

        Its path length is what it asks for, 0 if nothing. Raises CertificateError: see `issue_sub_issuer`.
        """
        self.refresh(now)
        asked = check_delegation_request(request)
        if authority not in (None, asked.authority):
            raise CertificateError("tn-auth-list", "the request is for other numbers than were ordered")
        check_within(self._authority, asked.authority, DEFAULT_POLICY)
        keys = self._keys
        made = issue_sub_issuer(
            keys.issuer_key,
            keys.issuer,
            asked.key,
            asked.name,
            asked.authority,
            now,
            lifetime,
            path_length=asked.path_length,
            log=self._logging(keys, now),
        )
        return IssuedPath(made, keys.issuer, keys.roots[0], keys.above)

    def use_logs(self, logs: Sequence[Submission]) -> None:
        """From now on, log what is issued before it is issued, and before the first the issuer's own certificate."""
        self._logs = tuple(logs)

    def _logging(self, keys: AuthorityKeys | DelegatedKeys, now: int) -> Logging | None:
        """Takes what this issuer is about to sign to the logs, if there are any."""
        if not self._logs:
            return None
        path = (keys.issuer, *keys.above, keys.roots[0])
        above = [certificate.public_bytes(Encoding.DER) for certificate in path]
        if self._logged_issuer != above[0]:
            for each in self._logs:
                each.add_chain(above, now)
            self._logged_issuer = above[0]

        def log(precertificate: x509.Certificate) -> list[SignedTimestamp]:
            chain = [precertificate.public_bytes(Encoding.DER), *above]
            return [each.add_pre_chain(chain, now) for each in self._logs]

        return log

    def sign_list(self, base_url: str, body: bytes, serial: int, now: int, lifetime: int) -> SignedStatusList:
        """Sign the list of statuses with the issuer's key."""
        self.refresh(now)
        return sign_status_list(
            self._keys.issuer_key,
            self._keys.issuer,
            authority=base_url,
            body=body,
            serial=serial,
            now=now,
            lifetime=lifetime,
            above=self._keys.above,
        )

    @property
    def revocation_name(self) -> bytes:
        """The name by which lists of revocations find this issuer."""
        return issuer_name(self.certificate)

    @property
    def certificate(self) -> bytes:
        """The issuer's own certificate, DER."""
        return self._keys.issuer.public_bytes(Encoding.DER)

    def sign_crl(self, entries: Mapping[int, tuple[int, Reason]], number: int, now: int, lifetime: int) -> bytes:
        """Sign the list of revocations with the issuer's key."""
        self.refresh(now)
        key, issuer = self._keys.issuer_key, self._keys.issuer
        return sign_crl(key, issuer, entries, number=number, now=now, lifetime=lifetime)

    def answers_for(self, certificate: CertificateName) -> bool:
        """Say whether a certificate is one that this issuer would have signed."""
        return certificate == CertificateName.of(self._keys.issuer, certificate.serial)

    def sign_status(self, query: StatusQuery, status: CertificateStatus, now: int, lifetime: int) -> bytes:
        """Sign an OCSP response with the issuer's key."""
        return sign_response(self._keys.issuer_key, self._keys.issuer, query, status, now=now, lifetime=lifetime)

    def refresh(self, now: int) -> None:
        """Renew root and issuer certificate when their time comes, each with its old key."""
        with self._renewing:
            self._refresh(now)

    def _refresh(self, now: int) -> None:
        if isinstance(self._keys, DelegatedKeys):
            if _end(self._keys.issuer) <= now:
                raise CertificateError("expired", "this authority's own certificate has ended; ask for the next one")
            return
        keys = self._keys
        if _end(keys.roots[0]) - now < ROOT_RENEWAL:
            keys = self._renew_root(keys, now)
        if _end(keys.issuer) - now < ISSUER_RENEWAL or _covered(keys.issuer) != self._authority:
            self._renew_issuer(keys, now)

    def _renew_root(self, keys: AuthorityKeys, now: int) -> AuthorityKeys:
        root = root_certificate(keys.root_key, ROOT_NAME, now, ROOT_LIFETIME, path_length=DEPTH_LIMIT)
        keys = replace(keys, roots=(root, *(old for old in keys.roots if _end(old) >= now)))
        self._keys = keys
        self._save(ROOTS, keys.roots)
        return keys

    def _renew_issuer(self, keys: AuthorityKeys, now: int) -> None:
        root, key, room = keys.roots[0], keys.issuer_key.public_key(), depth_below(keys.roots[0]) - 1
        issuer = issuer_certificate(
            keys.root_key, root, key, ISSUER_NAME, self._authority, now, ISSUER_LIFETIME, path_length=room
        )
        self._keys = replace(keys, issuer=issuer)
        self._save(ISSUER, (issuer,))

    def _save(self, name: str, certificates: tuple[x509.Certificate, ...]) -> None:
        if self._folder is not None:
            replace_certificates(self._folder, name, certificates)


def create_keys(now: int, prefixes: Sequence[str] = DEFAULT_PREFIXES) -> AuthorityKeys:
    """Make a new authority for numbers of these prefixes. Raises NumberError on a prefix that is none."""
    authority = authority_list(prefixes)
    root_key, root = create_root(ROOT_NAME, now, ROOT_LIFETIME, path_length=DEPTH_LIMIT)
    issuer_key, issuer = create_issuer(
        root_key, root, ISSUER_NAME, authority, now, ISSUER_LIFETIME, path_length=DEPTH_LIMIT - 1
    )
    return AuthorityKeys(root_key, (root,), issuer_key, issuer, new_secret())


def _covered(issuer: x509.Certificate) -> TNAuthList:
    covered = certificate_tn_auth_list(issuer)
    if covered is None:
        raise CertificateError("tn-auth-list", "the issuer's certificate has no TNAuthList")
    return covered


def _end(certificate: x509.Certificate) -> int:
    return validity(certificate)[1]
