"""The checks of `sequence.judge` that compare a token with its chain and time, and those of a message in a group.

Each takes what it compares, raises an IdentityError or returns the operands that its Rule formats.
"""

import hashlib
from collections.abc import Callable
from typing import Protocol

from identity.certificates import LATEST_TIME, ChainVerifier, VerifiedChain, leaf_key
from identity.errors import BindingError, RevocationError
from identity.message import MessageContext, ReceivedMessage, certificate_path, group_path, is_user_uri
from identity.number import TelephoneNumber
from identity.number_attributes import NumberAttributes
from identity.passport import UnverifiedPassport
from identity.passport_kinds import CALL, MESSAGE, Kind
from identity.status.ocsp import verify_response
from identity.status.revocation import CertificateStatus, Revocations, StatusState
from identity.tn_auth_list import Coverage, TNAuthList
from identity.verdict import Undecided, Verdict

CLOCK_TOLERANCE = 60  # seconds by which two clocks may differ
FRESH_LIMIT = 60  # seconds from iat to arrival (RFC 8224 §6.2.4)
DELAY_LIMIT = 7 * 86_400  # seconds: beyond it a message is stale (RFC 9475 §3.2 leaves it to policy)
SHORT_LIFETIME = 30 * 86_400  # seconds: certificates that live longer need a status (RFC 8226 §10.1)

# Python before 3.12 looks a member of an enumeration up in a tenth of a microsecond, and a message asks nine times.
_VERIFIED, _DELAYED, _STALE, _CARRIER = Verdict.VERIFIED, Verdict.DELAYED, Verdict.STALE, Verdict.CARRIER
_GOOD, _REVOKED, _UNKNOWN = StatusState.GOOD, StatusState.REVOKED, StatusState.UNKNOWN

Operands = tuple[object, ...]


class Known(Protocol):
    """What checks 11 and 13 ask of whoever received the token."""

    @property
    def arrived(self) -> int: ...
    @property
    def sender_since(self) -> int | None: ...
    @property
    def staple(self) -> bytes | None: ...


def check_context(context: MessageContext) -> Operands:
    """Check 0: what the recipient knows is complete, and its group URI is that of its group id."""
    uri = context.group_uri
    if not context.group_id or not uri.startswith("mimi://") or not uri.endswith(group_path(context.group_id)):
        raise BindingError("group-uri", "the group's URI is not that of its group id", check=0)
    if context.epoch < 0 or context.sender_leaf < 0 or not context.sender_chain or not context.sender_key:
        raise BindingError("leaf", "the sender's leaf, chain or key is not known", check=0)
    if not 0 <= context.arrived <= LATEST_TIME:
        raise BindingError("arrived", "the time of arrival is not known", check=0)
    return context.group_uri, context.epoch, context.sender_leaf


def check_signer(x5u: str, context: MessageContext, chains: ChainVerifier) -> Operands:
    """Check 4: the token names the certificate of the sender's own leaf, and that leaf holds its key; no fetch."""
    known = chains.known(context.sender_chain)
    if known is not None:
        fingerprint, point = known.fingerprint, known.public_point
    else:
        fingerprint, point = leaf_key(context.sender_chain[0])
    if not x5u.endswith(certificate_path(fingerprint)):
        raise BindingError("signer", f"x5u {x5u!a} is not the certificate {fingerprint.hex()} of the sender", check=4)
    if point != context.sender_key:
        raise BindingError("key", "the key in the sender's certificate is not the key of the sender's leaf", check=4)
    return (fingerprint.hex(),)


