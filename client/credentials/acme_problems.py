"""From an ACME server's refusal (RFC 8555 §6.7) to the exception that says what to do."""

import email.utils
import re

import httpx
import msgspec

from client.credentials.acme_answers import AcmeProblem
from client.errors import (
    CertificationRefusedError,
    NumberWithdrawnError,
    RateLimitedError,
    ServiceError,
    UnexpectedAnswerError,
)
from client.services.answers import UNREADABLE
from client.services.problems import RETRY_AFTER, RETRY_AFTER_LIMIT, refusal
from client.services.service import Answer

PREFIX = "urn:ietf:params:acme:error:"
BAD_NONCE = "bad-nonce"  # code of the refusal that asks for the same request with another nonce (RFC 8555 §6.5)
NO_ACCOUNT = "account-does-not-exist"
NOT_READY = "order-not-ready"
MALFORMED = "malformed"
UNSUPPORTED = "unsupported-identifier"
WITHDRAWN = "urn:ringtrue:authority:number-withdrawn"  # a subproblem of Ringtrue's own authority

_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SECONDS = re.compile(r"[0-9]{1,9}")
_ASK_OPERATOR = "Nothing of yours can mend that: tell the authority's operator what the message says."
_ELSEWHERE = "Give the directory of an authority that certifies numbers: ringtrue enroll --acme-directory URL"
HINTS = {
    "account-does-not-exist": "Enrol again; the authority does not know this device's account any more.",
    "already-revoked": "Nothing is to be done: the certificate was revoked before.",
    "bad-csr": "Update this program: the authority asks for another certificate request than it makes.",
    "bad-nonce": "Try again. If it persists, the authority does not keep its own nonces: tell its operator.",
    "bad-public-key": _ASK_OPERATOR,
    "bad-revocation-reason": "Give another reason, or none.",
    "bad-signature-algorithm": _ASK_OPERATOR,
    "caa": _ELSEWHERE,
    "external-account-required": "This authority takes no new accounts by itself. " + _ELSEWHERE,
    "incorrect-response": "Ask for a new code, then try again; if it persists, give the token authority that this "
    "authority names: ringtrue enroll --token-authority URL",
    "malformed": _ASK_OPERATOR,
    "order-not-ready": "Try again.",
    "rejected-identifier": "The authority does not certify this number. " + _ELSEWHERE,
    "server-internal": "Try again in a while. Nothing was changed here.",
    "unauthorized": "Ask for a new code, then try again. Check this machine's clock.",
    "unsupported-identifier": "That authority certifies no telephone numbers. " + _ELSEWHERE,
    "user-action-required": "Read what the authority asks for at the address in the message, then try again.",
}


def acme_refusal(answer: Answer, now: float) -> ServiceError | UnexpectedAnswerError:
    """Read a refusal; what is no problem of ACME is one of our services'."""
    try:
        problem = msgspec.json.decode(answer.body, type=AcmeProblem)
    except UNREADABLE:
        return refusal(answer.status, answer.body)
    if not problem.type.startswith(PREFIX):
        return refusal(answer.status, answer.body)
    problem = msgspec.structs.replace(problem, status=answer.status)
    if answer.status in (429, 503) or problem.type == f"{PREFIX}rateLimited":
        wait = problem.retry_after or retry_after(answer.headers, now) or RETRY_AFTER
        return RateLimitedError(problem, retry_after=max(1, min(wait, RETRY_AFTER_LIMIT)))
    if WITHDRAWN in [each.type for each in problem.subproblems or ()]:
        return NumberWithdrawnError(msgspec.structs.replace(problem, type=WITHDRAWN))
    return certification_refused(problem)


def certification_refused(problem: AcmeProblem) -> CertificationRefusedError:
    """What became of an order or a challenge, as the exception that says what to do."""
    word = _HUMP.sub("-", problem.type.removeprefix(PREFIX)).lower()
    return CertificationRefusedError(problem, code=word if word in HINTS else None, hint=HINTS.get(word))


def retry_after(headers: httpx.Headers, now: float) -> int | None:
    """Seconds to wait, by either form of Retry-After (RFC 9110 §10.2.3); None if it says nothing readable."""
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return int(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
        return max(0, round(moment.timestamp() - now))
    except (ValueError, TypeError, OverflowError, OSError):
        return None
