"""Proposals from outside a group, made octet by octet (RFC 9420 §6.1, §12.1): what a dishonest sender could sign."""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

ADD, UPDATE, REMOVE, PSK, REINIT, EXTERNAL_INIT, CONTEXT = range(1, 8)  # RFC 9420 §17.4
EXTERNAL, NEW_MEMBER_PROPOSAL = 2, 3  # sender types


def opaque(octets: bytes) -> bytes:
    """A vector of variable size (RFC 9420 §2.1.2)."""
    size = len(octets)
    if size < 64:
        return bytes([size]) + octets
    return ((0x4000 | size).to_bytes(2) if size < 16_384 else (0x80000000 | size).to_bytes(4)) + octets


def removal(leaf: int) -> bytes:
    """A Remove proposal."""
    return REMOVE.to_bytes(2) + leaf.to_bytes(4)


def addition(key_package: bytes) -> bytes:
    """An Add of the key package in an MLSMessage."""
    return ADD.to_bytes(2) + key_package[4:]


def context(*extensions: tuple[int, bytes]) -> bytes:
    """A GroupContextExtensions proposal."""
    return CONTEXT.to_bytes(2) + opaque(b"".join(kind.to_bytes(2) + opaque(content) for kind, content in extensions))


def external_psk(name: bytes) -> bytes:
    """A PreSharedKey proposal for an external key."""
    return PSK.to_bytes(2) + b"\x01" + opaque(name) + opaque(bytes(32))


def reinit(group_id: bytes) -> bytes:
    """A ReInit proposal into another group of the same kind."""
    return REINIT.to_bytes(2) + opaque(group_id) + b"\0\x01" + b"\0\x02" + opaque(b"")


def external_proposal(
    key: ec.EllipticCurvePrivateKey,
    group_id: bytes,
    epoch: int,
    proposal: bytes,
    data: bytes = b"lapsed",
    *,
    sender: bytes = bytes([EXTERNAL]) + bytes(4),
) -> bytes:
    """A PublicMessage with this proposal, signed by the key; `data` is its authenticated_data."""
    content = opaque(group_id) + epoch.to_bytes(8) + sender + opaque(data) + b"\x02" + proposal
    framed = b"\0\x01" + b"\0\x01" + content  # mls10, mls_public_message
    signed = opaque(b"MLS 1.0 FramedContentTBS") + opaque(framed)
    return framed + opaque(key.sign(signed, ec.ECDSA(hashes.SHA256())))
