"""What a delivery service may propose as external sender has one form, and every other octet is refused."""

from dataclasses import dataclass, field

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mls_rs import Credential, decode_external_senders, encode_external_senders, generate_signature_key

from identity.errors import EvictionError
from identity.groups.eviction import (
    EXTERNAL_SENDERS,
    IDLE_EXTENSION,
    IDLE_LEAST,
    IDLE_MOST,
    EpochSender,
    Reason,
    ServiceSender,
    decode_idle,
    encode_idle,
    reason_of,
    service_uri,
    with_sender,
)

KEY = generate_signature_key(2)[1]
SENDER = ServiceSender(service_uri("delivery.example"), KEY)
NAMED = EpochSender(SENDER)


@dataclass(frozen=True)
class Proposed:
    """What an engine shows of a proposal."""

    type: str = "remove"
    sender: object | None = None
    external: int | None = 0
    removed: object | None = "a leaf"


@dataclass(frozen=True)
class Committed:
    """What an engine shows of a commit."""

    context_extensions: tuple[tuple[int, bytes], ...]
    proposals: tuple[Proposed, ...] = field(default=())


@pytest.mark.parametrize("host", ["a.b", "delivery.example", f"{'a' * 60}.example", f"{'a' * 250}.example"])
def test_the_extension_is_that_of_rfc_9420(host: str) -> None:
    sender = ServiceSender(service_uri(host), KEY)
    assert decode_external_senders(sender.encode()) == [(Credential.basic(sender.uri.encode()), KEY)]
    assert ServiceSender.decode(sender.encode()) == sender


@given(st.binary(max_size=200) | st.binary(max_size=120).map(lambda tail: SENDER.encode()[:70] + tail))
def test_check_1_any_other_octets_name_nobody(octets: bytes) -> None:
    try:
        found = ServiceSender.decode(octets)
    except EvictionError:
        return
    assert found.encode() == octets


@pytest.mark.parametrize(
    "senders",
    [
        [],
        [(Credential.basic(b"mimi://delivery.example"), KEY)] * 2,
        [(Credential.x509([b"mimi://delivery.example"]), KEY)],
        [(Credential.basic(b"https://delivery.example"), KEY)],
        [(Credential.basic(b"mimi://delivery.example"), b"\4" + KEY[1:-1] + bytes([KEY[-1] ^ 1]))],
        [(Credential.basic(b"mimi://delivery.example"), generate_signature_key(1)[1])],
    ],
)
def test_check_1_others_than_one_service_are_refused(senders: list[tuple[Credential, bytes]]) -> None:
    with pytest.raises(EvictionError) as caught:
        EpochSender.read([(EXTERNAL_SENDERS, encode_external_senders(senders))])
    assert (caught.value.check, caught.value.code) == (1, "malformed-senders")


def test_check_1_a_context_names_its_sender_once_and_idle_members_only_beside_it() -> None:
    twice, alone = [(EXTERNAL_SENDERS, SENDER.encode())] * 2, [(IDLE_EXTENSION, encode_idle(IDLE_LEAST))]
    for extensions in (twice, alone, with_sender(alone, SENDER, IDLE_LEAST)):
        with pytest.raises(EvictionError) as caught:
            EpochSender.read(extensions)
        assert caught.value.check == 1
    assert EpochSender.read([(0xF001, b"topic")]) == EpochSender(None)
    assert EpochSender.read(with_sender([(0xF001, b"topic")], SENDER, IDLE_MOST)) == EpochSender(SENDER, IDLE_MOST)


@given(st.integers(IDLE_LEAST, IDLE_MOST))
def test_a_limit_for_idle_members_is_deterministic_cbor(seconds: int) -> None:
    assert encode_idle(seconds) == cbor2.dumps({"idle": seconds})
    assert decode_idle(encode_idle(seconds)) == seconds


@given(st.binary(max_size=20) | st.integers(0, 2**70).map(lambda seconds: cbor2.dumps({"idle": seconds})))
def test_check_1_any_other_limit_is_refused(octets: bytes) -> None:
    try:
        seconds = decode_idle(octets)
    except EvictionError:
        return
    assert IDLE_LEAST <= seconds <= IDLE_MOST
    assert encode_idle(seconds) == octets


def test_check_2_who_may_propose_never_changes() -> None:
    other = ServiceSender(SENDER.uri, generate_signature_key(2)[1])
    contexts = [with_sender((), None), with_sender((), SENDER), with_sender((), SENDER, IDLE_LEAST)]
    contexts += [with_sender((), SENDER, IDLE_MOST), with_sender((), other)]
    for before in contexts:
        for after in contexts:
            if before is after:
                EpochSender.read(before).check_commit(Committed(tuple(after)))
                continue
            with pytest.raises(EvictionError) as caught:
                EpochSender.read(before).check_commit(Committed(tuple(after)))
            assert (caught.value.check, caught.value.code) == (2, "senders-fixed")


@pytest.mark.parametrize(
    "proposed",
    [
        Proposed(type="add", removed=None),
        Proposed(type="group_context_extensions", removed=None),
        Proposed(type="psk", removed=None),
        Proposed(type="reinit", removed=None),
        Proposed(type="custom:61440", removed=None),
        Proposed(removed=None),
        Proposed(external=None),
        Proposed(external=1),
    ],
)
def test_check_3_from_outside_comes_nothing_but_the_services_removal(proposed: Proposed) -> None:
    context = tuple(with_sender((), SENDER))
    for check in (
        lambda: NAMED.check_proposal(proposed, b"lapsed"),
        lambda: NAMED.check_commit(Committed(context, (Proposed(), proposed))),
    ):
        with pytest.raises(EvictionError) as caught:
            check()
        assert (caught.value.check, caught.value.code) == (3, "not-a-removal")
    with pytest.raises(EvictionError):
        EpochSender(None).check_proposal(Proposed(), b"lapsed")


@given(st.binary(max_size=12))
def test_check_4_an_unknown_reason_is_refused(data: bytes) -> None:
    if data in (b"lapsed", b"revoked", b"idle"):
        assert reason_of(data) == Reason(data.decode())
        return
    with pytest.raises(EvictionError) as caught:
        NAMED.check_proposal(Proposed(), data)
    assert (caught.value.check, caught.value.code) == (4, "unknown-reason")


def test_what_members_propose_is_not_judged_here() -> None:
    assert NAMED.check_proposal(Proposed(type="add", sender="a member", external=None), b"anything") is None
    assert NAMED.check_proposal(Proposed(), b"idle") is Reason.IDLE
