"""The numbered checks on a token, in their order: one sequence, whatever carried the token."""

from hashlib import sha256
from typing import Protocol

from identity.certificates import ChainVerifier, VerifiedChain, leaf_number
from identity.checks import Operands, check_constraints, check_number, check_status, check_time
from identity.errors import CertificateError, IdentityError
from identity.number import TelephoneNumber
from identity.passport import (
    Header,
    UnverifiedPassport,
    check_digest,
    check_header,
    read_claims,
    split_token,
    verify_signature,
)
from identity.passport_kinds import IN_GROUPS, MESSAGE, Profile
from identity.rich_call_data import check_display
from identity.status.revocation import NO_REVOCATIONS, Revocations
from identity.verdict import RULES, Evidence, Rule, Skipped, Trail, Undecided, Verdict, Verification

_REASONS = {
    Verdict.VERIFIED: "The sender proved control of this number when the message was signed.",
    Verdict.CARRIER: "A carrier signed for this number; the sender did not prove it themself.",
    Verdict.UNSIGNED: "Nothing shows that this number is the sender's.",
}
_ERROR_REASONS = {  # where the check's own sentence would be too general
    "expired": "The certificate had expired before the message was signed.",
    "not-yet-valid": "The certificate was not yet valid when the message was signed.",
    "no-anchors": "There is no trust list to check the certificate with.",
    "coverage": "The certificate does not cover this number.",
    "not-pinned": "The certificate is not by an issuer that is pinned here.",
    "unknown-policy": "The certificate stands under a policy that is not known here.",
    "code-leaf": "The certificate is for a carrier's code, which counts for nothing here.",
    "encompassing": "An issuer certified numbers that it does not speak for.",
    "issuer-algorithm": "An issuer of the certificate did not sign with ECDSA.",
    "not-logged": "No log vouches for the certificate.",
    "timestamps": "The certificate names a log that has not vouched for it.",
    "no-messages": "The certificate says that this number sends no messages.",
    "no-calls": "The certificate says that this number makes no calls.",
    "originator": "The number's holder does not let this provider speak for it.",
    "no-chain": "The certificate of the signer is not at hand.",
    "info": "The header field names another certificate than its token.",
    "parameter": "The header field says something else than its token.",
    "room": "The message names another conversation.",
    "sender": "The message names another sender.",
    "revoked": "The certificate was withdrawn before the message was signed, or its key was lost.",
}
_CARRIER, _STALE = Verdict.CARRIER, Verdict.STALE  # looked up once: see `checks`
_UNDECIDED_REASONS = {9: "There is no content to compare with the proof.", 13: RULES[13].reason}
_ERROR_CODES = {"ppt": 428, "coverage": 437, "no-chain": 436}  # RFC 8224 §6.2.2
_UNDECIDABLE = frozenset({"no-anchors", "no-chain"})  # errors that say that a check could not be made


class Setting(Protocol):
    """What a recipient knows by itself, from its own signalling and clock, and the checks that compare with that.

    `sender_chain` may be empty until check 4 has said which chain it is; `sender_since` is the last second at which the
    sender was known not to be there, or None.
    """

    @property
    def sender_chain(self) -> tuple[bytes, ...]: ...
    @property
    def arrived(self) -> int: ...
    @property
    def sender_since(self) -> int | None: ...
    @property
    def staple(self) -> bytes | None: ...

    def check_context(self) -> Operands:
        """Check 0: what the recipient knows is complete."""
        ...

    def check_signer(self, header: Header, chains: ChainVerifier) -> tuple[tuple[bytes, ...], Operands]:
        """Check 4: the token is by the certificate that the recipient expects; returns its chain."""
        ...

    def check_audience(self, passport: UnverifiedPassport) -> Operands:
        """Check 10: the token is for this recipient."""
        ...

    def check_replay(self, passport: UnverifiedPassport) -> tuple[bytes, Operands]:
        """Check 12: the token is new, and the signalling names its sender; returns the digest of the signing input."""
        ...


