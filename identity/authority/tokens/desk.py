"""The token desk: decides who gets an authority token. Blocking; `now` comes from the caller."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from identity.authority import rates
from identity.authority.admission import Admission, certifiable
from identity.authority.errors import RefusedError
from identity.authority.proof import read_proof
from identity.authority.renewal import verify_old_chain
from identity.authority.tokens.carriers import Carriers
from identity.authority.tokens.challenge import Answer, Challenge, answer, code_mac, open_challenge
from identity.authority.tokens.signer import TokenSigner
from identity.authority.tokens.store import TokenStore
from identity.authority.tokens.wire import (
    BY_CARRIER,
    BY_DEVICE,
    RIGHT_PROOF_TYPE,
    CarrierRight,
    CodeRight,
    DeviceRight,
    RightClaims,
    TokenIssued,
    TokenRequest,
)
from identity.authority.wire import NUMBER_PROOF_LIFETIME, PROOF_MAX_AGE, ChallengeRequest
from identity.certificates import TrustAnchors, VerifiedChain
from identity.enrolment.acme_jws import JWK, thumbprint_text
from identity.enrolment.authority_token import TN_AUTH_LIST, AuthorityTokenChallenge, read_identifier
from identity.errors import TNAuthListError
from identity.number import TelephoneNumber
from identity.tn_auth_list import TNAuthList


@dataclass(frozen=True, slots=True)
class Rights:
    """By what a right is judged: which numbers are served, under which roots devices verify, which carriers count."""

    admission: Admission
    anchors: Callable[[int], TrustAnchors]
    carriers: Carriers


class TokenDesk:
    """Challenges and tokens over one store and one signer; every method may raise RefusedError."""

    def __init__(self, store: TokenStore, signer: TokenSigner, rights: Rights, base_url: str) -> None:
        self._store = store
        self._signer = signer
        self._rights = rights
        self._base_url = base_url

    def open_challenge(self, request: ChallengeRequest, address: str, now: int) -> tuple[Challenge, str]:
        """Draw a code for a number; sending it is the caller's part."""
        number = certifiable(request.number)
        subjects = (
            (rates.CHALLENGES_PER_ADDRESS, address),
            (rates.CHALLENGES_PER_NUMBER_HOUR, number.digits),
            (rates.CHALLENGES_PER_NUMBER_DAY, number.digits),
        )
        self._rights.admission.check(number, now)
        with self._store.transaction():
            self._store.prune(now)
            rates.admit(self._store, subjects, now)
            challenge, code = open_challenge(number, self._store.secret, now)
            self._store.save_challenge(challenge)
        return challenge, code

    def withdraw(self, challenge: Challenge) -> None:
        """Forget a challenge whose code could not be sent."""
        with self._store.transaction():
            self._store.forget_challenge(challenge.id)

    def issue(self, subject: str, request: TokenRequest, address: str, now: int) -> TokenIssued:
        """Answer POST /at/account/{subject}/token."""
        with self._store.transaction():
            self._store.prune(now)
            rates.admit(self._store, ((rates.TOKENS_PER_ADDRESS, address),), now)
        asked = _asked(request.atc)
        match request.right:
            case CodeRight(code):
                return TokenIssued(self._by_code(subject, code, request, asked, now))
            case DeviceRight() as right if subject == BY_DEVICE:
                return TokenIssued(self._by_device(right, request, asked, now))
            case CarrierRight(assertion) if subject == BY_CARRIER:
                return TokenIssued(self._by_carrier(assertion, request, asked, now))
            case _:
                raise RefusedError("right-refused", "the address does not fit the kind of right")

    def _by_code(self, subject: str, code: str, request: TokenRequest, asked: TNAuthList, now: int) -> str:
        with self._store.transaction():
            known = self._store.challenge(subject)
        if known is None:
            raise RefusedError("unknown-challenge", "ask for a new code")
        # Before the code is tried: a request that cannot be served costs no attempt.
        self._check_single(request.atc, asked, known.number, now)
        with self._store.transaction():
            challenge, given = self._attempt(subject, code, request, now)
            if given in (Answer.ISSUE, Answer.REPEAT):
                self._prove(challenge.number, request.key, now)
                return self._signer.sign(request.atc, "code", request.key, now)
        raise _refusal(given, challenge)

    def _attempt(self, subject: str, code: str, request: TokenRequest, now: int) -> tuple[Challenge, Answer]:
        known = self._store.challenge(subject)
        if known is None:
            raise RefusedError("unknown-challenge", "ask for a new code")
        mac = code_mac(self._store.secret, subject, code)
        challenge, given = answer(known, mac, _binding(request), now)
        if challenge != known:
            self._store.save_challenge(challenge)
        return challenge, given

    def _by_device(self, right: DeviceRight, request: TokenRequest, asked: TNAuthList, now: int) -> str:
        chain = verify_old_chain(right.chain, self._rights.anchors(now), now)
        if chain.number is None:
            raise RefusedError("chain-refused", "the certificate is not for a single number")
        claims, digest = read_proof(right.proof, chain.public_key, RightClaims, RIGHT_PROOF_TYPE, self._base_url, now)
        if (claims.atc, claims.key) != (request.atc, request.key):
            raise RefusedError("proof-refused", "the proof is not for this request")
        self._rights.admission.check_certificate(chain, now)
        self._check_single(request.atc, asked, chain.number, now)
        with self._store.transaction():
            proved_at = self._proved_at(chain, now)
            rates.admit(self._store, ((rates.RENEWALS_PER_NUMBER, chain.number.digits),), now)
            # A proof stays acceptable until its iat, at most PROOF_MAX_AGE ahead, is PROOF_MAX_AGE behind.
            if not self._store.spend_proof(digest, now + 2 * PROOF_MAX_AGE + 1):
                raise RefusedError("proof-replayed", "sign a new proof for each request")
            self._prove(chain.number, request.key, proved_at)
            return self._signer.sign(request.atc, "device", request.key, now)

    def _by_carrier(self, assertion: str, request: TokenRequest, asked: TNAuthList, now: int) -> str:
        claims, carrier = self._rights.carriers.check(assertion, self._base_url, now)
        if claims.atc != request.atc:
            raise RefusedError("right-refused", "the assertion is not for this request")
        if not carrier.speaks_for(asked):
            raise RefusedError("right-refused", "the carrier does not speak for all that is asked")
        number = asked.number
        if number is not None and not request.atc.ca:
            self._rights.admission.check(number, now)
        with self._store.transaction():
            if number is not None and claims.iat < self._store.moved_at(number):
                raise RefusedError("right-refused", f"{number} has gone to somebody else since the assertion")
            if number is not None and not request.atc.ca:
                self._prove(number, request.key, now)
            return self._signer.sign(request.atc, "carrier", request.key, now)

    def _check_single(self, atc: AuthorityTokenChallenge, asked: TNAuthList, number: TelephoneNumber, now: int) -> None:
        if atc.ca:
            raise RefusedError("atc-refused", "only a carrier vouches for an authority below it")
        if asked.number != number:
            raise RefusedError("atc-refused", f"the right is to {number} and nothing else")
        self._rights.admission.check(number, now)

    def _proved_at(self, chain: VerifiedChain, now: int) -> int:
        assert chain.number is not None, "checked with the chain"
        proved_at = self._store.proved_at(chain.number, thumbprint_text(JWK.of(chain.public_key).thumbprint))
        if proved_at is None or now - proved_at >= NUMBER_PROOF_LIFETIME:
            days = NUMBER_PROOF_LIFETIME // 86_400
            raise RefusedError("number-proof-due", f"a number is proved again every {days} days; enrol with a new code")
        return proved_at

    def _prove(self, number: TelephoneNumber, key: str | None, proved_at: int) -> None:
        if key is not None:
            self._store.prove(number, key, proved_at)


def _asked(atc: AuthorityTokenChallenge) -> TNAuthList:
    if atc.tktype != TN_AUTH_LIST:
        raise RefusedError("atc-refused", f"tktype is {TN_AUTH_LIST}")
    try:
        return read_identifier(atc.tkvalue)
    except TNAuthListError as error:
        raise RefusedError("atc-refused", str(error)) from error


def _binding(request: TokenRequest) -> bytes:
    """What a code is bound to when it is used."""
    return hashlib.sha256(msgspec.json.encode((request.atc, request.key))).digest()


def _refusal(given: Answer, challenge: Challenge) -> RefusedError:
    match given:
        case Answer.WRONG_CODE:
            left = challenge.attempts_left
            return RefusedError("wrong-code", f"{left} attempts are left", attempts_left=left)
        case Answer.DEAD:
            return RefusedError("challenge-dead", "ask for a new code")
        case Answer.OTHER_REQUEST:
            return RefusedError("challenge-used", "a code serves one account and key; ask for a new code")
        case _:
            return RefusedError("challenge-expired", "ask for a new code")
