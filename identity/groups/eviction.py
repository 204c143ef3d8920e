"""Eviction: what a delivery service may propose as a group's external sender (RFC 9420 §12.1.8.1), and nothing else.

Members and the service judge by the same functions, which import no MLS engine. Whether a reason holds, each member
finds out by itself: by the leaf's certificate, by its own lists of revocations, by the group's own policy.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, Self

from cryptography.hazmat.primitives.asymmetric import ec

from identity.certificate_fields import load_certificate, validity
from identity.device import MEMBER_GRACE
from identity.errors import EvictionError
from identity.status.revocation import Revocations, StatusState, issuer_name

EXTERNAL_SENDERS = 5  # the GroupContext extension (RFC 9420 §17.3)
IDLE_EXTENSION = 0xF102  # a GroupContext extension, private use: members may be proposed for being idle
IDLE_LEAST, IDLE_MOST = 30 * 86_400, 400 * 86_400  # seconds that a group may name
POINT_SIZE = 65  # octets: an uncompressed point of P-256
URI_LIMIT = 300  # octets of the service's URI

_KEY_LENGTH = b"\x40\x41"  # RFC 9420 §2.1.2: 65, in two octets
_BASIC = b"\0\x01"  # the credential type (RFC 9420 §17.5)
_IDLE_HEAD = b"\xa1\x64idle\x1a"  # RFC 8949: a map of the text "idle" to a number of four octets

Extensions = Iterable[tuple[int, bytes]]


class Reason(StrEnum):
    """Why somebody is to be removed; stands in the proposal's authenticated_data."""

    LAPSED = "lapsed"
    REVOKED = "revoked"
    IDLE = "idle"


class Finding(StrEnum):
    """Whether a reason holds, as far as this verifier can tell."""

    HOLDS = "holds"
    UNDECIDED = "undecided"
    FALSE = "false"


class Credential(Protocol):
    """An X.509 credential as the MLS engine shows it."""

    @property
    def chain(self) -> Sequence[bytes]: ...


class Leaf(Protocol):
    """A member."""

    @property
    def credential(self) -> Credential: ...


class Proposed(Protocol):
    """A proposal; `external` is which of the external senders it is by, None if it is by none of them."""

    @property
    def type(self) -> str: ...
    @property
    def sender(self) -> object | None: ...
    @property
    def external(self) -> int | None: ...
    @property
    def removed(self) -> object | None: ...


class Committed(Protocol):
    """A commit; the context extensions are those after it."""

    @property
    def proposals(self) -> Sequence[Proposed]: ...
    @property
    def context_extensions(self) -> Extensions: ...


class Group(Protocol):
    """A group in an epoch."""

    def context_extensions(self) -> Extensions: ...


@dataclass(frozen=True, slots=True)
class ServiceSender:
    """A delivery service as external sender: `uri` is `mimi://HOST`, `key` an uncompressed point of P-256."""

    uri: str
    key: bytes

    def encode(self) -> bytes:
        """The extension's content: one sender, with a basic credential."""
        uri = self.uri.encode("ascii")
        sender = _KEY_LENGTH + self.key + _BASIC + _length(len(uri)) + uri
        return _length(len(sender)) + sender

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """The inverse of `encode`. Raises EvictionError for any other octets (rule 1)."""
        _, found, rest = content.partition(_KEY_LENGTH)
        key, after = rest[:POINT_SIZE], rest[POINT_SIZE:]
        place = after.find(b"mimi://")
        if not found or place < 0:
            raise EvictionError("malformed-senders", "the group names somebody who is no delivery service", check=1)
        try:
            sender = cls(after[place:].decode("ascii"), key)
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
        except ValueError as error:
            raise EvictionError("malformed-senders", "the service's key or name cannot be read", check=1) from error
        # A sender has one encoding, so whatever is found in other octets does not encode to them.
        if len(sender.uri) > URI_LIMIT or len(key) != POINT_SIZE or sender.encode() != content:
            raise EvictionError("malformed-senders", "the group names its sender in another form", check=1)
        return sender


def service_uri(host: str) -> str:
    """The URI of a delivery service."""
    return f"mimi://{host}"


def encode_idle(seconds: int) -> bytes:
    """The content of IDLE_EXTENSION: {"idle": seconds} in CBOR, of four octets. Raises EvictionError."""
    if not IDLE_LEAST <= seconds <= IDLE_MOST:
        days = f"{IDLE_LEAST // 86_400} to {IDLE_MOST // 86_400}"
        raise EvictionError("malformed-senders", f"a group's limit for idle members is {days} days", check=1)
    return _IDLE_HEAD + seconds.to_bytes(4)


def decode_idle(content: bytes) -> int:
    """The inverse of `encode_idle`. Raises EvictionError (rule 1)."""
    seconds = int.from_bytes(content.removeprefix(_IDLE_HEAD))
    if not content.startswith(_IDLE_HEAD) or len(content) != len(_IDLE_HEAD) + 4 or encode_idle(seconds) != content:
        raise EvictionError("malformed-senders", "the group's limit for idle members cannot be read", check=1)
    return seconds


