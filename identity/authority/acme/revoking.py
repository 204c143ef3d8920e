"""Revocation at its owner's request (RFC 8555 §7.6)."""

import hashlib
from dataclasses import dataclass

from identity.authority.acme import wire
from identity.authority.acme.errors import AcmeError
from identity.authority.acme.requests import SignedRequest
from identity.authority.status.revocations import REASONS, remove
from identity.authority.store import AuthorityStore
from identity.base64url import decode_base64url
from identity.certificate_fields import load_certificate, p256_key
from identity.enrolment.acme_jws import JWK
from identity.errors import CertificateError
from identity.status.revocation import Reason

# RFC 5280 §5.3.1, as an ACME request states them.
CODES = {
    0: Reason.unspecified,
    1: Reason.key_compromise,
    3: Reason.affiliation_changed,
    4: Reason.superseded,
    5: Reason.cessation_of_operation,
    9: Reason.privilege_withdrawn,
}


@dataclass(frozen=True, slots=True)
class RevokingDesk:
    """Revokes certificates; raises AcmeError or RefusedError."""

    store: AuthorityStore

    def revoke(self, request: SignedRequest, now: int) -> None:
        """Revoke a certificate that was issued here.

        1. the request names a certificate and a reason that can be given
        2. it is signed by the account that ordered it, by one that is authorised for the same number (so that one
           device removes another that was lost), or by the certificate's own key
        """
        asked = request.body(wire.Revocation)
        reason = CODES.get(asked.reason)
        if reason is None or reason not in REASONS:
            numbers = ", ".join(str(code) for code, each in CODES.items() if each in REASONS)
            raise AcmeError("badRevocationReason", f"give one of {numbers} (RFC 5280 §5.3.1)")
        der, key = _certificate(asked.certificate)
        fingerprint = hashlib.sha256(der).digest()
        with self.store.transaction():
            row = self.store.row("SELECT account FROM certificates WHERE fingerprint = ?", fingerprint)
            if row is None:
                raise AcmeError("malformed", "no such certificate was issued here", status=404)
            if request.account is None:
                own = request.jwk == key
            else:
                own = row[0] == request.account.id or self._holds(request.account.id, fingerprint, now)
            if not own:
                words = "sign with the account that ordered it, one of the same number, or the certificate's key"
                raise AcmeError("unauthorized", words)
            remove(self.store, fingerprint, reason, now)

    def _holds(self, account: str, fingerprint: bytes, now: int) -> bool:
        """Whether the account has a live certificate of the same number, which it was authorised for."""
        row = self.store.row(
            "SELECT 1 FROM certificates own JOIN certificates other ON other.number = own.number "
            "WHERE own.account = ? AND other.fingerprint = ? AND own.not_after >= ? "
            "AND own.fingerprint NOT IN (SELECT fingerprint FROM revocations) LIMIT 1",
            account,
            fingerprint,
            now,
        )
        return row is not None


def _certificate(text: str) -> tuple[bytes, JWK]:
    try:
        der = decode_base64url(text.encode("ascii"))
        return der, JWK.of(p256_key(load_certificate(der)))
    except (ValueError, CertificateError) as error:
        raise AcmeError("malformed", "certificate is not base64url of a certificate's DER") from error