def check_number(passport: UnverifiedPassport, chain: VerifiedChain) -> tuple[Verdict, Operands]:
    """Check 6: orig is the credential's number, covered by the leaf's list and by every list above it."""
    if ":" in passport.orig:
        return _check_uri(passport, chain)
    number = chain.number
    if number is not None:
        if number.digits != passport.orig:
            raise BindingError("orig", f"orig {passport.orig} is not the credential's number {number.digits}", check=6)
        return _VERIFIED, (passport.orig, "the credential's only number", len(chain.bounds))
    coverage = chain.covers(TelephoneNumber.from_digits(passport.orig))
    if coverage is Coverage.NO:
        raise BindingError("coverage", f"the leaf's TNAuthList does not cover orig {passport.orig}", check=6)
    # A leaf for a code or for many numbers is a carrier's: whoever holds its key vouches for others (RFC 8226 §9).
    return _CARRIER, (passport.orig, f"vouched for {coverage.value}", len(chain.bounds))


def _check_uri(passport: UnverifiedPassport, chain: VerifiedChain) -> tuple[Verdict, Operands]:
    if passport.orig not in chain.uris:
        raise BindingError("coverage", f"the leaf's names do not hold orig {passport.orig!a}", check=6)
    return _VERIFIED, (passport.orig, "a URI of the certificate's subject", len(chain.bounds))


def check_constraints(passport: UnverifiedPassport, chain: VerifiedChain) -> Operands:
    """Check 7: at most one form of claim constraints, the claims meet them, and the number's holder allows this."""
    if chain.conflicting_constraints:
        raise BindingError("constraints", "the certificate has both forms of constraints (RFC 9118 §3)", check=7)
    if chain.constraints is not None:
        chain.constraints.check(passport.claims)
    if chain.attributes is None:
        return chain.constraints, ""
    if ":" not in passport.orig:
        check_attributes(
            passport.kind, TelephoneNumber.from_digits(passport.orig), chain.tn_auth_list, chain.attributes
        )
    return chain.constraints, f"; it says of the number: {'; '.join(chain.attributes.words())}"


def check_attributes(kind: Kind, orig: TelephoneNumber, numbers: TNAuthList | None, declared: NumberAttributes) -> None:
    """What the holder declares is of the numbers in the leaf's list alone, not of those that its codes stand for."""
    if numbers is None or numbers.covers(orig) is not Coverage.BY_NUMBER:
        return
    if declared.do_not_originate_messaging and kind is MESSAGE:
        raise BindingError("no-messages", f"the certificate says that {orig} sends no messages", check=7)
    if declared.do_not_originate and kind is CALL:
        raise BindingError("no-calls", f"the certificate says that {orig} makes no calls", check=7)
    # A provider attests with a certificate for its code; a leaf for numbers alone is the holder's own.
    codes, allowed = numbers.codes, frozenset(declared.authorized_originators)
    if allowed and codes and codes.isdisjoint(allowed):
        raise BindingError("originator", f"the certificate does not let {sorted(codes)} speak for {orig}", check=7)


def check_audience(passport: UnverifiedPassport, context: MessageContext) -> Operands:
    """Check 10: dest names this very group; numbers, where listed, are exactly the group's other numbers."""
    if passport.dest_uris != (context.group_uri,):
        raise BindingError("group", f"dest names {list(passport.dest_uris)!a}, not {context.group_uri}", check=10)
    if passport.dest_numbers:
        numbers = {number.digits for number in context.member_numbers}
        if numbers - {passport.orig} != set(passport.dest_numbers) or context.own_number.digits not in numbers:
            raise BindingError("numbers", "the numbers in dest are not the group's other numbers", check=10)
    return context.group_uri, len(passport.dest_numbers), len(context.member_numbers)


def check_time(passport: UnverifiedPassport, chain: VerifiedChain, known: Known) -> tuple[Verdict, Operands]:
    """Check 11: iat is not in the future, and not before the sender could be here; nothing but a message may be late.

    That it is within the certificates' time is what check 5 has validated: the chain, at iat.
    """
    iat, arrived, since = passport.iat, known.arrived, known.sender_since
    if iat > arrived + CLOCK_TOLERANCE:
        raise BindingError("future", f"iat {iat} is {iat - arrived} s after arrival at {arrived}", check=11)
    if since is not None and iat < since - CLOCK_TOLERANCE:
        raise BindingError("backdated", f"iat {iat} is before this credential could be here, {since}", check=11)
    if (
        passport.kind is not MESSAGE and arrived - iat > FRESH_LIMIT
    ):  # RFC 8224 §6.2.4; RFC 9475 §3.2 relaxes it for msg
        raise BindingError("stale", f"iat {iat} is {arrived - iat} s before arrival, over {FRESH_LIMIT}", check=11)
    here = "a time that is not known" if since is None else since
    return age_verdict(arrived - iat), (iat, arrived, chain.not_before, chain.not_after, here)


