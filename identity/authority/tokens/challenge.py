"""The number challenge: one code, one number, one request, a few minutes.

    state  condition                           next   answer
    any    its lifetime is over                same   EXPIRED
    DEAD   -                                   DEAD   DEAD
    OPEN   wrong code, attempts left           OPEN   WRONG_CODE
    OPEN   wrong code, last attempt            DEAD   DEAD
    OPEN   right code                          BOUND  ISSUE
    BOUND  wrong code, attempts left           BOUND  WRONG_CODE
    BOUND  wrong code, last attempt            DEAD   DEAD
    BOUND  right code, the same request        BOUND  REPEAT
    BOUND  right code, another request         BOUND  OTHER_REQUEST

A code is used up by binding it to a request, which names an account and a key: whoever repeats it gets a token for
those again, and for nothing else.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace
from enum import Enum, StrEnum

from identity.authority.wire import CODE_ATTEMPTS, CODE_DIGITS, CODE_LIFETIME
from identity.number import TelephoneNumber


class ChallengeState(StrEnum):
    """What a challenge has been through."""

    OPEN = "open"
    BOUND = "bound"
    DEAD = "dead"


class Answer(Enum):
    """What becomes of an attempt."""

    ISSUE = "issue"
    REPEAT = "repeat"
    WRONG_CODE = "wrong-code"
    DEAD = "challenge-dead"
    OTHER_REQUEST = "challenge-used"
    EXPIRED = "challenge-expired"


@dataclass(frozen=True, slots=True)
class Challenge:
    """A number that somebody claims; `code_mac` stands for the code, `bound_to` is the SHA-256 of a request."""

    id: str
    number: TelephoneNumber
    code_mac: bytes
    expires_at: int
    state: ChallengeState = ChallengeState.OPEN
    attempts_left: int = CODE_ATTEMPTS
    bound_to: bytes | None = None


def open_challenge(number: TelephoneNumber, secret: bytes, now: int) -> tuple[Challenge, str]:
    """Draw a challenge and its code; `secret` keys the only trace of the code that is kept."""
    challenge_id = secrets.token_urlsafe(16)
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
    return Challenge(challenge_id, number, code_mac(secret, challenge_id, code), now + CODE_LIFETIME), code


def code_mac(secret: bytes, challenge_id: str, code: str) -> bytes:
    """HMAC-SHA256 of a code for one challenge: without the secret a million guesses find nothing."""
    return hmac.digest(secret, f"code:{challenge_id}:{code}".encode("ascii"), hashlib.sha256)


def answer(challenge: Challenge, mac: bytes, request: bytes, now: int) -> tuple[Challenge, Answer]:
    """Take one attempt by the table above; `mac` is the offered code's, `request` the SHA-256 of what is asked for."""
    if now >= challenge.expires_at:
        return challenge, Answer.EXPIRED
    if challenge.state is ChallengeState.DEAD:
        return challenge, Answer.DEAD
    if not hmac.compare_digest(challenge.code_mac, mac):
        return _wrong(challenge)
    if challenge.bound_to is None:
        return replace(challenge, state=ChallengeState.BOUND, bound_to=request), Answer.ISSUE
    return challenge, Answer.REPEAT if challenge.bound_to == request else Answer.OTHER_REQUEST


def _wrong(challenge: Challenge) -> tuple[Challenge, Answer]:
    left = challenge.attempts_left - 1
    if left:
        return replace(challenge, attempts_left=left), Answer.WRONG_CODE
    return replace(challenge, attempts_left=0, state=ChallengeState.DEAD), Answer.DEAD
