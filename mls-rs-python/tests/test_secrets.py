"""Secrets enter in buffers that are wiped, and appear in no text."""

import contextlib

import mls_rs as mls
import pytest
from mls_people import NOW, Person, gathered


def test_private_keys_are_wiped_in_the_caller_s_buffer():
    for suite in (1, 2, 3, 7):
        secret, public = mls.generate_signature_key(suite)
        copy = bytearray(secret)
        psk = bytearray(b"k" * 32)
        credential = mls.Credential.basic(b"a")
        engine = mls.Engine(suite, credential, secret, mls.accept_basic, psks={b"id": psk})
        assert engine.signature_key == public
        assert not any(secret)
        assert not any(psk)
        assert engine.rotate(credential, copy).signature_key == public
        assert not any(copy)


def test_imported_keys_are_wiped():
    package = Person("a").offer()
    keys = bytearray(b"k" * 32), bytearray(b"k" * 32)
    mls.import_key_package(package, *keys)
    assert not any(keys[0] + keys[1])


def test_a_bad_key_is_refused_without_being_shown():
    for suite, size in ((1, 31), (2, 33), (7, 1)):
        with pytest.raises(mls.MalformedError) as caught:
            mls.Engine(suite, mls.Credential.basic(b"a"), bytearray(b"k" * size), mls.accept_basic)
        assert "kkk" not in repr(caught.value)


def shown(value) -> str:
    """Everything that repr, str and the attributes that are not meant to hold secrets say."""
    return repr(value) + str(value) + f"{value!a}"


def test_nothing_shows_a_secret():
    alice, bob = gathered("alice", "bob", psks={})
    texts, secrets = [], [alice.seed, bob.seed]
    for person in (alice, bob):
        secrets += [person.state, person.package.secret] if person.package else [person.state]
        secrets += [person.group.epoch_authenticator(), bytes(person.group.export(b"l", b"c", 32))]
        texts += [shown(person.engine), shown(person.group), shown(person.group.delta()), shown(person.package)]
    pending = alice.group.commit(NOW, path=True)
    secrets.append(pending.secrets)
    texts += [shown(pending), shown(bob.group.process(pending.commit, NOW))]
    alice.group.apply(pending.secrets)
    sealed = alice.group.encrypt(b"the plain text of the message")
    texts.append(shown(bob.group.process(sealed, NOW)))
    secrets.append(b"the plain text of the message")
    for attempt in (
        lambda: bob.group.process(sealed, NOW),
        lambda: alice.engine.load(alice.state[:-1], alice.tree),
        lambda: alice.group.apply(pending.secrets[:-1]),
        lambda: alice.group.apply(pending.secrets),
        lambda: bob.engine.join(pending.commit, [bob.package.secret], NOW),
    ):
        with pytest.raises(mls.MlsError) as caught:
            attempt()
        texts += [shown(caught.value), shown(caught.value.args), caught.value.code]
    text = "".join(texts)
    for secret in secrets:
        for start in range(0, len(secret) - 8, 8):
            window = secret[start : start + 8]
            assert window.hex() not in text
            assert repr(window)[2:-1] not in text or not any(window)
            with contextlib.suppress(UnicodeDecodeError):
                assert window.decode() not in text or not any(window)
