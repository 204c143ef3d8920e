"""Errors inside mls-rs are not atomic: an object that met one refuses to be used until it is loaded again."""

import hashlib
import hmac

import mls_rs as mls
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from mls_people import NOW, Person, gathered

TAG = 32  # suite 1: HMAC-SHA256
OPAQUE_TAG = 1 + TAG
OPAQUE_SIGNATURE = 2 + 64


def opaque(data: bytes) -> bytes:
    size = len(data)
    return (bytes([size]) if size < 64 else (1 << 14 | size).to_bytes(2, "big")) + data


def take_opaque(data: bytes) -> tuple[bytes, bytes]:
    width = 1 << (data[0] >> 6)
    size = int.from_bytes(data[:width], "big") & ((1 << (8 * width - 2)) - 1)
    return data[: width + size], data[width + size :]


def group_context(group_info: bytes) -> bytes:
    """The GroupContext at the start of a GroupInfo message (RFC 9420 §8.1, §12.4.3)."""
    body = group_info[4:]
    context, rest = body[:4], body[4:]
    group_id, rest = take_opaque(rest)
    context += group_id + rest[:8]
    rest = rest[8:]
    for _ in range(3):
        field, rest = take_opaque(rest)
        context += field
    return context


def membership_tag(key: bytes, framed: bytes, context: bytes, authenticated: bytes) -> bytes:
    """HMAC over AuthenticatedContentTBM (RFC 9420 §6.2)."""
    return hmac.digest(key, framed + context + authenticated, hashlib.sha256)


def membership_key(member: Person, message: bytes, framed: bytes, context: bytes) -> bytes:
    """The key lies somewhere in the member's own state: it is the one that made the message's tag."""
    authenticated = message[len(framed) : -OPAQUE_TAG]
    windows = (member.state[start : start + TAG] for start in range(len(member.state) - TAG))
    (key,) = {key for key in windows if membership_tag(key, framed, context, authenticated) == message[-TAG:]}
    return key


def with_wrong_confirmation_tag(member: Person, commit: bytes) -> bytes:
    """What a malicious member sends: a signed commit with a wrong confirmation tag and a right membership tag.

    The signature does not cover the confirmation tag (RFC 9420 §6.1).
    """
    framed = commit[: -2 * OPAQUE_TAG - OPAQUE_SIGNATURE]
    context = group_context(member.group.group_info())
    key = membership_key(member, commit, framed, context)
    forged = commit[: -OPAQUE_TAG - 1] + bytes([commit[-OPAQUE_TAG - 1] ^ 1])
    return forged + opaque(membership_tag(key, framed, context, forged[len(framed) :]))


def with_other_proposal(member: Person, message: bytes, old: bytes, new: bytes) -> bytes:
    """A proposal message with another proposal inside, signed and tagged by its sender."""
    framed = message[: -OPAQUE_TAG - OPAQUE_SIGNATURE]
    context = group_context(member.group.group_info())
    key = membership_key(member, message, framed, context)
    forged = framed.removesuffix(old) + new
    signed = opaque(b"MLS 1.0 FramedContentTBS") + opaque(forged + context)
    signature = opaque(Ed25519PrivateKey.from_private_bytes(member.seed).sign(signed))
    return forged + signature + opaque(membership_tag(key, forged, context, signature))


@pytest.mark.parametrize("path", [True, False])
def test_a_commit_with_a_wrong_confirmation_tag_poisons_and_a_reload_recovers(path):
    alice, bob, carol = gathered("alice", "bob", "carol")
    before = alice.standing()
    add = [] if path else [Person("dave").offer()]
    pending = bob.group.commit(NOW, path=path, add=add)
    forged = with_wrong_confirmation_tag(bob, pending.commit)
    assert forged != pending.commit
    assert len(forged) == len(pending.commit)
    with pytest.raises(mls.InvalidConfirmationError):
        alice.group.process(forged, NOW)
    assert alice.group.poisoned
    for use in (
        lambda: alice.group.epoch,
        lambda: alice.group.encrypt(b"x"),
        lambda: alice.group.process(pending.commit, NOW),
        alice.group.members,
        alice.group.delta,
        alice.group.forget_proposals,
    ):
        with pytest.raises(mls.PoisonedError):
            use()
    alice.reload()
    assert alice.standing() == before
    alice.group.process(pending.commit, NOW)
    carol.group.process(pending.commit, NOW)
    bob.group.apply(pending.secrets)
    assert alice.standing() == bob.standing() == carol.standing()


def test_a_commit_with_a_broken_membership_tag_is_refused():
    alice, bob = gathered("alice", "bob")
    commit = bob.group.commit(NOW, path=True).commit
    with pytest.raises(mls.InvalidSignatureError):
        alice.group.process(commit[:-1] + bytes([commit[-1] ^ 1]), NOW)
    assert alice.group.poisoned


def test_harmless_errors_do_not_poison():
    alice, bob = gathered("alice", "bob")
    with pytest.raises(mls.MalformedError):
        alice.group.process(b"\0\1\0\2garbage", NOW)
    with pytest.raises(mls.MalformedError):
        alice.group.commit(NOW, add=[b"no key package"])
    with pytest.raises(mls.MalformedError):
        alice.group.apply(b"no pending commit")
    with pytest.raises(mls.OwnMessageError):
        alice.group.process(alice.group.commit(NOW, path=True).commit, NOW)
    for look in (lambda: alice.group.member(7), lambda: alice.group.ack(7)):
        with pytest.raises(mls.MlsError):
            look()
        alice.reload() if alice.group.poisoned else None
    assert bob.group.process(alice.group.encrypt(b"x"), NOW).data == b"x"


@pytest.mark.parametrize(
    "attempt",
    [
        lambda group: group.commit(NOW, remove=[9]),
        lambda group: group.commit(NOW, psks=[b"unknown"]),
        lambda group: group.commit(NOW, resumption_psks=[99]),
        lambda group: group.propose_remove(9),
        lambda group: group.process(Person("x").offer(), NOW),
    ],
)
def test_every_other_error_poisons(attempt):
    alice, _ = gathered("alice", "bob")
    with pytest.raises(mls.MlsError):
        attempt(alice.group)
    assert alice.group.poisoned


def test_removing_oneself_by_value_is_an_invalid_proposal():
    alice, _ = gathered("alice", "bob")
    with pytest.raises(mls.InvalidProposalError) as caught:
        alice.group.commit(NOW, remove=[0])
    assert caught.value.code == "committer_self_removal"


@pytest.mark.parametrize(("extension", "refused"), [(b"\0", False), (b"\x05", True)])
def test_a_malformed_extension_inside_a_proposal_poisons(extension, refused):
    """mls-rs has cached such a proposal before its content is looked at, so the error is not a harmless one."""
    alice, bob = gathered("alice", "bob")
    proposal = bob.group.propose_context_extensions([])
    listed = opaque(b"\0\5" + opaque(extension))
    forged = with_other_proposal(bob, proposal, b"\0\7\0", b"\0\7" + listed)
    if not refused:
        assert alice.group.process(forged, NOW).type == "group_context_extensions"
        return
    with pytest.raises(mls.InvalidProposalError):
        alice.group.process(forged, NOW)
    assert alice.group.poisoned
