"""The MLS-STIR binding: the numbered checks on a received message, and the proof that goes with a sent one."""

from collections.abc import Callable
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec

from identity.certificates import ChainVerifier, VerifiedChain, leaf_number
from identity.checks import (
    check_audience,
    check_constraints,
    check_context,
    check_number,
    check_replay,
    check_signer,
    check_status,
    check_time,
)
from identity.device import DeviceIdentity, DeviceVerifier
from identity.errors import CertificateError, IdentityError
from identity.message import MessageContext, ReceivedMessage, group_uri, user_uri, x5u_for
from identity.number import TelephoneNumber
from identity.passport import (
    check_digest,
    check_header,
    message_digest,
    read_claims,
    sign_passport,
    split_token,
    verify_signature,
)
from identity.revocation import NO_REVOCATIONS, Revocations
from identity.verdict import RULES, Check, Evidence, Trail, Undecided, Verdict, Verification

__all__ = [
    "Check",
    "DeviceIdentity",
    "DeviceVerifier",
    "Evidence",
    "MessageContext",
    "ReceivedMessage",
    "Verdict",
    "Verification",
    "attest",
    "group_uri",
    "user_uri",
    "verify_message",
    "x5u_for",
]

_REASONS = {
    Verdict.VERIFIED: "The sender proved control of this number when the message was signed.",
    Verdict.CARRIER: "A carrier signed for this number; the sender did not prove it themself.",
    Verdict.UNSIGNED: "Nothing shows that this number is the sender's.",
    Verdict.UNDECIDED: RULES[13].reason,
}
_ERROR_REASONS = {  # where the failed check's own sentence would be too general
    "expired": "The certificate had expired before the message was signed.",
    "not-yet-valid": "The certificate was not yet valid when the message was signed.",
    "no-anchors": "There is no trust list to check the certificate with.",
    "coverage": "The certificate does not cover this number.",
    "no-messages": "The certificate says that this number sends no messages.",
    "originator": "The number's holder does not let this provider speak for it.",
    "room": "The message names another conversation.",
    "sender": "The message names another sender.",
    "revoked": "The certificate was withdrawn before the message was signed, or its key was lost.",
}
_ERROR_CODES = {"ppt": 428, "coverage": 437}  # RFC 8224 §6.2.2


def verify_message(
    message: ReceivedMessage,
    context: MessageContext,
    chains: ChainVerifier,
    seen: Callable[[bytes], bool],
    revocations: Revocations = NO_REVOCATIONS,
    *,
    now: int | None = None,
) -> Verification:
    """Check a message against what its recipient knows; the result is always a value, whatever the message holds.

     0 context      group, epoch, leaf, arrival known    8 signature    ES256 over the octets received
     1 bounds       size, base64url, canonical JSON      9 content      msgi = digest of the octets received
     2 header       ES256, msg, passport, x5u only      10 audience     dest is this group
     3 claims       dest, iat, msgi, orig; strict       11 time         iat, arrival, certificate, membership
     4 signer       the certificate of the MLS leaf     12 replay       new here; content names sender and group
     5 chain        leaf to a trusted root, at iat      13 status       not withdrawn, or undecided
     6 number       orig = credential's, all lists      14 result       by 6, 11 and 13; with evidence
     7 constraints  claims that the leaf allows

    `seen` tells whether a replay key was received in this group before; what it raises passes through. `revocations`:
    the lists at hand. `now`: when the verdict is made, if not at arrival.
    """
    trail: list[tuple[object, ...]] = []
    done = trail.append
    judged_at = context.arrived if now is None else now
    try:
        done(check_context(context))  # 0
        token = message.passport
        if token is None:
            return _unsigned(trail, context, chains)
        parts = split_token(token)
        done((len(token),))  # 1
        header = check_header(parts.unverified_header)
        x5u = header.x5u
        done((x5u,))  # 2
        passport = read_claims(token, parts, header)
        done((passport.orig, passport.iat, len(passport.dest_numbers), len(passport.dest_uris)))  # 3
        done(check_signer(x5u, context, chains))  # 4
        chain = chains.verify(context.sender_chain, passport.iat)
        done((len(context.sender_chain), chain.issuer, chain.not_before, chain.not_after, passport.iat))  # 5
        by_number, operands = check_number(passport, chain)
        done(operands)  # 6
        done(check_constraints(passport, chain))  # 7
        verify_signature(passport, chain.public_key)
        done((len(passport.signing_input),))  # 8
        check_digest(passport.msgi, message.framed)
        done((len(message.framed), passport.msgi))  # 9
        done(check_audience(passport, context))  # 10
        by_time, operands = check_time(passport, chain, context)
        done(operands)  # 11
        replay_key, operands = check_replay(passport, message, context, seen)
        done(operands)  # 12
        status, operands = check_status(passport, chain, context, revocations, judged_at)
        done(operands)  # 13
    except IdentityError as error:
        return _stopped(error, trail, message, context, chains)
    anchors = chains.anchors_fingerprint
    evidence = Evidence(context.sender_chain, token, context.arrived, replay_key, anchors, judged_at, status)
    verdict = Verdict.CARRIER if by_number is Verdict.CARRIER else by_time
    return _concluded(verdict, trail, chain, evidence, passport.iat)


