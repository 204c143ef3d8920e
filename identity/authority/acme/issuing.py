"""From a finalized order to a published certificate, and from a certificate to its revocation (RFC 8555 §7.4, §7.6)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

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
from identity.authority.acme.records import Account, AcmeRecords, Grant, Order, check_valid
from identity.authority.acme.requests import SignedRequest
from identity.authority.acme.states import OrderState
from identity.authority.errors import LogError
from identity.authority.issuer import IssuedPath, Issuer
from identity.authority.status.revocations import refuse_lost_key
from identity.authority.store import CERTIFICATE_RETENTION, AuthorityStore, PublishedPath
from identity.certificate_fields import validity
from identity.errors import CertificateError
from identity.tn_auth_list import TNAuthList

LOOK_AFTER = 2  # seconds until somebody looks again at an order that is being issued
RETRY_AFTER = 30  # seconds until an order is finalized again that failed by no fault of its own


@dataclass(frozen=True, slots=True)
class _Admitted:
    """An order that is ready, and the request that it is finalized with."""

    order: Order
    grant: Grant
    requested: CertificateRequest
    asked: TNAuthList


@dataclass(frozen=True, slots=True)
class IssuingDesk:
    """Finalizes orders and hands out chains; every method may raise AcmeError or RefusedError."""

    store: AuthorityStore
    issuer: Issuer
    _under_way: set[tuple[str, str]] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    def finalize(self, name: str, request: SignedRequest, now: int) -> Order:
        """Issue what was ordered.

        1. the order is the account's, and ready     4. the request's key was not reported as lost
        2. the request proves its key's possession   5. the identifier is certified now
        3. check_certificate_request                 6. the token is not from before those of its number were ended

        All of it is checked before the certificate goes to the logs, and again when it is kept: in between nothing is
        held up by a log elsewhere, so anything may have happened.
        """
        account, csr = request.by_account, request.body(wire.Finalize).csr
        with self._alone(name, account):
            with self.store.transaction():
                admitted = self._admitted(name, account, csr, now)
                rates.check(self.store, _limits(admitted), now)
            path = self._issued(admitted, now)
            with self.store.transaction():
                return self._kept(self._admitted(name, account, csr, now), path, account, now)

    def is_under_way(self, name: str, account: Account) -> bool:
        """Whether an order is being issued now: one that is ready after that is "processing" (RFC 8555 §7.4)."""
        return (account.id, name) in self._under_way

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

    @contextmanager
    def _alone(self, name: str, account: Account) -> Iterator[None]:
        """Issue an order once, however often it is finalized at the same time."""
        key = (account.id, name)
        with self._lock:
            if key in self._under_way:
                raise AcmeError("orderNotReady", "the order is being issued", headers={"retry-after": str(LOOK_AFTER)})
            self._under_way.add(key)
        try:
            yield
        finally:
            self._under_way.discard(key)

    def _admitted(self, name: str, account: Account, csr: str, now: int) -> _Admitted:
        records = AcmeRecords(self.store)
        order, owner = records.order(name, account, now), records.account(account.id)
        if order is None or owner is None:
            raise AcmeError("malformed", "this account has no such order", status=404)
        check_valid(owner)
        if order.state is not OrderState.READY or order.grant is None:
            raise AcmeError("orderNotReady", f"the order is {order.state.value}")
        requested = read_certificate_request(csr)
        check_certificate_request(requested, order, order.grant, owner.jwk)
        refuse_lost_key(self.store, requested.spki)
        asked = check_identifier(self.store, self.issuer, order.about, now)
        if asked.number is not None:
            refuse_earlier_token(self.store, asked.number, order.grant.issued_at)
        elif not order.grant.ca:
            raise AcmeError("rejectedIdentifier", "an end entity is certified for one number")
        return _Admitted(order, order.grant, requested, asked)

    def _issued(self, admitted: _Admitted, now: int) -> IssuedPath:
        """Make the certificate, outside a transaction: logs may be elsewhere."""
        try:
            self.issuer.refresh(now)
        except CertificateError as error:
            raise _later(str(error)) from error
        requested, asked = admitted.requested, admitted.asked
        try:
            if admitted.grant.ca or asked.number is None:
                return self.issuer.delegate(requested.der, asked, now)
            return self.issuer.issue(requested.key, asked.number, now)
        except CertificateError as error:
            raise AcmeError("badCSR", str(error), identifier=admitted.order.about) from error
        except LogError as error:
            raise _later("the certificate cannot be logged now: finalize the order again in a while") from error

    def _kept(self, admitted: _Admitted, path: IssuedPath, account: Account, now: int) -> Order:
        rates.admit(self.store, _limits(admitted), now)
        grant, number, spki = admitted.grant, admitted.asked.number, admitted.requested.spki
        end = validity(path.leaf)[1]
        self.store.publish(PublishedPath(path.fingerprint, path.pem.decode("ascii"), end, grant.issued_at))
        if number is not None:
            self.store.hold(path.fingerprint, number.digits, spki, now, by_code=grant.right != "device")
        self.store.execute("UPDATE certificates SET account = ? WHERE fingerprint = ?", account.id, path.fingerprint)
        order = admitted.order.issued(path.fingerprint)
        records = AcmeRecords(self.store)
        records.save_order(order)
        records.keep_account(account, end + CERTIFICATE_RETENTION)
        return order


def _limits(admitted: _Admitted) -> list[tuple[rates.RateLimit, str]]:
    number = None if admitted.grant.ca else admitted.asked.number
    return [] if number is None else [(rates.CERTIFICATES_PER_NUMBER, number.digits)]


def _later(words: str) -> AcmeError:
    return AcmeError("serverInternal", words, status=503, headers={"retry-after": str(RETRY_AFTER)})


def _fingerprint(name: str) -> bytes:
    try:
        return bytes.fromhex(name)
    except ValueError:
        return b""
