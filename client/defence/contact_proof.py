"""Contact requests as the service passes them on: believed for the requester's own signature and chain alone.

The signature is the RFC 9421 one of the request itself (docs/protocol.md), so that the service could neither have made
the request up nor have put another number in it.
"""

import hashlib
import re
from base64 import b64decode
from binascii import Error
from dataclasses import dataclass

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from client.errors import ContactProofError
from client.services.answers import UNREADABLE
from delivery_service.wire import (
    CONTACT_REQUEST_LIFETIME,
    SIGNATURE_FIELD_LIMIT,
    SIGNATURE_MAX_AGE,
    SIGNATURE_TAG,
    SIGNED_COMPONENTS,
    AskedContact,
    ContactRequest,
)
from identity.base64url import base64
from identity.certificates import leaf_public_point
from identity.device import DeviceVerifier
from identity.errors import IdentityError
from identity.number import TelephoneNumber
from identity.passport import ES256

PATH = "/v1/contact-requests"
CLOCK_TOLERANCE = 600  # seconds between the requester's clock and this device's

_COMPONENTS = re.escape("({})".format(" ".join(f'"{name}"' for name in SIGNED_COMPONENTS)))
_PARAMETER = r';([a-z]+)=([0-9]{1,15}|"[ !#-\[\]-~]*")'
_INPUT = re.compile(rf"([a-z*][a-z0-9_.*-]*)=({_COMPONENTS}(?:{_PARAMETER})*)")
_PARAMETERS = re.compile(_PARAMETER)
_AUTHORITY = re.compile(r"[!-~]*")


@dataclass(frozen=True, slots=True)
class ProvenRequest:
    """Who asks: the number that the chain and the signature prove. `digest` names the request, `at` is its signer's.

    `identity`: that of the device (identity.device.DeviceIdentity).
    """

    number: TelephoneNumber
    identity: bytes
    chain: tuple[bytes, ...]
    digest: bytes
    at: int


def request_digest(asked: AskedContact) -> bytes:
    """Names a request by what was signed: of one ECDSA signature, its label and the host's case there is a second."""
    _, _, covered = asked.signature_input.partition("=")
    fields = f"{asked.authority.lower()}\n{covered}".encode("utf-8", "backslashreplace")
    return hashlib.sha256(fields + b"\n" + asked.body).digest()


def prove(asked: AskedContact, verifier: DeviceVerifier, own: TelephoneNumber, now: int) -> ProvenRequest:
    """Verify a contact request to `own`. Raises ContactProofError.

    The chain must have been valid when it signed: a request may wait for longer than a certificate lasts.
    """
    chain = tuple(_request(asked, own).chain)
    if not chain:
        raise ContactProofError("it comes without a certificate")
    base, created, signature = _signed(asked)
    if not now - CONTACT_REQUEST_LIFETIME - SIGNATURE_MAX_AGE <= created <= now + CLOCK_TOLERANCE:
        raise ContactProofError("it was not signed within the time for which requests wait")
    try:
        device = verifier.verify(chain, leaf_public_point(chain[0]), created)
    except IdentityError as error:
        raise ContactProofError(f"its certificate is not accepted here: {error}") from error
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), device.chain.public_point)
    if not ES256.verify(base, key, signature):
        raise ContactProofError("it is not signed by the key in its certificate")
    return ProvenRequest(device.number, device.identity, chain, request_digest(asked), created)


def _request(asked: AskedContact, own: TelephoneNumber) -> ContactRequest:
    try:
        request = msgspec.json.decode(asked.body, type=ContactRequest)
    except UNREADABLE as error:
        raise ContactProofError("it is not a contact request") from error
    if request.number != own.e164:
        raise ContactProofError("it is for another number")
    return request


def _signed(asked: AskedContact) -> tuple[bytes, int, bytes]:
    """The signature base (RFC 9421 §2.5), when it was signed, and the signature."""
    found = None if len(asked.signature_input) > SIGNATURE_FIELD_LIMIT else _INPUT.fullmatch(asked.signature_input)
    if found is None or not _AUTHORITY.fullmatch(asked.authority):
        raise ContactProofError("its signature does not cover what it must")
    label, input_ = found[1], found[2]
    parameters: dict[str, str] = dict(_PARAMETERS.findall(input_))
    created = parameters.get("created", "")
    if parameters.get("tag") != f'"{SIGNATURE_TAG}"' or not created.isdigit():
        raise ContactProofError("its signature is for something else")
    values = (
        "POST",
        asked.authority.lower(),
        PATH,
        f"sha-256=:{base64(hashlib.sha256(asked.body).digest()).decode()}:",
    )
    lines = [f'"{name}": {value}' for name, value in zip(SIGNED_COMPONENTS, values, strict=True)]
    base = "\n".join([*lines, f'"@signature-params": {input_}'])
    return base.encode("ascii"), int(created), _octets(asked.signature, label)


def _octets(field: str, label: str) -> bytes:
    head, tail = f"{label}=:", ":"
    if not (field.startswith(head) and field.endswith(tail) and len(field) > len(head)) or not field.isascii():
        raise ContactProofError("it comes without its signature")
    try:
        return b64decode(field[len(head) : -len(tail)], validate=True)
    except (Error, ValueError) as error:
        raise ContactProofError("its signature cannot be read") from error