def judge(
    token: bytes | None,
    content: bytes | None,
    setting: Setting,
    chains: ChainVerifier,
    revocations: Revocations = NO_REVOCATIONS,
    *,
    now: int | None = None,
    profile: Profile = IN_GROUPS,
    rules: tuple[Rule, ...] = RULES,
) -> Verification:
    """Check a token against what its recipient knows; the result is always a value, whatever the token holds.

    `content` is what `msgi` must cover; None leaves check 9 undecided. `now`: when the verdict is made, if not at
    arrival. `rules`: the words for what was compared. What the setting's memory of tokens raises passes through.
    """
    judged_at = setting.arrived if now is None else now
    trail: list[tuple[object, ...]] = []
    done = trail.append
    try:
        done(setting.check_context())  # 0
        if token is None:
            return _unsigned(trail, setting, chains, rules)
        parts = split_token(token, profile)
        done((len(token),))  # 1
        header = check_header(parts.unverified_header, profile)
        done((header.x5u or "none, the certificates travel in x5c",))  # 2
        passport = read_claims(token, parts, header, profile)
        if profile.display:
            check_display(passport.claims)
        done((passport.orig, passport.iat, len(passport.dest_numbers), len(passport.dest_uris)))  # 3
        sender_chain, operands = setting.check_signer(header, chains)
        done(operands)  # 4
        chain = chains.verify(sender_chain, passport.iat)
        logged = "" if chain.logged_at is None else f"; in a log since {chain.logged_at}"
        done((len(sender_chain), chain, chain.not_before, chain.not_after, passport.iat, logged))  # 5
        by_number, operands = check_number(passport, chain)
        done(operands)  # 6
        done(check_constraints(passport, chain))  # 7
        verify_signature(passport, chain.public_key)
        done((len(passport.signing_input),))  # 8
        done(_check_content(passport, content))  # 9
        done(setting.check_audience(passport))  # 10
        by_time, operands = check_time(passport, chain, setting)
        done(operands)  # 11
        replay_key, operands = setting.check_replay(passport)
        done(operands)  # 12
        status, operands = check_status(passport, chain, setting, revocations, judged_at)
        done(operands)  # 13
    except IdentityError as error:
        return _stopped(error, token, Trail(trail, rules), setting, chains)
    anchors = chains.anchors_fingerprint
    evidence = Evidence(sender_chain, token, setting.arrived, replay_key, anchors, judged_at, status)
    verdict = _CARRIER if by_number is _CARRIER else by_time
    return _concluded(verdict, trail, rules, chain, evidence, passport.iat)


def refuse(error: IdentityError, setting: Setting, chains: ChainVerifier, rules: tuple[Rule, ...]) -> Verification:
    """The verdict on what holds no token that could be split: what carried it fails check 1."""
    try:
        return _stopped(error, None, Trail([setting.check_context()], rules=rules), setting, chains)
    except IdentityError as unknown:
        return _stopped(unknown, None, Trail([], rules=rules), setting, chains)


def _concluded(
    verdict: Verdict,
    trail: list[tuple[object, ...]],
    rules: tuple[Rule, ...],
    chain: VerifiedChain,
    evidence: Evidence,
    iat: int,
) -> Verification:
    reason = _REASONS.get(verdict) or f"Signed {_duration(evidence.arrived - iat)} before it arrived."
    if chain.uris and verdict is Verdict.VERIFIED:
        reason = "The sender proved control of this URI when the message was signed."
    code = 403 if verdict is _STALE else None
    undecided = 13 if isinstance(trail[13], Undecided) else 9 if isinstance(trail[9], Undecided) else None
    if undecided is not None:
        verdict, code, reason = Verdict.UNDECIDED, None, _UNDECIDED_REASONS[undecided]
    trail.append((verdict,))  # 14
    return Verification(verdict, chain.number, code, reason, evidence, Trail(trail, rules))


def _check_content(passport: UnverifiedPassport, content: bytes | None) -> Operands:
    """Check 9: the content is what `msgi` covers, in types that cover one."""
    if passport.kind is not MESSAGE:
        return Skipped((f"{passport.kind.name} covers no content",))
    if content is None:
        return Undecided(("there is no content to compare msgi with",))
    check_digest(passport.msgi, content)
    return len(content), passport.msgi


def _unsigned(
    trail: list[tuple[object, ...]], setting: Setting, chains: ChainVerifier, rules: tuple[Rule, ...]
) -> Verification:
    number, reason = _credential_number(setting, chains), _REASONS[Verdict.UNSIGNED]
    return Verification(Verdict.UNSIGNED, number, 428, reason, None, Trail(trail, rules))


def _stopped(
    error: IdentityError, token: bytes | None, trail: Trail, setting: Setting, chains: ChainVerifier
) -> Verification:
    """Conclude from a check that did not pass: the one that the trail has not reached."""
    rule = trail.rules[len(trail.operands)]
    number = _credential_number(setting, chains)
    reason = _ERROR_REASONS.get(error.code, rule.reason)
    if error.code == "ppt":
        reason = f"The proof is of another kind: {error}."
    code = _ERROR_CODES.get(error.code, rule.code)
    if error.code in _UNDECIDABLE and token is not None:
        evidence = None
        if setting.sender_chain:
            replay_key = sha256(token.rpartition(b".")[0]).digest()
            evidence = Evidence(setting.sender_chain, token, setting.arrived, replay_key, chains.anchors_fingerprint)
        code = code if error.code == "no-chain" else None
        undecided = trail._replace(stopped="undecided", why=str(error), code=code)
        return Verification(Verdict.UNDECIDED, number, code, reason, evidence, undecided)
    failed = trail._replace(stopped="failed", why=str(error), code=code)
    return Verification(Verdict.FAILED, number, code, reason, None, failed)


def _credential_number(setting: Setting, chains: ChainVerifier) -> TelephoneNumber | None:
    known = chains.known(setting.sender_chain)
    if known is not None:
        return known.number
    try:
        return leaf_number(setting.sender_chain[0]) if setting.sender_chain else None
    except CertificateError:
        return None


def _duration(seconds: int) -> str:
    """Say a time span in its largest whole unit."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
