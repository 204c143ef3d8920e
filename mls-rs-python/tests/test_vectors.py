"""The MLS working group's test vectors, for every suite that this build has.

Files and format: mls-implementations, test-vectors.md. They lie outside the repository; without them the tests skip.
"""

import json
from pathlib import Path

import mls_rs as mls
import pytest
from mls_people import SUITES

FOLDER = Path(__file__).parents[3] / "shared" / "vectors" / "mlswg"
# The vectors' key packages live for a year: a moment at which all of a file's leaves were valid.
WHEN = {"passive-client-welcome": 1_700_000_000, "passive-client-handling-commit": 1_720_000_000}


def cases(name: str) -> list[dict]:
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        return []
    return json.loads(path.read_text())


def passive() -> list:
    return [
        pytest.param(name, case, id=f"{name}-{number}")
        for name in WHEN
        for number, case in enumerate(cases(name))
        if case["cipher_suite"] in SUITES
    ]


def raw(case: dict, field: str) -> bytes:
    return bytes.fromhex(case[field])


def opaque(data: bytes) -> bytes:
    size = len(data)
    header = bytes([size]) if size < 1 << 6 else (1 << 14 | size).to_bytes(2, "big")
    return (header if size < 1 << 14 else (1 << 31 | size).to_bytes(4, "big")) + data


@pytest.mark.parametrize("name", [*WHEN, "messages", "deserialization"])
def test_the_vectors_are_there(name):
    found = cases(name)
    if not found:
        pytest.skip(f"0 cases: {name}.json is absent")
    run = sum(case.get("cipher_suite", 1) in SUITES for case in found)
    assert run == {"passive-client-welcome": 32, "passive-client-handling-commit": 52}.get(name, len(found))


@pytest.mark.parametrize(("name", "case"), passive())
def test_passive_client(name, case):
    now = WHEN[name]
    package = mls.import_key_package(
        raw(case, "key_package"), bytearray(raw(case, "init_priv")), bytearray(raw(case, "encryption_priv"))
    )
    ((credential, key),) = mls.inspect(package.message).proposed_credentials
    psks = {bytes.fromhex(psk["psk_id"]): bytearray.fromhex(psk["psk"]) for psk in case["external_psks"]}
    engine = mls.Engine(
        case["cipher_suite"], credential, bytearray(raw(case, "signature_priv")), mls.accept_basic, psks=psks
    )
    assert engine.signature_key == key
    tree = raw(case, "ratchet_tree") if case["ratchet_tree"] else None
    preview = engine.preview(raw(case, "welcome"), [package.secret], now, tree=tree)
    group = engine.join(raw(case, "welcome"), [package.secret], now, tree=tree)
    assert (preview.group_id, preview.epoch) == (group.group_id, group.epoch)
    assert [index for index, _, _ in preview.members] == [member.index for member in group.members()]
    assert group.epoch_authenticator() == raw(case, "initial_epoch_authenticator")
    for epoch in case["epochs"]:
        for proposal in epoch["proposals"]:
            group.process(bytes.fromhex(proposal), now)
        group.process(raw(epoch, "commit"), now)
        assert group.epoch_authenticator() == raw(epoch, "epoch_authenticator")


MESSAGES = {
    "mls_welcome": "welcome",
    "mls_group_info": "group_info",
    "mls_key_package": "key_package",
    "public_message_application": "public_message",
    "public_message_proposal": "public_message",
    "public_message_commit": "public_message",
    "private_message": "private_message",
}
HIGHEST_LEAF = 1 << 24  # mls-rs refuses leaf indices beyond it; the vectors draw them from all 32 bits
PROPOSALS = {
    "add_proposal": (1, "add"),
    "update_proposal": (2, "update"),
    "remove_proposal": (3, "remove"),
    "pre_shared_key_proposal": (4, "psk"),
    "re_init_proposal": (5, "reinit"),
    "external_init_proposal": (6, "external_init"),
    "group_context_extensions_proposal": (7, "group_context_extensions"),
}


def public_message(content_type: int, content: bytes, confirmation: bytes = b"") -> bytes:
    """A PublicMessage of member 0 in a made-up frame: signature and membership tag are empty."""
    frame = b"\0\1\0\1" + opaque(b"group") + bytes(8) + b"\1" + bytes(4) + opaque(b"")
    return frame + bytes([content_type]) + content + opaque(b"") + confirmation + opaque(b"")


def test_messages_are_read_and_cut_ones_refused():
    found = cases("messages")
    if not found:
        pytest.skip("0 cases: messages.json is absent")
    for case in found:
        for field, kind in MESSAGES.items():
            message = raw(case, field)
            assert mls.inspect(message).kind == kind
            for damaged in (message[:-1], message + b"\0"):
                with pytest.raises(mls.MalformedError):
                    mls.inspect(damaged)
        for field, (number, name) in PROPOSALS.items():
            message = public_message(2, number.to_bytes(2, "big") + raw(case, field))
            if name == "remove" and int.from_bytes(raw(case, field), "big") > HIGHEST_LEAF:
                with pytest.raises(mls.MalformedError):
                    mls.inspect(message)
                continue
            assert mls.inspect(message).proposals == (name,)
        assert mls.inspect(public_message(3, raw(case, "commit"), opaque(b""))).content == "commit"
        assert mls.tree_members(raw(case, "ratchet_tree"))


def test_vector_headers_are_read():
    found = cases("deserialization")
    if not found:
        pytest.skip("0 cases: deserialization.json is absent")
    tail = bytes(8) + b"\1" + opaque(b"") * 3
    for case in found:
        header, length = raw(case, "vlbytes_header"), case["length"]
        if length > 1 << 20:
            with pytest.raises(mls.MalformedError):
                mls.inspect(b"\0\1\0\2" + header + tail)
            continue
        assert mls.inspect(b"\0\1\0\2" + header + b"g" * length + tail).group_id == b"g" * length
