"""The service as external sender of its groups (RFC 9420 §12.1.8.1): its key, and the one kind of proposal it makes."""

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec
from mls_rs import Credential, Observer

from identity.certificates import public_point
from identity.errors import EvictionError
from identity.groups.eviction import EpochSender, Reason, ServiceSender, service_uri

PURPOSE = "eviction"  # the key is derived from the franking key's secret: kept with it, and the same at each replica
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256


class ExternalSender:
    """Signs removals in the name of one service; `secret` derives 32 octets for a purpose (Franking.secret)."""

    def __init__(self, host: str, secret: Callable[[str], bytes]) -> None:
        self._uri = service_uri(host)
        self._secret = secret

    @property
    def named(self) -> ServiceSender:
        """What groups name."""
        key = ec.derive_private_key(self._scalar(), ec.SECP256R1())
        return ServiceSender(self._uri, public_point(key.public_key()))

    def validate(self, credential: Credential, signature_key: bytes, now: int) -> None:
        """The engine's `validate_external`: a group names this service or nobody. Raises EvictionError."""
        if credential != Credential.basic(self._uri.encode()) or signature_key != self.named.key:
            raise EvictionError(
                "malformed-senders", "a group at this service names this service as external sender, or nobody", check=1
            )

    def is_named_by(self, group: Observer) -> bool:
        """Whether a group takes proposals of this service. Raises EvictionError if nobody can tell."""
        return EpochSender.of(group).sender == self.named

    def propose_removal(self, observer: Observer, leaf: int, reason: Reason) -> bytes:
        """A signed proposal (MLSMessage) for the observer's epoch. Raises MlsError."""
        scalar = bytearray(self._scalar().to_bytes(32))
        return observer.propose_remove(leaf, Credential.basic(self._uri.encode()), scalar, reason.encode())

    def _scalar(self) -> int:
        return 1 + int.from_bytes(self._secret(PURPOSE)) % (_ORDER - 1)
