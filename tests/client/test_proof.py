"""An exported message verifies offline, and not any more once anything that is signed has changed."""

import json
from base64 import b64decode, b64encode
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.errors import ChatError
from client.proof import ProofError, export, verify
from client.terminal.rendering import tell_exported
from client.terminal.voices import Terminal
from identity.binding import Verdict
from identity.certificates import TrustAnchors
from identity.number import TelephoneNumber

ALICE, BOB = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3))


@pytest.fixture
async def exported(world, stack: AsyncExitStack) -> tuple[bytes, TrustAnchors]:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("proof", [BOB])
    await alice.send(chat.group_id, "I said this")
    message = (await bob.receive())[-1].message
    history = bob.steps.history
    found = await bob.worker.run(history.find, message.message_id[:10])
    file = await bob.worker.run(export, history, found)
    return file, TrustAnchors.from_pem(bob.account.anchors)


async def test_an_exported_message_verifies_offline(exported: tuple[bytes, TrustAnchors]) -> None:
    verification, text = verify(*exported)
    assert (verification.verdict, verification.number, text) == (Verdict.VERIFIED, ALICE, "I said this")


async def test_an_own_message_can_be_exported_too(world, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("proof", [BOB])
    message = await alice.send(chat.group_id, "mine")
    file = await alice.worker.run(export, alice.steps.history, message)
    verification, _ = verify(file, TrustAnchors.from_pem(bob.account.anchors))
    assert (verification.verdict, verification.number) == (Verdict.VERIFIED, ALICE)
    with pytest.raises(ChatError):
        await alice.worker.run(alice.steps.history.find, "ffffffff")


@pytest.mark.parametrize("field", ["framed", "passport", "group_id"])
async def test_a_changed_octet_fails(exported: tuple[bytes, TrustAnchors], field: str) -> None:
    file, anchors = exported
    proof = json.loads(file)
    value = proof[field].encode() if field == "passport" else b64decode(proof[field])
    accepted = []
    for position in range(len(value)):
        changed = value[:position] + bytes((value[position] ^ 1,)) + value[position + 1 :]
        proof[field] = changed.decode("latin-1") if field == "passport" else b64encode(changed).decode()
        try:
            verdict = verify(json.dumps(proof).encode(), anchors)[0].verdict
        except ProofError:
            continue
        if verdict is not Verdict.FAILED:
            accepted.append(position)
    assert accepted == []


async def test_another_certificate_or_group_fails(exported: tuple[bytes, TrustAnchors]) -> None:
    file, anchors = exported
    proof = json.loads(file)
    elsewhere = {**proof, "group": "mimi://delivery.test/g/AAAA", "group_id": "AAAA"}
    assert verify(json.dumps(elsewhere).encode(), anchors)[0].verdict is Verdict.FAILED
    swapped = {**proof, "chain": proof["chain"][1:]}
    assert verify(json.dumps(swapped).encode(), anchors)[0].verdict is Verdict.FAILED


async def test_without_a_matching_root_it_is_not_verified(exported: tuple[bytes, TrustAnchors]) -> None:
    assert verify(exported[0], TrustAnchors(()))[0].verdict is Verdict.UNDECIDED


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_octets_are_refused_as_no_proof(octets: bytes) -> None:
    with pytest.raises(ProofError):
        verify(octets, TrustAnchors(()))


@pytest.mark.parametrize("octets", [b'{"type":"ringtrue-proof","passport":"\xff"}', b'{"type":' + b"[" * 100_000])
def test_octets_that_no_decoder_can_take_are_refused_as_no_proof(octets: bytes) -> None:
    with pytest.raises(ProofError):
        verify(octets, TrustAnchors(()))


async def test_an_own_message_that_waited_for_the_network_verifies_too(world, stack: AsyncExitStack) -> None:
    alice, bob = await world.people(stack, ALICE, BOB)
    chat = await alice.create_chat("proof", [BOB])
    world.network.down.add("delivery.test")
    await alice.send(chat.group_id, "first")
    message = await alice.send(chat.group_id, "queued")
    world.network.down.clear()
    world.clock.now += 3600
    await alice.receive()
    message = await alice.worker.run(alice.steps.history.get, message.id)
    file = await alice.worker.run(export, alice.steps.history, message)
    assert verify(file, TrustAnchors.from_pem(bob.account.anchors))[0].verdict is Verdict.VERIFIED


async def test_what_was_signed_is_told_with_the_verdict(
    exported: tuple[bytes, TrustAnchors], capsys: pytest.CaptureFixture[str]
) -> None:
    file, anchors = exported
    tell_exported(Terminal(Path(), True, None, None), *verify(file, anchors))
    told = json.loads(capsys.readouterr().out)
    assert told["signed"] == "2026-11-18T11:06:40Z"
    assert told["group"] == json.loads(file)["group"]
    tell_exported(Terminal(Path(), True, None, None), *verify(file, TrustAnchors(())))
    assert "signed" not in json.loads(capsys.readouterr().out)
