"""Signed requests (RFC 9421): what a signature must cover, and when it is too old or was used before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    InvalidSignature,
)
from http_message_signatures.algorithms import ECDSA_P256_SHA256
from starlette.requests import Request

from delivery_service.errors import RefusedError
from delivery_service.wire import SIGNATURE_MAX_AGE, SIGNATURE_TAG, SIGNED_COMPONENTS

NONCE_LENGTHS = range(16, 129)  # characters


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as its signature sees it."""

    method: str
    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _OneKey(HTTPSignatureKeyResolver):
    """The key comes from the verified chain or the session, whatever `keyid` says."""

    key: ec.EllipticCurvePublicKey

    def resolve_public_key(self, key_id: str) -> ec.EllipticCurvePublicKey:
        return self.key


class _VerifierAt(HTTPMessageVerifier):
    """The library's verifier with the service's clock in place of the machine's."""

    def __init__(self, key: ec.EllipticCurvePublicKey, now: int) -> None:
        super().__init__(signature_algorithm=ECDSA_P256_SHA256, key_resolver=_OneKey(key))
        self._now = now

    def validate_created_and_expires(self, sig_input: Any, max_age: timedelta | None = None) -> None:
        created = sig_input.params.get("created")
        if not isinstance(created, int) or abs(self._now - created) > SIGNATURE_MAX_AGE:
            raise InvalidSignature(f"it must be created within {SIGNATURE_MAX_AGE} seconds of the service's clock")
        expires = sig_input.params.get("expires", self._now)
        if not isinstance(expires, int) or expires < self._now:
            raise InvalidSignature("it has expired")


def signed_request(request: Request) -> SignedRequest:
    """The parts of a request that a signature covers, the path as it was sent."""
    path = request.scope.get("raw_path", b"").decode("latin-1")
    return SignedRequest(
        request.method, f"{request.url.scheme}://{request.headers.get('host', '')}{path}", request.headers
    )


def check_authority(authority: str, host: str, server: tuple[str, int] | None) -> None:
    """A signature for another service is worth nothing here: `authority` must name this one or its own socket."""
    try:
        named = urlsplit(f"//{authority}")
        name, port = named.hostname, named.port
    except ValueError as error:
        raise RefusedError("invalid-signature", "the Host header names no host") from error
    if authority != named.netloc or "@" in authority:
        name = None  # the rest would move the path that the signature covers
    if name == host.lower():
        return
    if name is None or server is None or port != server[1] or name not in _own_names(server[0]):
        raise RefusedError("invalid-signature", f"the request was made for {authority!a}, this service is {host}")


def _own_names(address: str) -> tuple[str, ...]:
    try:
        loopback = ip_address(address).is_loopback
    except ValueError:
        loopback = False
    return (address, "localhost") if loopback else (address,)


def verify(request: SignedRequest, body: bytes, key: ec.EllipticCurvePublicKey, now: int) -> tuple[str, int]:
    """The nonce of a good signature, and the second until which it must be remembered; refuses invalid-signature."""
    try:
        (result,) = _VerifierAt(key, now).verify(
            request, expect_tag=SIGNATURE_TAG, require_components=SIGNED_COMPONENTS, body=body
        )
    except (HTTPMessageSignaturesException, ValueError) as error:
        raise RefusedError("invalid-signature", f"the signature was not accepted: {error}") from error
    nonce = result.nonce
    if nonce is None or len(nonce) not in NONCE_LENGTHS:
        raise RefusedError(
            "invalid-signature", f"a signature needs a nonce of {NONCE_LENGTHS[0]} to {NONCE_LENGTHS[-1]} characters"
        )
    return nonce, int(result.parameters["created"]) + SIGNATURE_MAX_AGE
