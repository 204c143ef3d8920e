"""From a service's refusal (RFC 9457) to the exception that says what to do."""

import msgspec

from client.errors import (
    AlreadyAskedError,
    CodeEndedError,
    CredentialRefusedError,
    GoneError,
    NoConsentError,
    NoKeyPackageError,
    NotAMemberError,
    NotFoundError,
    NumberWithdrawnError,
    RateLimitedError,
    ReportRefusedError,
    RevokedHereError,
    ServiceError,
    SessionExpiredError,
    StaleEpochError,
    TooMuchStoredError,
    UnexpectedAnswerError,
    WrongCodeError,
)
from client.services.answers import UNREADABLE

RETRY_AFTER = 5  # seconds, where a service does not say how long to wait
RETRY_AFTER_LIMIT = 86_400  # seconds: no service keeps a client away for longer


class ProblemDocument(msgspec.Struct, frozen=True):
    """The members of both services' problems that a client acts on (delivery_service.wire, identity.authority.wire)."""

    type: str
    title: str
    status: int
    detail: str = ""
    epoch: int | None = None
    head: int | None = None
    floor: int | None = None
    limit: int | None = None
    limit_name: str | None = None
    retry_after: int | None = None
    attempts_left: int | None = None
    mode: str | None = None


_BY_WORD: dict[str, type[ServiceError]] = {
    "session-expired": SessionExpiredError,
    "invalid-signature": CredentialRefusedError,
    "credential-refused": CredentialRefusedError,
    "certificate-revoked": RevokedHereError,
    "chain-refused": CredentialRefusedError,
    "proof-refused": CredentialRefusedError,
    "report-refused": ReportRefusedError,
    "number-withdrawn": NumberWithdrawnError,
    "not-a-member": NotAMemberError,
    "too-much-stored": TooMuchStoredError,
    "no-key-package": NoKeyPackageError,
    "already-asked": AlreadyAskedError,
    "unknown-challenge": CodeEndedError,
    "challenge-expired": CodeEndedError,
    "challenge-dead": CodeEndedError,
    "challenge-used": CodeEndedError,
}


def refusal(status: int, body: bytes) -> ServiceError | UnexpectedAnswerError:
    """Read an answer that is not a success; one without a problem document is an UnexpectedAnswerError."""
    try:
        problem = msgspec.json.decode(body, type=ProblemDocument)
    except UNREADABLE:
        return UnexpectedAnswerError(f"the service answered with HTTP status {status} and no problem document")
    word = problem.type.rpartition(":")[2]
    if word == "stale-epoch" and problem.epoch is not None and problem.head is not None:
        return StaleEpochError(problem, epoch=problem.epoch, head=problem.head)
    if word == "no-consent" and problem.mode is not None:
        return NoConsentError(problem, mode=problem.mode)
    if word == "gone" and problem.floor is not None:
        return GoneError(problem, floor=problem.floor, epoch=problem.epoch)
    if status in (429, 503):
        return RateLimitedError(problem, retry_after=_bounded(problem.retry_after))
    if word == "wrong-code":
        return WrongCodeError(problem, attempts_left=problem.attempts_left)
    kind = _BY_WORD.get(word, ServiceError)
    return (NotFoundError if status == 404 and kind is not CodeEndedError else kind)(problem)


def _bounded(retry_after: int | None) -> int:
    return RETRY_AFTER if retry_after is None else max(1, min(retry_after, RETRY_AFTER_LIMIT))
