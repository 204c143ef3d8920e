"""The OCSP responder: the status of one certificate, and whether it still stands for the number that is asked about."""

from identity.authority import rates
from identity.authority.issuer import Issuer
from identity.authority.status import revocations
from identity.authority.store import AuthorityStore
from identity.status.ocsp import StatusQuery
from identity.status.revocation import CertificateStatus, StatusState

RESPONSE_LIFETIME = 3 * 86_400  # seconds: a holder carries it in its leaf and renews it daily


class StatusResponder:
    """Answers by what the store has issued and revoked."""

    def __init__(self, store: AuthorityStore, issuer: Issuer) -> None:
        self._store = store
        self._issuer = issuer

    def answer(self, query: StatusQuery, address: str, now: int) -> bytes | None:
        """A signed response (DER); None where this issuer has nothing to say of the certificate. Raises RefusedError.

        Of what it did not issue, and of what has ended, it says nothing: "unknown" would be no use to anybody.
        """
        with self._store.transaction():
            rates.admit(self._store, ((rates.OCSP_PER_ADDRESS, address),), now)
            if not self._issuer.answers_for(query.certificate):
                return None
            serial = revocations.serial_octets(query.certificate.serial) if query.certificate.serial > 0 else b""
            rows = self._store.rows(
                "SELECT fingerprint, number FROM certificates WHERE serial = ? AND not_after >= ?", serial, now
            )
            if not rows:
                return None
            fingerprint, digits = rows[0]
            revoked = revocations.revocation(self._store, fingerprint)
            if revoked is not None:
                status = CertificateStatus(StatusState.REVOKED, revoked.revoked_at, revoked.reason)
            else:
                status = CertificateStatus(StatusState.GOOD)
            # A number that the certificate is not for is left out: that says that nothing is confirmed of it.
            covered = query.number if query.number is not None and query.number.digits == digits else None
            confirmed = StatusQuery(query.certificate, covered)
            return self._issuer.sign_status(confirmed, status, now, RESPONSE_LIFETIME)
