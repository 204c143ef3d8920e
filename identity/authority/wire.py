"""Every request and response of the authority, its limits and its problems: the one module that others import.

Bodies are JSON; byte strings are base64. A chain is DER, leaf first, without the root.

    POST /v1/challenges            ChallengeRequest     -> 201 ChallengeOpened
    POST /v1/holdings              HoldingsRequest      -> 200 Holdings
    POST /v1/reports               ReportRequest        -> 201 ReportTaken
    POST /v1/standing              StandingRequest      -> 200 Standing
    GET  /v1/status-list                                -> 200 the signed list (reports.status_list), with an ETag
    GET  /v1/crl                                        -> 200 the list of revocations (RFC 5280 §5), DER, with an ETag
    POST /ocsp                     OCSP, with TNQuery   -> 200 the OCSP response (RFC 6960, identity.status.ocsp)
    GET  /ocsp/{request}           base64 of the DER    -> the same, with headers for caches (RFC 5019 §6.2)
    GET  /v1/status                                     -> 200 Status
    GET  /v1/anchors.pem                                -> 200 the roots, PEM
    GET  /certificates/{name}.pem                       -> 200 leaf, issuer, root, PEM; `name`: the leaf's SHA-256, hex

Certificates are issued over ACME (identity.authority.acme.wire) on authority tokens (identity.authority.tokens.wire).
"""

from typing import Annotated, Literal

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from identity.number import INPUT_LENGTH_LIMIT
from identity.reports.number_status import NumberStatus
from identity.reports.report import EVIDENCE_LIMIT, Report

JSON_TYPE = "application/json"
PROBLEM_TYPE = "application/problem+json"  # RFC 9457
STATUS_LIST_MEDIA_TYPE = "application/vnd.ringtrue.status-list"
CRL_TYPE = "application/pkix-crl"  # RFC 2585 §4.2
OCSP_REQUEST_TYPE = "application/ocsp-request"  # RFC 6960 appendix A
OCSP_RESPONSE_TYPE = "application/ocsp-response"
PEM_TYPE = "application/pem-certificate-chain"  # RFC 8555 §9.1

BODY_LIMIT = 32 * 1024  # octets of a request's body
CODE_DIGITS = 6
CODE_LIFETIME = 600  # seconds
CODE_ATTEMPTS = 5  # wrong codes until a challenge is dead
PROOF_MAX_AGE = 60  # seconds between a proof's `iat` and the authority's clock, either way
PROOF_LIMIT = 4096  # characters
# Seconds after a chain's end in which it may still be renewed. With the 7 days of a certificate they are 45 days, for
# which a number in the United States is given to nobody else after it was given up (47 CFR §52.15(f)(1)(ii)).
RENEWAL_GRACE = 38 * 86_400
NUMBER_PROOF_LIFETIME = 90 * 86_400  # seconds that renewals may rest on one code: numbers are recycled
HOLDINGS_PROOF_TYPE = "ringtrue-holdings+jwt"  # explicit typing (RFC 8725 §3.11): no PASSporT passes for a proof
STANDING_PROOF_TYPE = "ringtrue-standing+jwt"
REPORT_BODY_LIMIT = EVIDENCE_LIMIT + EVIDENCE_LIMIT // 4 + BODY_LIMIT  # octets: quotes inside a JSON string take two
APPEAL_LIMIT = 500  # characters
STANDING_GRACE = 30 * 86_400  # seconds after a certificate's end in which its holder may still appeal
HOLDINGS_LIMIT = 200  # certificates of one number in an answer, the newest

Code = Annotated[str, msgspec.Meta(pattern=rf"\A[0-9]{{{CODE_DIGITS}}}\Z")]
ChallengeId = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{22}\Z")]
Second = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]  # since the Unix epoch, to the end of 9999
Sha256Hex = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
CompactJWS = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_.-]+\Z", max_length=PROOF_LIMIT)]


class ChallengeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks for a code to be sent to a number (`+E164`)."""

    number: Annotated[str, msgspec.Meta(max_length=INPUT_LENGTH_LIMIT)]


class ChallengeOpened(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The challenge's name, the second at which its code ends, and how many digits the code has."""

    challenge: str
    expires_at: int
    digits: int


