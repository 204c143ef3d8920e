"""Writes identity.json: messages with all that a recipient knows, and the verdict that each must get.

Run: python -m tests.vectors.make_identity_vectors. Keys, serial numbers and times are fixed, ECDSA is RFC 6979: every
run writes the same file.
"""

import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from identity.binding import group_uri
from identity.certificates import TrustAnchors
from identity.number import TelephoneNumber
from identity.tn_auth_list import ServiceProviderCode, TNAuthList
from tests.identity import test_numbered_checks as breaks
from tests.identity.conftest import (
    ALICE,
    HOST,
    LEAF_FIELDS,
    NOW,
    Authority,
    Scene,
    any_certificate,
    der,
    honest_scene,
    tn_extension,
)

CAROL = TelephoneNumber.from_digits("12025550144")
VECTORS = Path(__file__).with_name("identity.json")


def untouched(scene: Scene) -> None:
    """An honest message."""


def in_a_larger_group(scene: Scene) -> None:
    scene.change_context(member_numbers=scene.context.member_numbers | {CAROL})
    scene.attest_message(peer=None)


def an_hour_late(scene: Scene) -> None:
    scene.change_context(arrived=NOW + 3_600)


def eight_days_late(scene: Scene) -> None:
    scene.change_context(arrived=NOW + 8 * 86_400)


def by_a_carriers_code(scene: Scene) -> None:
    code = TNAuthList((ServiceProviderCode("1234"),))
    issuer, key = scene.authority.issuer(code), scene.key.public_key()
    leaf = any_certificate(scene.authority.issuer_key, issuer.subject, key, (*LEAF_FIELDS, tn_extension(code)))
    scene.use_chain((der(leaf), der(issuer)))


def without_passport(scene: Scene) -> None:
    scene.change_message(passport=None)


def by_a_long_lived_certificate(scene: Scene) -> None:
    scene.use_chain(scene.authority.device_chain(scene.key, ALICE, lifetime=60 * 86_400))


def pasted_into_another_group(scene: Scene) -> None:
    other = group_uri(HOST, b"another group")
    scene.change_context(group_id=b"another group", group_uri=other)
    scene.change_message(room_uri=other)


CASES: tuple[Callable[[Scene], None], ...] = (
    untouched,
    in_a_larger_group,
    an_hour_late,
    eight_days_late,
    by_a_carriers_code,
    without_passport,
    by_a_long_lived_certificate,
    pasted_into_another_group,
    *(case for case, _, _ in breaks.BREAKS),
)


def vectors() -> dict[str, Any]:
    """The whole file as a value."""
    authority = Authority()
    return {
        "about": "Octets are base64, ids and keys hexadecimal, times Unix seconds. `seen`: replay keys known before.",
        "keys": {"root": hex(1_001), "issuer": hex(1_002), "alice": hex(1)},
        "anchors": _pem(authority.anchors),
        "cases": [_case(authority, change) for change in CASES],
    }


def _case(authority: Authority, change: Callable[[Scene], None]) -> dict[str, Any]:
    scene = honest_scene(authority)
    change(scene)
    verification = scene.verify()
    failed = verification.failed_check
    return {
        "name": change.__name__.replace("_", " "),
        "anchors": _pem(scene.chains.anchors),
        "message": _message(scene),
        "context": _context(scene),
        "seen": sorted(key.hex() for key in scene.seen),
        "verdict": verification.verdict,
        "failed_check": failed and failed.number,
        "code": verification.code,
        "number": verification.number and verification.number.digits,
    }


def _message(scene: Scene) -> dict[str, Any]:
    message = scene.message
    return {
        "passport": message.passport and message.passport.decode(),
        "framed": b64encode(message.framed).decode(),
        "sender_uri": message.sender_uri,
        "room_uri": message.room_uri,
    }


def _context(scene: Scene) -> dict[str, Any]:
    context = scene.context
    return {
        "group_uri": context.group_uri,
        "group_id": context.group_id.hex(),
        "epoch": context.epoch,
        "sender_leaf": context.sender_leaf,
        "sender_chain": [b64encode(certificate).decode() for certificate in context.sender_chain],
        "sender_key": context.sender_key.hex(),
        "own_number": context.own_number.digits,
        "member_numbers": sorted(number.digits for number in context.member_numbers),
        "arrived": context.arrived,
        "sender_since": context.sender_since,
    }


def _pem(anchors: TrustAnchors) -> str:
    return "".join(root.public_bytes(Encoding.PEM).decode() for root in anchors.roots)


def text() -> str:
    """The file's content."""
    return json.dumps(vectors(), indent=1) + "\n"


if __name__ == "__main__":
    VECTORS.write_text(text())
