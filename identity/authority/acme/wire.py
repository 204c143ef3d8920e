"""Every request and answer of the ACME server (RFC 8555, RFC 9448): shapes, limits, problem types.

Requests are flattened JWS of ES256 (enrolment.acme_jws), `application/jose+json`; each answer has a `Replay-Nonce`.

    GET       /acme/directory                                  -> 200 Directory
    HEAD, GET /acme/new-nonce                                  -> 200, 204
    POST      both of them                   (POST-as-GET)     -> the same
    POST      /acme/new-account              NewAccount        -> 201 Account; 200 if the key has one. By jwk.
    POST      /acme/account/{id}             AccountUpdate     -> 200 Account
    POST      /acme/account/{id}/orders      (POST-as-GET)     -> 200 Orders
    POST      /acme/new-order                NewOrder          -> 201 Order
    POST      /acme/order/{id}               (POST-as-GET)     -> 200 Order
    POST      /acme/order/{id}/finalize      Finalize          -> 200 Order
    POST      /acme/authorization/{id}       AuthorizationUpdate or POST-as-GET -> 200 Authorization
    POST      /acme/challenge/{id}           ChallengeAnswer   -> 200 Challenge; POST-as-GET reads it
    POST      /acme/certificate/{sha256}     (POST-as-GET)     -> 200 leaf, issuers; PEM_TYPE of ..wire
    POST      /acme/revoke-certificate       Revocation        -> 200; by jwk (the certificate's key) or by kid
    POST      /acme/key-change               a JWS of KeyChange-> 200 Account

An order has one identifier, one authorization with one challenge (tkauth-01), and is issued when it is finalized; only
who looks at it meanwhile sees it "processing". A challenge that failed leaves its order invalid (RFC 8555 §7.1.6):
place another one.
"""

from typing import Annotated, Literal

import msgspec

from identity.enrolment.authority_token import TOKEN_LIMIT

ACME_BODY_LIMIT = 256 * 1024  # octets of a request's body
ORDER_LIFETIME = 3_600  # seconds until an order or authorization that nobody completes expires
ORDERS_LIMIT = 100  # of an account, in the answer to `orders`: the newest
TKAUTH = "tkauth-01"  # RFC 9447 §3
ATC = "atc"  # tkauth-type, RFC 9448 §4
PROBLEM_TYPE = "application/problem+json"
PROBLEM_PREFIX = "urn:ietf:params:acme:error:"
DIRECTORY_PATH = "/acme/directory"  # below a base URL of ours; other authorities have a URL of their own

Text = Annotated[str, msgspec.Meta(max_length=1_000)]
CSR = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]+\Z", max_length=TOKEN_LIMIT)]


class Meta(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What the directory says of the server."""

    website: str | None = None
    external_account_required: bool = False


class Directory(msgspec.Struct, frozen=True, rename="camel"):
    """Where each kind of request goes (RFC 8555 §7.1.1)."""

    new_nonce: str
    new_account: str
    new_order: str
    revoke_cert: str
    key_change: str
    meta: Meta = Meta()


class NewAccount(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Asks for an account. Contacts are read and not kept; there is no external account binding."""

    contact: Annotated[list[Text], msgspec.Meta(max_length=10)] = []
    terms_of_service_agreed: bool = False
    only_return_existing: bool = False


class Account(msgspec.Struct, frozen=True):
    """An account; its URL is in `Location`."""

    status: Literal["valid", "deactivated", "revoked"]
    orders: str


class AccountUpdate(msgspec.Struct, frozen=True, omit_defaults=True):
    """Changes an account: only deactivation has an effect (RFC 8555 §7.3.6)."""

    status: Literal["deactivated"] | None = None
    contact: Annotated[list[Text], msgspec.Meta(max_length=10)] | None = None


class Orders(msgspec.Struct, frozen=True):
    """The URLs of an account's orders, newest first."""

    orders: list[str]


class Identifier(msgspec.Struct, frozen=True):
    """What is to be certified (identity.enrolment.authority_token.identifier_value)."""

    type: Annotated[str, msgspec.Meta(max_length=100)]
    value: Annotated[str, msgspec.Meta(max_length=TOKEN_LIMIT)]


class NewOrder(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Orders a certificate; the server decides how long it lives, so dates are refused."""

    identifiers: Annotated[list[Identifier], msgspec.Meta(min_length=1, max_length=100)]
    not_before: str | None = None
    not_after: str | None = None


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An ACME problem (RFC 8555 §6.7). `check` is the number of a failed check of the authority token."""

    type: str
    detail: str
    status: int
    title: str | None = None
    identifier: Identifier | None = None
    algorithms: list[str] | None = None
    subproblems: list["Problem"] | None = None
    check: int | None = None


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """An order (RFC 8555 §7.1.3); `x5u` is where the certificate's path is published (RFC 9448 §7)."""

    status: Literal["pending", "ready", "processing", "valid", "invalid"]
    expires: str
    identifiers: list[Identifier]
    authorizations: list[str]
    finalize: str
    certificate: str | None = None
    x5u: str | None = None
    error: Problem | None = None


class Challenge(
    msgspec.Struct,
    frozen=True,
    omit_defaults=True,
    rename={"tkauth_type": "tkauth-type", "token_authority": "token-authority"},
):
    """A challenge (RFC 9447 §3, RFC 9448 §4); `token_authority` is the base URL of one whose tokens are accepted."""

    type: str
    url: str
    status: Literal["pending", "processing", "valid", "invalid"]
    token: str | None = None
    tkauth_type: str | None = None
    token_authority: str | None = None
    validated: str | None = None
    error: Problem | None = None


class Authorization(msgspec.Struct, frozen=True, omit_defaults=True):
    """An authorization (RFC 8555 §7.1.4)."""

    status: Literal["pending", "valid", "invalid", "deactivated", "expired", "revoked"]
    identifier: Identifier
    challenges: list[Challenge]
    expires: str | None = None


class AuthorizationUpdate(msgspec.Struct, frozen=True):
    """Gives an authorization up (RFC 8555 §7.5.2)."""

    status: Literal["deactivated"]


class ChallengeAnswer(msgspec.Struct, frozen=True):
    """Answers tkauth-01 with an authority token (RFC 9447 §3.1)."""

    tkauth: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_.-]+\Z", max_length=2 * TOKEN_LIMIT)]


class Finalize(msgspec.Struct, frozen=True):
    """The certificate request, PKCS #10 DER in base64url."""

    csr: CSR


class Revocation(msgspec.Struct, frozen=True):
    """Revokes a certificate, DER in base64url; `reason` as in RFC 5280 §5.3.1."""

    certificate: CSR
    reason: int = 0


class KeyChange(msgspec.Struct, frozen=True, rename="camel"):
    """What the new key signs in a key change (RFC 8555 §7.3.5)."""

    account: str
    old_key: msgspec.Raw


PROBLEMS: dict[str, int] = {  # RFC 8555 §6.7 -> HTTP status
    "accountDoesNotExist": 400,
    "alreadyRevoked": 400,
    "badCSR": 400,
    "badNonce": 400,
    "badPublicKey": 400,
    "badRevocationReason": 400,
    "badSignatureAlgorithm": 400,
    "connection": 400,
    "incorrectResponse": 403,
    "malformed": 400,
    "orderNotReady": 403,
    "rateLimited": 429,
    "rejectedIdentifier": 403,
    "serverInternal": 500,
    "unauthorized": 403,
    "unsupportedIdentifier": 400,
}