def with_sender(
    extensions: Extensions, sender: ServiceSender | None, idle: int | None = None
) -> list[tuple[int, bytes]]:
    """GroupContext extensions that name this sender and, if the group wants it, when a member is idle."""
    if sender is None:
        return list(extensions)
    named = [(EXTERNAL_SENDERS, sender.encode())]
    return [*extensions, *named, *([(IDLE_EXTENSION, encode_idle(idle))] if idle is not None else [])]


def reason_of(authenticated_data: bytes) -> Reason:
    """Rule 4. Raises EvictionError."""
    try:
        return Reason(authenticated_data.decode("ascii"))
    except ValueError as error:
        raise EvictionError("unknown-reason", "the service gives no reason that is known", check=4) from error


@dataclass(frozen=True, slots=True)
class EpochSender:
    """What an epoch says of its external sender, noted before it ends; `idle`: seconds, None if nobody is idle.

    | # | code              | rule                                                                              |
    |---|-------------------|-----------------------------------------------------------------------------------|
    | 1 | malformed-senders | external_senders, where present, names one delivery service in the one form; a    |
    |   |                   | limit for idle members stands only beside it                                      |
    | 2 | senders-fixed     | a group has both from its first epoch on, or never, and neither changes           |
    | 3 | not-a-removal     | what comes from outside the group is a Remove of a member by this sender          |
    | 4 | unknown-reason    | its authenticated_data is `lapsed`, `revoked` or `idle`                           |
    | 5 | reason-false      | the reason holds (`EpochSender.judge`)                                            |
    """

    sender: ServiceSender | None
    idle: int | None = None

    @classmethod
    def of(cls, group: Group) -> Self:
        """What the group's current epoch says. Raises EvictionError."""
        return cls.read(group.context_extensions())

    @classmethod
    def read(cls, extensions: Extensions) -> Self:
        """What a GroupContext says: rule 1. Raises EvictionError."""
        kept = [(kind, content) for kind, content in extensions if kind in (EXTERNAL_SENDERS, IDLE_EXTENSION)]
        senders = [content for kind, content in kept if kind == EXTERNAL_SENDERS]
        limits = [content for kind, content in kept if kind == IDLE_EXTENSION]
        if len(senders) > 1 or len(limits) > len(senders):
            raise EvictionError("malformed-senders", "the group's context does not name one sender once", check=1)
        sender = ServiceSender.decode(senders[0]) if senders else None
        return cls(sender, decode_idle(limits[0]) if limits else None)

    def check_proposal(self, proposed: Proposed, authenticated_data: bytes) -> Reason | None:
        """Rules 3 and 4; None for what a member proposes. Raises EvictionError."""
        if proposed.sender is not None:
            return None
        self.check_removal(proposed)
        return reason_of(authenticated_data)

    def check_removal(self, proposed: Proposed) -> None:
        """Rule 3, for a proposal that no member has made. Raises EvictionError."""
        if self.sender is None or not is_eviction(proposed):
            raise EvictionError("not-a-removal", "from outside comes nothing but a removal by the service", check=3)

    def check_commit(self, commit: Committed) -> None:
        """Rules 1, 2 and 3. Raises EvictionError."""
        if EpochSender.read(commit.context_extensions) != self:
            raise EvictionError("senders-fixed", "who may propose from outside never changes in a group", check=2)
        for proposed in commit.proposals:
            if proposed.sender is None:
                self.check_removal(proposed)

    def judge(self, reason: Reason, leaf: Leaf, revocations: Revocations, at: int) -> Finding:
        """Rule 5, for a proposal of the time `at`. Raises CertificateError for a chain that cannot be read.

        lapsed: a certificate of the leaf's chain ended more than MEMBER_GRACE before. revoked: a list names one of
        it; a later list that does not speaks against it while the certificate lasts, and an older one decides
        nothing. idle: the group's context says that idle members may be proposed; the service counts how long.
        """
        chain = leaf.credential.chain
        match reason:
            case Reason.LAPSED:
                return Finding.HOLDS if at > chain_end(chain) + MEMBER_GRACE else Finding.FALSE
            case Reason.REVOKED:
                return _judge_revoked(chain, revocations, at)
            case Reason.IDLE:
                return Finding.FALSE if self.idle is None else Finding.HOLDS


def is_eviction(proposed: Proposed) -> bool:
    """Whether a proposal is a Remove of a member by the one external sender."""
    return (
        proposed.sender is None
        and proposed.external == 0
        and proposed.type == "remove"
        and proposed.removed is not None
    )


def chain_end(chain: Sequence[bytes]) -> int:
    """When the first certificate of a chain (DER) ends. Raises CertificateError."""
    return min(validity(load_certificate(each))[1] for each in chain)


def _judge_revoked(chain: Sequence[bytes], revocations: Revocations, at: int) -> Finding:
    if revocations.of_path(chain, at).state is StatusState.REVOKED:
        return Finding.HOLDS
    known = revocations.of_issuer(issuer_name(chain[1])) if len(chain) > 1 else None
    if known is None or known.this_update <= at or known.this_update > chain_end(chain):
        return Finding.UNDECIDED
    return Finding.FALSE


def _length(size: int) -> bytes:
    """RFC 9420 §2.1.2."""
    return bytes([size]) if size < 64 else (0x4000 | size).to_bytes(2)
