"""The result of verifying a message: a value that says what was compared, check by check."""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Self

from identity.errors import BindingError, NumberError
from identity.number import TelephoneNumber
from identity.status.revocation import CertificateStatus

Outcome = Literal["passed", "failed", "skipped", "undecided"]


class Verdict(StrEnum):
    """What may be said about a message; the words on a screen follow it."""

    VERIFIED = "verified"
    DELAYED = "delayed"
    STALE = "stale"
    CARRIER = "carrier"
    UNSIGNED = "unsigned"
    UNDECIDED = "undecided"
    FAILED = "failed"


class Rule(NamedTuple):
    """One of the numbered checks: name, RFC 8224 §6.2.2 code of its failure, reason for people, what it compares."""

    name: str
    code: int | None
    reason: str
    compared: str


RULES = (
    Rule("context", None, "This device does not know the conversation well enough to check.",
         "group {}, epoch {}, leaf {}"),
    Rule("bounds", 438, "The proof is not well formed.",
         "{} octets; three parts of base64url; canonical JSON"),
    Rule("header", 438, "The proof is of another kind.",
         "ES256, msg, passport; x5u {}"),
    Rule("claims", 438, "The proof does not say what a proof must say.",
         "orig {}; iat {}; {} numbers and {} URIs in dest"),
    Rule("signer", 438, "The signer is not this group member.",
         "x5u names the leaf's certificate {}; its key is the leaf's key"),
    Rule("chain", 437, "The certificate is not from a trusted root.",
         "{} certificates by {.issuer!a}, valid from {} to {}, at iat {}{}"),
    Rule("number", 438, "The message was signed for another number.",
         "orig {}: {}; {} lists above reach it"),
    Rule("constraints", 438, "The certificate does not allow this proof.",
         "claims meet the certificate's constraints {!a}{}"),
    Rule("signature", 438, "The signature is not by this sender.",
         "ES256 over {} octets with the leaf's key"),
    Rule("content", 438, "The proof was copied from another message.",
         "{} octets received = msgi {}"),
    Rule("audience", 438, "The proof belongs to another conversation.",
         "dest names {}; {} numbers listed, of {} in the group"),
    Rule("time", 403, "The time in the proof cannot be right.",
         "iat {}, arrived {}; certificate from {} to {}; sender here since {}"),
    Rule("replay", 438, "The message was seen before.",
         "token {} is new here; the content names this group and the sender {!a}"),
    Rule("status", 437, "Whether the certificate was withdrawn cannot be checked now.",
         "certificate for {} s, short-lived up to {}; {}"),
    Rule("result", None, "",
         "{}"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Check:
    """One numbered check: what it compared, or why it did not pass; `code` is the RFC 8224 analogue of its failure."""

    number: int
    name: str
    outcome: Outcome
    compared: str
    code: int | None


class Trail(NamedTuple):
    """What the checks compared, unformatted, and where they stopped; becomes Checks only when somebody looks."""

    operands: Sequence[tuple[object, ...]]
    rules: tuple[Rule, ...] = RULES
    stopped: Outcome = "passed"
    why: str = ""
    code: int | None = None

    def checks(self) -> tuple[Check, ...]:
        """Format every check; those after the one that stopped are skipped."""
        return tuple(self._check(number, rule) for number, rule in enumerate(self.rules))

    def _check(self, number: int, rule: Rule) -> Check:
        done = len(self.operands)
        if number < done:
            operands = self.operands[number]
            if isinstance(operands, Undecided):
                return Check(number, rule.name, "undecided", operands[0], None)
            if isinstance(operands, Skipped):
                return Check(number, rule.name, "skipped", operands[0], None)
            return Check(number, rule.name, "passed", rule.compared.format(*operands), None)
        if number == done and self.stopped != "passed":
            return Check(number, rule.name, self.stopped, self.why, self.code)
        return Check(number, rule.name, "skipped", "", None)


class Undecided(tuple[str]):
    """Stands in a Trail for a check that could not be decided, with why; the checks after it still ran."""

    __slots__ = ()


class Skipped(tuple[str]):
    """Stands in a Trail for a check that had nothing to compare with, with why; it takes nothing from the verdict."""

    __slots__ = ()


class Evidence(NamedTuple):
    """What to keep with a message so that anyone can check it again later (RFC 9475 §4).

    `replay_key` is SHA-256 of the token's signing input; `anchors` names the set of roots, as TrustAnchors.fingerprint.
    `judged_at`: when the verdict was made, and `status`: what was known of the certificate then; None in what a program
    without them has stored.
    """

    chain: tuple[bytes, ...]
    passport: bytes
    arrived: int
    replay_key: bytes
    anchors: bytes
    judged_at: int | None = None
    status: CertificateStatus | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """The verdict on one token, with its reasons; only `sequence.judge` makes one.

    `number` is the certificate's, inside MLS the credential's, never the token's `orig`. `evidence` is there unless the
    verdict is `unsigned` or `failed`: a token that proves nothing must not count as seen.
    """

    verdict: Verdict
    number: TelephoneNumber | None
    code: int | None
    reason: str
    evidence: Evidence | None
    _trail: Trail | tuple[Check, ...] = field(repr=False)

    @property
    def checks(self) -> tuple[Check, ...]:
        """All checks, 0 to 14, in order."""
        return self._trail.checks() if isinstance(self._trail, Trail) else self._trail

    @property
    def failed_check(self) -> Check | None:
        """The check that failed, if one did."""
        return next((check for check in self.checks if check.outcome == "failed"), None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Verification) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def _values(self) -> tuple[object, ...]:
        return self.verdict, self.number, self.code, self.reason, self.evidence, self.checks

    def to_json(self) -> str:
        """Serialise for one's own store or an export."""
        return json.dumps(
            {
                "verdict": self.verdict,
                "number": self.number and self.number.digits,
                "code": self.code,
                "reason": self.reason,
                "checks": [[c.number, c.name, c.outcome, c.compared, c.code] for c in self.checks],
                "evidence": self.evidence and _evidence_to_json(self.evidence),
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote; this recalls a verdict and proves nothing by itself. Raises BindingError."""
        try:
            stored = json.loads(text)
            return cls(
                Verdict(stored["verdict"]),
                None if stored["number"] is None else TelephoneNumber.from_digits(stored["number"]),
                stored["code"],
                stored["reason"],
                None if stored["evidence"] is None else _evidence_from_json(stored["evidence"]),
                tuple(Check(*check) for check in stored["checks"]),
            )
        except (NumberError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise BindingError("stored", "this is not a stored verification", check=14) from error


def _evidence_to_json(evidence: Evidence) -> dict[str, Any]:
    return {
        "chain": [b64encode(der).decode() for der in evidence.chain],
        "passport": evidence.passport.decode(),
        "arrived": evidence.arrived,
        "replay_key": evidence.replay_key.hex(),
        "anchors": evidence.anchors.hex(),
        "judged_at": evidence.judged_at,
        "status": evidence.status and evidence.status.to_builtins(),
    }


def _evidence_from_json(stored: dict[str, Any]) -> Evidence:
    return Evidence(
        tuple(b64decode(der, validate=True) for der in stored["chain"]),
        stored["passport"].encode(),
        stored["arrived"],
        bytes.fromhex(stored["replay_key"]),
        bytes.fromhex(stored["anchors"]),
        stored.get("judged_at"),
        None if stored.get("status") is None else CertificateStatus.from_builtins(stored["status"]),
    )
