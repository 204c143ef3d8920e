"""The MLS-STIR binding: the numbered checks on a received message, and the proof that goes with a sent one."""

from collections.abc import Callable
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec

from identity.certificates import ChainVerifier
from identity.checks import Operands, check_audience, check_context, check_replay, check_signer
from identity.device import DeviceIdentity, DeviceVerifier
from identity.message import MessageContext, ReceivedMessage, group_uri, user_uri, x5u_for
from identity.number import TelephoneNumber
from identity.passport import Header, UnverifiedPassport, message_digest, sign_passport
from identity.sequence import judge
from identity.status.revocation import NO_REVOCATIONS, Revocations
from identity.verdict import Check, Evidence, Verdict, Verification

__all__ = [
    "Check",
    "DeviceIdentity",
    "DeviceVerifier",
    "Evidence",
    "MessageContext",
    "ReceivedMessage",
    "Verdict",
    "Verification",
    "attest_message",
    "group_uri",
    "user_uri",
    "verify_message",
    "x5u_for",
]


class _InGroup(NamedTuple):  # made in a fourth of the time of a frozen dataclass, once a message
    """A message in an MLS group as a Setting of the checks: what its context knows is compared with what it says."""

    message: ReceivedMessage
    context: MessageContext
    seen: Callable[[bytes], bool]

    @property
    def sender_chain(self) -> tuple[bytes, ...]:
        return self.context.sender_chain

    @property
    def arrived(self) -> int:
        return self.context.arrived

    @property
    def sender_since(self) -> int | None:
        return self.context.sender_since

    @property
    def staple(self) -> bytes | None:
        return self.context.staple

    def check_context(self) -> Operands:
        return check_context(self.context)

    def check_signer(self, header: Header, chains: ChainVerifier) -> tuple[tuple[bytes, ...], Operands]:
        return self.context.sender_chain, check_signer(header.x5u, self.context, chains)

    def check_audience(self, passport: UnverifiedPassport) -> Operands:
        return check_audience(passport, self.context)

    def check_replay(self, passport: UnverifiedPassport) -> tuple[bytes, Operands]:
        return check_replay(passport, self.message, self.context, self.seen)


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
     7 constraints  claims that leaf and holder allow

    `seen` tells whether a replay key was received in this group before; what it raises passes through. `revocations`:
    the lists at hand. `now`: when the verdict is made, if not at arrival.
    """
    setting = _InGroup(message, context, seen)
    return judge(message.passport, message.framed, setting, chains, revocations, now=now)


def attest_message(
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
