"""From a finalized order to a published certificate, and from a certificate to its revocation (RFC 8555 §7.4, §7.6)."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from identity.authority import rates
from identity.authority.acme import wire
from identity.authority.acme.admission import check_identifier, refuse_earlier_token
from identity.authority.acme.certificate_request import (
    CertificateRequest,
    check_certificate_request,
    read_certificate_request,
)
from identity.authority.acme.errors import AcmeError
from identity.authority.acme.records import AcmeRecords, Grant, Order
from identity.authority.acme.requests import SignedRequest
from identity.authority.acme.states import OrderState
from identity.authority.errors import LogError
from identity.authority.issuer import IssuedPath, Issuer
from identity.authority.status.revocations import refuse_lost_key
from identity.authority.store import AuthorityStore, PublishedPath
from identity.certificate_fields import validity
from identity.errors import CertificateError
from identity.number import TelephoneNumber
from identity.tn_auth_list import TNAuthList

RETRY_AFTER = 30  # seconds until an order is finalized again that failed by no fault of its own


@dataclass(frozen=True, slots=True)
class IssuingDesk:
    """Finalizes orders and hands out chains; every method may raise AcmeError or RefusedError."""

    store: AuthorityStore
    issuer: Issuer

    def finalize(self, name: str, request: SignedRequest, now: int) -> Order:
        """Issue what was ordered, in one step.

        1. the order is the account's, and ready     4. the request's key was not reported as lost
        2. the request proves its key's possession   5. the identifier is certified now
        3. check_certificate_request                 6. the token is not from before its number went to somebody else
        """
        account = request.by_account
        csr = request.body(wire.Finalize).csr
        records = AcmeRecords(self.store)
        with self.store.transaction():
            order = records.order(name, account, now)
            if order is None:
                raise AcmeError("malformed", "this account has no such order", status=404)
            if order.state is not OrderState.READY or order.grant is None:
                raise AcmeError("orderNotReady", f"the order is {order.state.value}")
            requested = read_certificate_request(csr)
            check_certificate_request(requested, order, order.grant, account.jwk)
            refuse_lost_key(self.store, requested.spki)
            fingerprint = self._issue(requested, order, order.grant, now)
            self.store.execute("UPDATE certificates SET account = ? WHERE fingerprint = ?", account.id, fingerprint)
            order = order.issued(fingerprint)
            records.save_order(order)
            return order

    def certificate(self, name: str, request: SignedRequest) -> bytes:
        """The chain of one of the account's certificates, PEM: leaf and issuers, without the root."""
        request.reading()
        with self.store.transaction():
            row = self.store.row(
                "SELECT path FROM certificates WHERE fingerprint = ? AND account = ?",
                _fingerprint(name),
                request.by_account.id,
            )
        if row is None:
            raise AcmeError("malformed", "this account has no such certificate", status=404)
        *chain, _ = x509.load_pem_x509_certificates(row[0].encode("ascii"))
        return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in chain)

    def _issue(self, requested: CertificateRequest, order: Order, grant: Grant, now: int) -> bytes:
        asked = check_identifier(self.store, self.issuer, order.about, now)
        if asked.number is not None:
            refuse_earlier_token(self.store, asked.number, grant.issued_at)
        self._check_issuer(now)
        try:
            if grant.ca:
                path = self.issuer.delegate(requested.der, asked, now)
            else:
                path = self._certified(requested, asked, grant, now)
        except CertificateError as error:
            raise AcmeError("badCSR", str(error), identifier=order.about) from error
        except LogError as error:
            raise _later("the certificate cannot be logged now: finalize the order again in a while") from error
        end = validity(path.leaf)[1]
        self.store.publish(PublishedPath(path.fingerprint, path.pem.decode("ascii"), end, grant.issued_at))
        if asked.number is not None:
            by_code = grant.right != "device"
            self.store.hold(path.fingerprint, asked.number.digits, requested.spki, now, by_code=by_code)
        return path.fingerprint

    def _check_issuer(self, now: int) -> None:
        try:
            self.issuer.refresh(now)
        except CertificateError as error:
            raise _later(str(error)) from error

    def _certified(self, requested: CertificateRequest, asked: TNAuthList, grant: Grant, now: int) -> IssuedPath:
        if asked.number is None:
            raise AcmeError("rejectedIdentifier", "an end entity is certified for one number")
        self._count(asked.number, now)
        return self.issuer.issue(requested.key, asked.number, now)

    def _count(self, number: TelephoneNumber, now: int) -> None:
        rates.admit(self.store, ((rates.CERTIFICATES_PER_NUMBER, number.digits),), now)


def _later(words: str) -> AcmeError:
    return AcmeError("serverInternal", words, status=503, headers={"retry-after": str(RETRY_AFTER)})


def _fingerprint(name: str) -> bytes:
    try:
        return bytes.fromhex(name)
    except ValueError:
        return b""
