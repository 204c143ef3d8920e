"""An exported message: its octets, its proof and what its recipient knew; anyone with the trust list can verify it."""

from typing import Literal

import msgspec

from client.errors import ChatError, ContentError
from client.formats.content import decode
from client.formats.reading import read
from client.records.history import History
from client.records.message import Message
from client.services.answers import UNREADABLE
from client.words.wording import describe
from identity.binding import MessageContext, ReceivedMessage, Verification, verify_message
from identity.certificates import ChainVerifier, TrustAnchors, leaf_public_point
from identity.errors import IdentityError
from identity.number import TelephoneNumber

PROOF_LIMIT = 1024 * 1024  # octets of a file
WITHOUT = "Only messages of others, and those of yours that were sent, carry a proof."


class ProofError(ContentError):
    """The file is no exported message."""

    code = "malformed-proof"
    hint = "Give a file that `ringtrue export` has written."
    exit_code = 4


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What only the exporter says: the signature does not cover it."""

    arrived: int
    epoch: int
    sender_leaf: int
    recipient: str
    members: list[str]
    sender_since: int | None


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="ringtrue-proof"):
    """One message with its proof; octets are base64 in JSON, numbers E.164."""

    framed: bytes
    passport: str
    chain: list[bytes]
    group: str
    group_id: bytes
    claims: Claims
    v: Literal[1] = 1


def export(history: History, message: Message) -> bytes:
    """The file for one message. Raises ChatError if it has no proof."""
    if message.passport is None:
        raise ChatError("this message came without a proof: there is nothing to export", code="no-proof", hint=WITHOUT)
    context = history.context(message)
    proof = Proof(
        framed=message.framed,
        passport=message.passport.decode("ascii", "replace"),
        chain=list(context.sender_chain),
        group=context.group_uri,
        group_id=context.group_id,
        claims=Claims(
            arrived=context.arrived,
            epoch=context.epoch,
            sender_leaf=context.sender_leaf,
            recipient=context.own_number.e164,
            members=sorted(number.e164 for number in context.member_numbers),
            sender_since=context.sender_since,
        ),
    )
    return msgspec.json.format(msgspec.json.encode(proof), indent=2) + b"\n"


def verify(file: bytes, anchors: TrustAnchors) -> tuple[Verification, str]:
    """Verify an exported message without any network: the verdict, and what the message says, safe to show.

    The time of arrival is the exporter's claim: it decides between fresh, delayed and stale, not whether the
    signature, the number, the certificate at signing time, the octets and the group are right. Raises ProofError.
    """
    proof = _parsed(file)
    try:
        content = decode(proof.framed)
        text = describe(read(content))
        sender_uri, room_uri = content.sender_uri, content.room_uri
    except ContentError as error:
        raise ProofError(f"the message inside cannot be read: {error}") from error
    message = ReceivedMessage(proof.passport.encode("ascii", "replace"), proof.framed, sender_uri, room_uri)
    return verify_message(message, _context(proof), ChainVerifier(anchors), lambda _: False), text


def _parsed(file: bytes) -> Proof:
    if len(file) > PROOF_LIMIT:
        raise ProofError(f"an exported message has at most {PROOF_LIMIT} octets")
    try:
        return msgspec.json.decode(file, type=Proof)
    except UNREADABLE as error:
        raise ProofError(f"this is not an exported message: {str(error)!a}") from error


def _context(proof: Proof) -> MessageContext:
    claims = proof.claims
    try:
        return MessageContext(
            group_uri=proof.group,
            group_id=proof.group_id,
            epoch=claims.epoch,
            sender_leaf=claims.sender_leaf,
            sender_chain=tuple(proof.chain),
            sender_key=leaf_public_point(proof.chain[0]) if proof.chain else b"",
            own_number=TelephoneNumber.from_digits(claims.recipient.removeprefix("+")),
            member_numbers=frozenset(TelephoneNumber.from_digits(each.removeprefix("+")) for each in claims.members),
            arrived=claims.arrived,
            sender_since=claims.sender_since,
        )
    except IdentityError as error:
        raise ProofError(f"the exported message is damaged: {error}") from error