class Status(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The authority's name, the prefixes of the numbers that it certifies ("+" is any number), and its clock.

    `token_authority` is the base URL of who proves numbers to it, "" if it names nobody.
    """

    name: str
    numbers: list[str]
    now: int
    token_authority: str = ""


class HoldingsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks which certificates the number of `chain` has; `proof` is by the chain's key (`sign_holdings_proof`)."""

    chain: list[bytes]
    proof: CompactJWS


class Holding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One live certificate: the SHA-256 of its DER and of its SPKI in hex, when and by what it was issued, its end."""

    fingerprint: Sha256Hex
    key: Sha256Hex
    issued_at: Second
    by: Literal["code", "renewal"]
    not_after: Second


class Holdings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The certificates of one number that have not ended, the newest first, at most HOLDINGS_LIMIT."""

    certificates: list[Holding]


class HoldingsClaims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A proof's payload: the authority's base URL, the SHA-256 of the leaf in hex, when it was signed, a nonce."""

    aud: str
    leaf: str
    iat: int
    nonce: str


def sign_holdings_proof(key: ec.EllipticCurvePrivateKey, claims: HoldingsClaims) -> str:
    """Prove with a device's key that its owner asks for the number's certificates: a compact JWS, ES256."""
    return jwt.PyJWS().encode(msgspec.json.encode(claims), key, algorithm="ES256", headers={"typ": HOLDINGS_PROOF_TYPE})


class ReportRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A report (reports.report): evidence as the JSON text that was signed, the statement, the reporter's chain."""

    evidence: Annotated[str, msgspec.Meta(max_length=EVIDENCE_LIMIT)]
    statement: CompactJWS
    chain: list[bytes]

    @classmethod
    def of(cls, report: Report) -> "ReportRequest":
        """The request that hands a report in."""
        return cls(report.evidence.decode(), report.statement, list(report.chain))

    def report(self) -> Report:
        """The report as it is verified; a text that is not UTF-8 verifies as nothing."""
        return Report(self.evidence.encode("utf-8", "replace"), self.statement, tuple(self.chain))


class ReportTaken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The report was verified. `counted`: whether it raised the count, `why` if not; the number's status, its end."""

    counted: bool
    why: str
    status: NumberStatus
    ends_at: Second | None


class StandingRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks what counts against one's own number; `proof` is by the chain's key (`sign_standing_proof`)."""

    chain: list[bytes]
    proof: CompactJWS


class StandingClaims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A proof's payload: the authority's base URL, when it was signed, a nonce, and perhaps an appeal."""

    aud: str
    iat: int
    nonce: str
    appeal: Annotated[str, msgspec.Meta(max_length=APPEAL_LIMIT)] = ""


class Standing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number's status and its end; how many reports count, their kinds; the appeal that was made, if one was."""

    number: str
    status: NumberStatus
    ends_at: Second | None
    count: int
    kinds: dict[str, int]
    appeal: str | None


def sign_standing_proof(key: ec.EllipticCurvePrivateKey, claims: StandingClaims) -> str:
    """Prove with a device's key that its owner asks, or appeals: a compact JWS, ES256."""
    return jwt.PyJWS().encode(msgspec.json.encode(claims), key, algorithm="ES256", headers={"typ": STANDING_PROOF_TYPE})


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An RFC 9457 problem. `type` is `urn:ringtrue:authority:WORD`; some words come with extension members."""

    type: str
    title: str
    status: int
    detail: str
    limit: int | None = None  # too-large: octets allowed; rate-limited: requests allowed
    limit_name: str | None = None  # which limit was exceeded
    retry_after: int | None = None  # rate-limited, code-not-sent: seconds
    attempts_left: int | None = None  # wrong-code
    check: int | None = None  # report-refused: the number of the check (identity.reports.report.verify_report)


PROBLEM_PREFIX = "urn:ringtrue:authority:"
# word -> (status, title)
PROBLEMS: dict[str, tuple[int, str]] = {
    "malformed": (400, "The request cannot be understood"),
    "invalid-number": (400, "That is not a telephone number"),
    "number-refused": (403, "This authority does not certify that number"),
    "number-withdrawn": (403, "The number is withdrawn for a while"),
    "wrong-code": (403, "That is not the code"),
    "chain-refused": (403, "The old certificate chain was not accepted"),
    "proof-refused": (403, "The proof of the old key was not accepted"),
    "right-refused": (403, "The right to the number was not shown"),
    "number-proof-due": (403, "The number must be proved by a new code"),
    "not-found": (404, "There is nothing at this address"),
    "unknown-challenge": (404, "No such challenge"),
    "method-not-allowed": (405, "This address does not take that method"),
    "too-slow": (408, "The body took too long to arrive"),
    "challenge-used": (409, "The code was used for another key"),
    "already-revoked": (409, "The certificate was revoked before"),
    "proof-replayed": (409, "The proof was used before"),
    "nothing-to-appeal": (409, "The number has no status to appeal against"),
    "appealed": (409, "An appeal was made already"),
    "link-slot-taken": (409, "This code is used already, or was cancelled"),
    "challenge-expired": (410, "The code has expired"),
    "challenge-dead": (410, "Too many wrong codes"),
    "link-closed": (410, "This code is used up, or was cancelled"),
    "too-large": (413, "The body is larger than allowed"),
    "unsupported-type": (415, "The body is not JSON"),
    "atc-refused": (422, "A token cannot say that"),
    "submission-refused": (422, "The log does not take this chain"),
    "csr-refused": (422, "The certificate request was not accepted"),
    "reason-refused": (422, "That is no reason for a revocation"),
    "report-refused": (422, "The report does not prove what it says"),
    "rate-limited": (429, "Too many requests"),
    "internal": (500, "The authority failed"),
    "authority-unreachable": (503, "The other authority cannot be reached"),
    "code-not-sent": (503, "The code could not be sent"),
}
