"""tests/vectors/identity.json: reproduced to the octet, and right when read as a stranger would read it."""

import json
from base64 import b64decode
from typing import Any

import pytest

from identity import ChainVerifier, MessageContext, ReceivedMessage, TelephoneNumber, TrustAnchors, verify_message
from tests.vectors.make_identity_vectors import VECTORS, text

CASES: list[dict[str, Any]] = json.loads(VECTORS.read_text())["cases"]


def test_the_file_is_what_its_script_writes() -> None:
    assert VECTORS.read_text() == text()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_each_case_gets_its_verdict(case: dict[str, Any]) -> None:
    stored, known = case["message"], case["context"]
    message = ReceivedMessage(
        stored["passport"] and stored["passport"].encode(),
        b64decode(stored["framed"]),
        stored["sender_uri"],
        stored["room_uri"],
    )
    context = MessageContext(
        group_uri=known["group_uri"],
        group_id=bytes.fromhex(known["group_id"]),
        epoch=known["epoch"],
        sender_leaf=known["sender_leaf"],
        sender_chain=tuple(b64decode(certificate) for certificate in known["sender_chain"]),
        sender_key=bytes.fromhex(known["sender_key"]),
        own_number=TelephoneNumber.from_digits(known["own_number"]),
        member_numbers=frozenset(TelephoneNumber.from_digits(digits) for digits in known["member_numbers"]),
        arrived=known["arrived"],
        sender_since=known["sender_since"],
    )
    chains = ChainVerifier(TrustAnchors.from_pem(case["anchors"].encode()))
    verification = verify_message(message, context, chains, {bytes.fromhex(key) for key in case["seen"]}.__contains__)
    failed = verification.failed_check
    assert verification.verdict == case["verdict"]
    assert (failed and failed.number) == case["failed_check"]
    assert verification.code == case["code"]
    assert (verification.number and verification.number.digits) == case["number"]