def attest(
    key: ec.EllipticCurvePrivateKey,
    chain_leaf_der: bytes,
    *,
    base_url: str,
    number: TelephoneNumber,
    group_uri: str,
    peer: TelephoneNumber | None,
    framed: bytes,
    now: int,
) -> bytes:
    """Make the PASSporT for these octets, to this group; `peer` if and only if the group has exactly two numbers."""
    token = sign_passport(
        key,
        x5u=x5u_for(base_url, chain_leaf_der),
        orig=number,
        dest_uris=(group_uri,),
        dest_numbers=() if peer is None else (peer,),
        iat=now,
        msgi=message_digest(framed),
    )
    return token.encode()


def _concluded(
    verdict: Verdict, trail: list[tuple[object, ...]], chain: VerifiedChain, evidence: Evidence, iat: int
) -> Verification:
    if isinstance(trail[13], Undecided):
        verdict = Verdict.UNDECIDED
    trail.append((verdict,))  # 14
    reason = _REASONS.get(verdict) or f"Signed {_duration(evidence.arrived - iat)} before it arrived."
    code = 403 if verdict is Verdict.STALE else None
    return Verification(verdict, chain.number, code, reason, evidence, Trail(trail))


def _unsigned(trail: list[tuple[object, ...]], context: MessageContext, chains: ChainVerifier) -> Verification:
    number = _credential_number(context, chains)
    return Verification(Verdict.UNSIGNED, number, 428, _REASONS[Verdict.UNSIGNED], None, Trail(trail))


def _stopped(
    error: IdentityError,
    trail: list[tuple[object, ...]],
    message: ReceivedMessage,
    context: MessageContext,
    chains: ChainVerifier,
) -> Verification:
    """Conclude from a check that did not pass: the one that the trail has not reached."""
    rule = RULES[len(trail)]
    number = _credential_number(context, chains)
    reason = _ERROR_REASONS.get(error.code, rule.reason)
    if error.code == "no-anchors" and message.passport is not None:
        signing_input = split_token(message.passport).signing_input
        replay_key, anchors = sha256(signing_input).digest(), chains.anchors_fingerprint
        evidence = Evidence(context.sender_chain, message.passport, context.arrived, replay_key, anchors)
        undecided = Trail(trail, "undecided", str(error))
        return Verification(Verdict.UNDECIDED, number, None, reason, evidence, undecided)
    code = _ERROR_CODES.get(error.code, rule.code)
    return Verification(Verdict.FAILED, number, code, reason, None, Trail(trail, "failed", str(error), code))


def _credential_number(context: MessageContext, chains: ChainVerifier) -> TelephoneNumber | None:
    known = chains.known(context.sender_chain)
    if known is not None:
        return known.number
    try:
        return leaf_number(context.sender_chain[0]) if context.sender_chain else None
    except CertificateError:
        return None


def _duration(seconds: int) -> str:
    """Say a time span in its largest whole unit."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
