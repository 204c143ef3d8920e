"""What stands before a certificate: the token authority's right to a number, and the ACME server's checks of tokens."""

from collections.abc import Callable
from typing import Any

import jwt
import msgspec

from identity.authority.acme import issuing, orders
from identity.authority.acme.certificate_request import CertificateRequest
from identity.authority.acme.records import Grant, Order
from identity.authority.admission import ByAuthority
from identity.authority.tokens.desk import TokenDesk
from identity.certificates import VerifiedChain
from identity.enrolment.acme_jws import JWK
from identity.enrolment.authority_token import FINGERPRINT_PREFIX, AuthorityToken, TokenIssuers
from lab.attacks.outcome import Guard, Keeper
from lab.seams.reports import authority
from lab.seams.seam import Place, exchanging, instead

Verify = Callable[[str, str, bytes, TokenIssuers, int], AuthorityToken]


def certification(rule: str) -> Guard:
    """The guard that is a check of authority tokens, by its number, or the word of an ACME problem."""
    return Guard(Keeper.CERTIFICATION, rule)


def _stated(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def _for_any_list(verify: Verify) -> Verify:
    """Let the checks see the order that the token is for."""

    def verified(token: str, identifier: str, account: bytes, issuers: TokenIssuers, now: int) -> AuthorityToken:
        return verify(token, _stated(token)["atc"]["tkvalue"], account, issuers, now)

    return verified


def _for_any_account(verify: Verify) -> Verify:
    """Let the checks see the account that the token is for."""

    def verified(token: str, identifier: str, account: bytes, issuers: TokenIssuers, now: int) -> AuthorityToken:
        named = _stated(token)["atc"]["fingerprint"].removeprefix(FINGERPRINT_PREFIX)
        return verify(token, identifier, bytes.fromhex(named.replace(":", "")), issuers, now)

    return verified


def _without_key(
    check: Callable[[CertificateRequest, Order, Grant, JWK], None],
) -> Callable[[CertificateRequest, Order, Grant, JWK], None]:
    """Let the checks see a grant for any key."""

    def checked(requested: CertificateRequest, order: Order, grant: Grant, account: JWK) -> None:
        check(requested, order, msgspec.structs.replace(grant, key=None), account)

    return checked


def _as_if_proved_now(self: TokenDesk, chain: VerifiedChain, now: int) -> int:
    return now


def _pass(*_: object) -> None:
    """Raise nothing."""


TOKEN_LIST = exchanging(certification("6"), Place(orders, "verify_authority_token", _for_any_list))
TOKEN_ACCOUNT = exchanging(certification("8"), Place(orders, "verify_authority_token", _for_any_account))
TOKEN_KEY = exchanging(certification("bad-csr"), Place(issuing, "check_certificate_request", _without_key))
RENEWING_CHAIN = exchanging(authority("chain-refused"), instead(ByAuthority, "check_certificate", _pass))
NUMBER_PROOF = exchanging(authority("number-proof-due"), instead(TokenDesk, "_proved_at", _as_if_proved_now))
