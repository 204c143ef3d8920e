"""Sessions: a bearer token that carries its own facts under a MAC, so that the hot path looks nothing up."""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from delivery_service.errors import RefusedError
from delivery_service.wire import SESSION_LIFETIME
from identity.base64url import decode_base64url, encode_base64url
from identity.binding import DeviceIdentity
from identity.certificate_fields import load_certificate

_TAG_SIZE = 32  # HMAC-SHA-256
_SCHEME = b"Bearer "
TOKEN_LIMIT = 1024  # octets
KNOWN_LIMIT = 10_000  # tokens whose MAC is remembered as good


class Session(msgspec.Struct, frozen=True, array_like=True):
    """A device that proved possession of its certificate's key; `point` is that key.

    `issuer`: see `issuer_of`; for the quota on first contacts. `certificate`: see `certificate_of`.
    """

    device: bytes
    number: str
    point: bytes
    expires_at: int
    issuer: bytes
    certificate: bytes = b""

    def key(self) -> ec.EllipticCurvePublicKey:
        """The device's key, for requests that are signed within the session."""
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), self.point)


def issuer_of(chain: Sequence[bytes]) -> bytes:
    """Names the issuer that a root vouches for: the last certificate of a verified chain; of nothing, if it is a leaf.

    The last, since an issuer may make as many below itself as it likes; and its signed part, since of one ECDSA
    signature, and with it of one certificate, anyone can make a second.
    """
    issuer = load_certificate(chain[-1]).tbs_certificate_bytes if len(chain) > 1 else b""
    return hashlib.sha256(issuer).digest()


def certificate_of(der: bytes) -> bytes:
    """Names a certificate: 16 octets of the SHA-256 of its DER."""
    return hashlib.sha256(der).digest()[:16]


_DECODER = msgspec.msgpack.Decoder(Session)


@dataclass(frozen=True, slots=True)
class Sessions:
    """Grants and checks tokens under a secret that every replica has, so that a session of one is one of all."""

    secret: Callable[[], bytes]
    _known: OrderedDict[bytes, Session] = field(default_factory=OrderedDict)
    _revoked: dict[bytes, int] = field(default_factory=dict)

    def grant(self, device: DeviceIdentity, chain: Sequence[bytes], now: int) -> tuple[str, Session]:
        """A token that ends with the certificate at the latest; `chain` was verified."""
        ends = min(now + SESSION_LIFETIME, device.chain.not_after)
        names = issuer_of(chain), certificate_of(chain[0])
        session = Session(device.identity, device.number.e164, device.chain.public_point, ends, *names)
        facts = msgspec.msgpack.encode(session)
        return encode_base64url(self._tag(facts) + facts).decode(), session

    def check(self, authorization: bytes, now: int) -> Session:
        """The session of an Authorization header; refuses session-expired."""
        session = self._known.get(authorization)
        if session is None:
            session = self._known[authorization] = self._read(authorization)
            self._make_room(now)
        if now >= session.expires_at:
            raise RefusedError("session-expired", "the session has ended: open a new one")
        if session.certificate in self._revoked:
            raise RefusedError("certificate-revoked", "the certificate of this session was revoked")
        return session

    def end(self, certificate: bytes, now: int) -> None:
        """Ends the sessions of a revoked certificate; it opens no others, so that this is remembered for as long."""
        for each in [each for each, until in self._revoked.items() if until <= now]:
            del self._revoked[each]
        self._revoked[certificate] = now + SESSION_LIFETIME

    def _make_room(self, now: int) -> None:
        """Forgets the oldest if they are too many or have ended; tokens come in about the order in which they end."""
        while self._known and (len(self._known) > KNOWN_LIMIT or now >= next(iter(self._known.values())).expires_at):
            self._known.popitem(last=False)

    def _read(self, authorization: bytes) -> Session:
        if not authorization.startswith(_SCHEME) or len(authorization) > TOKEN_LIMIT:
            raise RefusedError("session-expired", "open a session first")
        try:
            octets = decode_base64url(authorization[len(_SCHEME) :])
        except ValueError as error:
            raise RefusedError("session-expired", "the token is not one of this service's") from error
        facts = octets[_TAG_SIZE:]
        if not hmac.compare_digest(octets[:_TAG_SIZE], self._tag(facts)):
            raise RefusedError("session-expired", "the token is not one of this service's: open a new session")
        return _DECODER.decode(facts)

    def _tag(self, facts: bytes) -> bytes:
        return hmac.digest(self.secret(), facts, "sha256")
