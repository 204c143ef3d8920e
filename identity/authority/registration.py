"""The registration authority: decides what is issued to whom. Blocking; `now` comes from the caller."""

import hashlib

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from identity.acme_jws import JWK, thumbprint_text
from identity.authority import rates
from identity.authority.admission import refuse_withdrawn
from identity.authority.challenge import Answer, Challenge, answer, code_mac
from identity.authority.errors import RefusedError
from identity.authority.issuer import IssuedPath, Issuer, check_request
from identity.authority.renewal import check_proof, verify_old_chain
from identity.authority.status.revocations import refuse_lost_key, refuse_revoked
from identity.authority.store import AuthorityStore, PublishedPath
from identity.authority.tokens.store import TokenStore
from identity.authority.wire import (
    NUMBER_PROOF_LIFETIME,
    PROOF_MAX_AGE,
    CertificateRequest,
    IssuedChain,
    RenewalRequest,
)
from identity.binding import x5u_for
from identity.certificate_fields import validity
from identity.errors import CertificateError, NumberError
from identity.number import TelephoneNumber


class RegistrationAuthority:
    """Challenges, certificates and renewals over one store and one issuer; every method may raise RefusedError."""

    def __init__(self, store: AuthorityStore, issuer: Issuer, base_url: str, tokens: TokenStore) -> None:
        self._store = store
        self._tokens = tokens
        self._issuer = issuer
        self._base_url = base_url

    def certify(self, request: CertificateRequest, address: str, now: int) -> IssuedChain:
        """Answer a challenge: issue, or repeat what was issued for it."""
        with self._store.transaction():
            self._store.prune(now)
            rates.admit(self._store, ((rates.CERTIFICATES_PER_ADDRESS, address),), now)
        with self._tokens.transaction():
            known = self._tokens.challenge(request.challenge)
        if known is None:
            raise RefusedError("unknown-challenge", "ask for a new code")
        # Before the code is tried: a request that cannot be served costs no attempt.
        key = _requested_key(request.csr, known.number)
        with self._tokens.transaction(), self._store.transaction():
            challenge, given, path = self._attempt(request, key, now)
        if path is None:
            raise _refusal(given, challenge)
        return self._answer(path)

    def renew(self, request: RenewalRequest, address: str, now: int) -> IssuedChain:
        """Issue a successor for the number of a chain, on its key's proof."""
        with self._store.transaction():
            self._store.prune(now)
            rates.admit(self._store, ((rates.RENEWALS_PER_ADDRESS, address),), now)
        old = verify_old_chain(request.chain, self._issuer.anchors, now)
        if old.number is None:
            raise RefusedError("chain-refused", "the certificate is not for a single number")
        number = self._certifiable(old.number.e164)
        proof = check_proof(request.proof, old.public_key, request.csr, self._base_url, now)
        key = _requested_key(request.csr, number)
        with self._store.transaction():
            refuse_withdrawn(self._store, number, now)
            refuse_revoked(self._store, old.fingerprint)
            proved_at = self._number_proof(old.fingerprint, now)
            rates.admit(self._store, ((rates.RENEWALS_PER_NUMBER, number.digits),), now)
            # A proof stays acceptable until its iat, at most PROOF_MAX_AGE ahead, is PROOF_MAX_AGE behind.
            if not self._store.spend_proof(proof, now + 2 * PROOF_MAX_AGE + 1):
                raise RefusedError("proof-replayed", "sign a new proof for each renewal")
            path = self._issue(key, number, proved_at, now, by_code=False)
        return self._answer(path)

    def _certifiable(self, text: str) -> TelephoneNumber:
        try:
            number = TelephoneNumber.parse(text)
        except NumberError as error:
            raise RefusedError("invalid-number", str(error)) from error
        if not self._issuer.certifies(number):
            prefixes = ", ".join(self._issuer.prefixes)
            raise RefusedError("number-refused", f"this authority certifies numbers that start with {prefixes}")
        return number

    def _attempt(
        self, request: CertificateRequest, key: ec.EllipticCurvePublicKey, now: int
    ) -> tuple[Challenge, Answer, IssuedPath | None]:
        known = self._tokens.challenge(request.challenge)
        if known is None:
            raise RefusedError("unknown-challenge", "ask for a new code")
        mac = code_mac(self._tokens.secret, request.challenge, request.code)
        challenge, given = answer(known, mac, _key_hash(key), now)
        self._tokens.save_challenge(challenge)
        match given:
            case Answer.ISSUE:
                self._certifiable(challenge.number.e164)
                refuse_withdrawn(self._store, challenge.number, now)
                path = self._issue(key, challenge.number, now, now, by_code=True)
                self._tokens.prove(challenge.number, thumbprint_text(JWK.of(key).thumbprint), now)
                return challenge, given, path
            case Answer.REPEAT:
                return challenge, given, self._issued_for(_key_hash(key))
        return challenge, given, None

    def _issued_for(self, spki: bytes) -> IssuedPath:
        row = self._store.row("SELECT path FROM certificates WHERE spki = ? ORDER BY issued_at DESC LIMIT 1", spki)
        assert row is not None  # a bound challenge has its certificate
        return IssuedPath.from_pem(row[0].encode("ascii"))

    def _number_proof(self, fingerprint: bytes, now: int) -> int:
        old = self._store.published(fingerprint)
        if old is None or now - old.proved_at >= NUMBER_PROOF_LIFETIME:
            days = NUMBER_PROOF_LIFETIME // 86_400
            raise RefusedError("number-proof-due", f"a number is proved again every {days} days; enrol with a new code")
        return old.proved_at

    def _issue(
        self, key: ec.EllipticCurvePublicKey, number: TelephoneNumber, proved_at: int, now: int, *, by_code: bool
    ) -> IssuedPath:
        refuse_lost_key(self._store, _key_hash(key))
        path = self._issuer.issue(key, number, now)
        end = validity(path.leaf)[1]
        self._store.publish(PublishedPath(path.fingerprint, path.pem.decode("ascii"), end, proved_at))
        self._store.hold(path.fingerprint, number.digits, _key_hash(key), now, by_code=by_code)
        return path

    def _answer(self, path: IssuedPath) -> IssuedChain:
        chain = path.chain
        return IssuedChain(chain, x5u_for(self._base_url, chain[0]), validity(path.leaf)[1])


def _requested_key(csr: bytes, number: TelephoneNumber) -> ec.EllipticCurvePublicKey:
    try:
        return check_request(csr, number)
    except CertificateError as error:
        raise RefusedError("csr-refused", str(error)) from error


def _key_hash(key: ec.EllipticCurvePublicKey) -> bytes:
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def _refusal(given: Answer, challenge: Challenge) -> RefusedError:
    match given:
        case Answer.WRONG_CODE:
            left = challenge.attempts_left
            return RefusedError("wrong-code", f"{left} attempts are left", attempts_left=left)
        case Answer.DEAD:
            return RefusedError("challenge-dead", "ask for a new code")
        case Answer.OTHER_REQUEST:
            return RefusedError("challenge-used", "a code serves one key; ask for a new code")
        case _:
            return RefusedError("challenge-expired", "ask for a new code")
