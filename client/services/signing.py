"""Requests signed with the device's key (RFC 9421), as delivery_service.wire asks for them."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver
from http_message_signatures.algorithms import ECDSA_P256_SHA256

from delivery_service.wire import SIGNATURE_TAG, SIGNED_COMPONENTS

NONCE_SIZE = 16  # octets


@dataclass(frozen=True, slots=True)
class _Signed:
    """A request as the library wants to see it: the address as text, the headers to write to."""

    method: str
    url: str
    headers: httpx.Headers


@dataclass(frozen=True, slots=True)
class RequestSigner:
    """Signs for one device; `leaf` is its certificate, DER, whose SHA-256 in hex is the `keyid`."""

    key: ec.EllipticCurvePrivateKey
    leaf: bytes

    def sign(self, request: httpx.Request, now: float, nonce: str | None = None) -> None:
        """Add Content-Digest, Signature-Input and Signature to a request whose body is in memory.

        `nonce` is for whoever has to know it beforehand; without it a fresh one is drawn.
        """
        key_id = hashlib.sha256(self.leaf).hexdigest()
        resolver = MappingKeyResolver(public_keys={}, private_keys={key_id: self.key})
        HTTPMessageSigner(signature_algorithm=ECDSA_P256_SHA256, key_resolver=resolver).sign(
            _Signed(request.method, str(request.url), request.headers),
            key_id=key_id,
            created=datetime.fromtimestamp(now, UTC),
            nonce=secrets.token_urlsafe(NONCE_SIZE) if nonce is None else nonce,
            label="device",
            tag=SIGNATURE_TAG,
            covered_component_ids=SIGNED_COMPONENTS,
            body=request.content,
        )
