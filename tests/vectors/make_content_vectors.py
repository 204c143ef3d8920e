"""Writes content.json: contents of this profile with their octets, digests and message ids, and one attested message.

Run: python -m tests.vectors.make_content_vectors. Salts, keys, serial numbers and times are fixed, ECDSA is RFC 6979:
every run writes the same file.
"""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from client.formats import content, framing
from client.formats.content import Content, Expiration
from client.formats.parts import ExternalPart, MultiPart, Semantics, SinglePart
from identity.binding import attest_message, group_uri, user_uri
from identity.issuing import issue_device_certificate, issuer_certificate, root_certificate
from identity.number import TelephoneNumber
from identity.passport import message_digest
from identity.tn_auth_list import TelephoneNumberRange, TNAuthList

VECTORS = Path(__file__).with_name("content.json")
NOW = 1_800_000_000
YEAR = 365 * 86_400
HOST = "example.org"
BASE_URL = "https://authority.example.org"
GROUP_ID = bytes.fromhex("7269 6e67 7472 7565 2067 726f 7570 2031")  # "ringtrue group 1"
ALICE = TelephoneNumber.from_digits("12025550142")
BOB = TelephoneNumber.from_digits("12025550143")
SENDER, ROOM = user_uri(HOST, ALICE), group_uri(HOST, GROUP_ID)


def contents() -> dict[str, Content]:
    """One content of each kind."""
    hello = content.text(SENDER, ROOM, "Watson, come here. I want to see you.")
    hello = replace(hello, salt=_salt("text"))
    first = hello.message_id
    external = ExternalPart(
        content_type="image/jpeg",
        url="https://blobs.example.org/8ksB4bSrrRE",
        size=708_234,
        key=bytes(range(16)),
        nonce=bytes(range(16, 28)),
        content_hash=hashlib.sha256(b"the encrypted photograph").digest(),
        filename="photograph.jpg",
        description="The laboratory",
        expires=NOW + YEAR,
    )
    languages = MultiPart(
        Semantics.CHOOSE_ONE,
        (
            SinglePart(content.TEXT_TYPE, b"Good morning", language="en"),
            SinglePart(content.TEXT_TYPE, "Bonjour à tous".encode(), language="fr"),
        ),
    )
    kinds = {
        "text": hello,
        "reply": content.text(SENDER, ROOM, "I am on my way.", in_reply_to=first),
        "edit": content.edit(hello, first, "Watson, come here. I need you."),
        "deletion": content.deletion(SENDER, ROOM, first),
        "reaction": content.reaction(SENDER, ROOM, "\u2764\ufe0f", first),
        "expiring": replace(hello, expires=Expiration(3_600, relative=True)),
        "attachment": content.attachment(SENDER, ROOM, external),
        "alternatives": Content(SENDER, ROOM, languages),
        "title": content.title(SENDER, ROOM, "Laboratory"),
        # Bytewise order puts 300 before -1 and both before text; RFC 7049's order would not.
        "extensions": replace(hello, extensions={"hint": b"\x01", -1: [1, 2], 300: {"a": None}}),
    }
    return {name: replace(kind, salt=_salt(name)) for name, kind in kinds.items()}


def attested(framed: bytes) -> dict[str, str]:
    """The whole application message for `framed`, as Alice's device makes it in a group of two numbers."""
    root_key, issuer_key, device_key = (ec.derive_private_key(value, ec.SECP256R1()) for value in (1, 2, 3))
    root = root_certificate(root_key, "Example Root", NOW - YEAR, 10 * YEAR, serial=1)
    numbers = TNAuthList((TelephoneNumberRange("12025550100", 100),))
    point = issuer_key.public_key()
    issuer = issuer_certificate(root_key, root, point, "Example Issuer", numbers, NOW - YEAR, 5 * YEAR, serial=2)
    device = issue_device_certificate(issuer_key, issuer, device_key.public_key(), ALICE, NOW, serial=3)
    leaf = device.public_bytes(Encoding.DER)
    passport = attest_message(
        device_key, leaf, base_url=BASE_URL, number=ALICE, group_uri=ROOM, peer=BOB, framed=framed, now=NOW
    )
    return {
        "root": root.public_bytes(Encoding.DER).hex(),
        "issuer": issuer.public_bytes(Encoding.DER).hex(),
        "device": leaf.hex(),
        "iat": str(NOW),
        "passport": passport.decode(),
        "attested": framing.wrap(passport, framed).hex(),
    }


def vectors() -> dict[str, object]:
    """Everything in the file."""
    described = {
        name: {
            "cbor": content.to_cbor(kind).hex(),
            "framed": content.encode(kind).hex(),
            "message_id": kind.message_id.hex(),
            "msgi": message_digest(content.encode(kind)),
        }
        for name, kind in contents().items()
    }
    names = {"sender_uri": SENDER, "room_uri": ROOM, "group_id": GROUP_ID.hex()}
    return {**names, "contents": described, "message": attested(content.encode(contents()["text"]))}


def _salt(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[: content.SALT_SIZE]


if __name__ == "__main__":
    VECTORS.write_text(json.dumps(vectors(), indent=1) + "\n")
