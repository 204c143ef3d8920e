"""Refusals of the ACME server (RFC 8555 §6.7)."""

from identity.authority.acme.wire import PROBLEM_PREFIX, PROBLEMS, Identifier, Problem
from identity.authority.errors import AuthorityError, RefusedError
from identity.authority.wire import PROBLEM_PREFIX as OWN_PREFIX


class AcmeError(AuthorityError):
    """A request is answered with an ACME problem; `word` is a key of wire.PROBLEMS. `headers` go with the answer.

    `reason`: the type of the problem with the identifier, where it says more than the word.
    """

    def __init__(
        self,
        word: str,
        detail: str,
        *,
        status: int | None = None,
        algorithms: list[str] | None = None,
        identifier: Identifier | None = None,
        reason: str = "",
        check: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.word = word
        self.headers = headers or {}
        self.problem = Problem(
            PROBLEM_PREFIX + word,
            detail,
            status or PROBLEMS[word],
            algorithms=algorithms,
            check=check,
            subproblems=None if identifier is None else [_about(word, detail, identifier, reason)],
        )


# What the rest of the authority refuses with -> what that is in ACME.
_WORDS = {
    "rate-limited": "rateLimited",
    "number-refused": "rejectedIdentifier",
    "number-withdrawn": "rejectedIdentifier",
    "csr-refused": "badCSR",
    "not-found": "malformed",
    "already-revoked": "alreadyRevoked",
    "reason-refused": "badRevocationReason",
    "internal": "serverInternal",
    "authority-unreachable": "connection",
}
_SAME_STATUS = _WORDS.keys() - {"not-found", "authority-unreachable"}


def as_acme(error: RefusedError, identifier: Identifier | None = None) -> AcmeError:
    """Say the same as an ACME problem."""
    word = _WORDS.get(error.word, "malformed")
    status = None if error.word in _SAME_STATUS else error.status
    after = error.extensions.get("retry_after")
    headers = {} if after is None else {"retry-after": str(after)}
    reason = OWN_PREFIX + error.word if error.word == "number-withdrawn" else ""  # it ends, and can be appealed against
    return AcmeError(word, error.detail, status=status, identifier=identifier, reason=reason, headers=headers)


def _about(word: str, detail: str, identifier: Identifier, reason: str) -> Problem:
    return Problem(reason or PROBLEM_PREFIX + word, detail, PROBLEMS[word], identifier=identifier)
