"""The numbered checks of docs/binding.md, each switched off by itself where `identity.sequence.judge` calls it."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from identity import binding, sequence
from identity.base64url import decode_base64url
from identity.certificates import ChainVerifier, VerifiedChain
from identity.message import MessageContext, ReceivedMessage
from identity.passport import Header, Token, UnverifiedPassport
from identity.passport_kinds import MESSAGE
from identity.status import ocsp
from identity.status.revocation import UNKNOWN, CertificateStatus, Revocations
from identity.verdict import Verdict
from lab.attacks.outcome import check
from lab.credulous import as_stated
from lab.seams.seam import Seam, exchanging, instead

OFF = "not compared"
OF_GROUPS = (4, 10, 12)  # checks that compare with a group: the binding's own


def _split(token: bytes, *_: object) -> Token:
    """Any JSON, as Python reads it: of two members with one name, the last."""
    header, claims, signature = token.split(b".")
    signed = token.rpartition(b".")[0]
    return Token(_decoded(header), _decoded(claims), signed, decode_base64url(signature))


def _decoded(part: bytes) -> dict[str, object]:
    members: dict[str, object] = json.loads(decode_base64url(part))
    return members


def _header(header: Mapping[str, object], *_: object) -> Header:
    return Header(MESSAGE, str(header["x5u"]))


def _claims(octets: bytes, token: Token, header: Header, *_: object) -> UnverifiedPassport:
    """Any types, made to fit."""
    claims: Mapping[str, Any] = token.unverified_claims
    dest, orig, iat = claims["dest"], str(claims["orig"]["tn"]), int(claims["iat"])
    numbers, uris = tuple(dest.get("tn", ())), tuple(dest.get("uri", ()))
    signed, signature = token.signing_input, token.signature
    return UnverifiedPassport(
        octets, signed, signature, header.x5u, orig, numbers, uris, iat, str(claims["msgi"]), claims
    )


def _signer(x5u: str, context: MessageContext, chains: ChainVerifier) -> tuple[object, ...]:
    return (f"{hashlib.sha256(context.sender_chain[0]).hexdigest()}, {OFF}",)


def _chain(self: ChainVerifier, chain: tuple[bytes, ...], now: int) -> VerifiedChain:
    return as_stated(chain)


def _number(passport: UnverifiedPassport, chain: VerifiedChain) -> tuple[Verdict, tuple[object, ...]]:
    return Verdict.VERIFIED, (passport.orig, OFF, len(chain.bounds))


def _constraints(passport: UnverifiedPassport, chain: VerifiedChain) -> tuple[object, ...]:
    return OFF, ""


def _audience(passport: UnverifiedPassport, context: MessageContext) -> tuple[object, ...]:
    return OFF, len(passport.dest_numbers), len(context.member_numbers)


def _time(
    passport: UnverifiedPassport, chain: VerifiedChain, context: MessageContext
) -> tuple[Verdict, tuple[object, ...]]:
    since = context.sender_since
    return Verdict.VERIFIED, (passport.iat, context.arrived, chain.not_before, chain.not_after, since)


def _replay(
    passport: UnverifiedPassport, message: ReceivedMessage, context: MessageContext, seen: Callable[[bytes], bool]
) -> tuple[bytes, tuple[object, ...]]:
    replay_key = hashlib.sha256(passport.signing_input).digest()
    return replay_key, (f"{replay_key.hex()}, {OFF}", OFF)


def _status(
    passport: UnverifiedPassport, chain: VerifiedChain, context: MessageContext, revocations: Revocations, now: int
) -> tuple[CertificateStatus, tuple[object, ...]]:
    return UNKNOWN, (chain.lifetime, OFF, OFF)


def _pass(*_: object) -> None:
    """Raise nothing."""


def _of(number: int, name: str, passing: object) -> Seam:
    return exchanging(check(number), instead(binding if number in OF_GROUPS else sequence, name, passing))


BOUNDS = _of(1, "split_token", _split)
HEADER = _of(2, "check_header", _header)
CLAIMS = _of(3, "read_claims", _claims)
SIGNER = _of(4, "check_signer", _signer)
CHAIN = exchanging(check(5), instead(ChainVerifier, "verify", _chain))
NUMBER = _of(6, "check_number", _number)
CONSTRAINTS = _of(7, "check_constraints", _constraints)
SIGNATURE = _of(8, "verify_signature", _pass)
CONTENT = _of(9, "check_digest", _pass)
AUDIENCE = _of(10, "check_audience", _audience)
TIME = _of(11, "check_time", _time)
REPLAY = _of(12, "check_replay", _replay)
STATUS = _of(13, "check_status", _status)
KEY_LOSS = exchanging(check(13), instead(CertificateStatus, "key_lost", property(lambda _: False)))
STAPLED = exchanging(check(13), instead(ocsp, "_check_about", _pass))