def age_verdict(age: int) -> Verdict:
    """Class a message by the seconds from iat to arrival."""
    if age <= FRESH_LIMIT:
        return _VERIFIED
    return _DELAYED if age <= DELAY_LIMIT else _STALE


def check_replay(
    passport: UnverifiedPassport,
    message: ReceivedMessage,
    context: MessageContext,
    seen: Callable[[bytes], bool],
) -> tuple[bytes, Operands]:
    """Check 12: the token is new in this group, and the content names the sender's number and the group.

    Keyed on the signing input: of one ECDSA signature anyone can make a second one that verifies.
    """
    if message.room_uri != context.group_uri:
        raise BindingError("room", f"the content names the room {message.room_uri!a}", check=12)
    if message.sender_uri is None or not is_user_uri(message.sender_uri, passport.orig):
        raise BindingError("sender", f"the content names the sender {message.sender_uri!a}", check=12)
    replay_key = hashlib.sha256(passport.signing_input).digest()
    if seen(replay_key):
        raise BindingError("seen", "the same token was received in this group before", check=12)
    return replay_key, (replay_key.hex(), message.sender_uri)


def check_status(
    passport: UnverifiedPassport, chain: VerifiedChain, known: Known, revocations: Revocations, now: int
) -> tuple[CertificateStatus, Operands]:
    """Check 13: the certificate was not withdrawn when the message was signed, as far as is known at hand; no fetch.

    A short-lived certificate needs no status, but a list that names it counts: where a key was lost, against whatever
    the key signed; otherwise against what is signed later. A long-lived one needs a status that covers its number.
    """
    status, why = _known_status(passport, chain, known.staple, revocations, now)
    if status.state is _REVOKED and status.withdrew(passport.iat):
        how = "its key was lost" if status.key_lost else f"that is before iat {passport.iat}"
        raise BindingError("revoked", f"the certificate was revoked at {status.revoked_at}: {how}", check=13)
    if status.state is _REVOKED:
        said = f"revoked at {status.revoked_at} ({status.reason and status.reason.value}), after iat {passport.iat}"
        return status, (chain.lifetime, SHORT_LIFETIME, said)
    if chain.lifetime <= SHORT_LIFETIME:
        said = "on no list at hand" if status.state is _GOOD else "no status is asked (RFC 8226 §10.1)"
        return status, (chain.lifetime, SHORT_LIFETIME, said)
    if status.state is _UNKNOWN:
        lives = f"certificate for {chain.lifetime} s, over {SHORT_LIFETIME}"
        return status, Undecided((f"{lives}, and no status is at hand{why}",))
    return status, (chain.lifetime, SHORT_LIFETIME, f"good, as of {status.this_update}")


def _known_status(
    passport: UnverifiedPassport, chain: VerifiedChain, staple: bytes | None, revocations: Revocations, now: int
) -> tuple[CertificateStatus, str]:
    """What lists and the stapled response say, a revocation first; with it, why the response says nothing."""
    listed = revocations.status(chain, passport.iat)
    if listed.state is _REVOKED or staple is None or len(chain.certificates) < 2:
        return listed, ""
    leaf, issuer = chain.certificates[:2]
    number = None if ":" in passport.orig else TelephoneNumber.from_digits(passport.orig)
    try:
        stapled = verify_response(staple, leaf, issuer, number, moment=passport.iat, now=now)
    except RevocationError as error:
        return listed, f": {error}"
    return listed if listed.state is stapled.state else stapled, ""
