"""The store's key: 32 random bytes, wrapped under a passphrase by Argon2id, or held in the operating system's keyring.

The key never changes while the store lives, so a new passphrase rewrites one small file and not the store. The
file's header is clear text and authenticated: whoever weakens its parameters makes the key unreadable, nothing else.
"""

import base64
import os
from typing import Literal

import msgspec
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from client.errors import AccountError, NotEnrolledError, PassphraseNeededError, WrongPassphraseError
from client.storage.home import Home, write_private

KEY_SIZE = 32
KEYRING_SERVICE = "ringtrue"
MEMORY_LIMIT_KIB = 4 * 1024 * 1024  # a key file asking for more is refused rather than tried
TIME_LIMIT = 100  # passes, likewise


class Argon2id(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The cost of one guess (RFC 9106 §4, second recommended choice); memory in KiB."""

    time_cost: int = 3
    memory_kib: int = 64 * 1024
    parallelism: int = 4


class PassphraseKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="held_by", tag="passphrase"):
    """A key wrapped with AES-256-GCM under Argon2id(passphrase, salt)."""

    salt: bytes
    nonce: bytes
    wrapped: bytes
    argon2id: Argon2id
    v: Literal[1] = 1


class KeyringKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="held_by", tag="keyring"):
    """A key that the operating system's keyring keeps under this name."""

    name: str
    v: Literal[1] = 1


def keyring_available() -> bool:
    """Whether the operating system offers a keyring; `keyring` itself answers with a backend that always fails."""
    import keyring  # looks through every installed package; an account with a passphrase opens without it
    from keyring.backends import fail

    return not isinstance(keyring.get_keyring(), fail.Keyring)


def create_key(home: Home, passphrase: str | None, cost: Argon2id | None = None) -> bytes:
    """Make the store's key and keep it: under the passphrase if one is given, else in the keyring.

    Raises PassphraseNeededError if there is neither.
    """
    key = os.urandom(KEY_SIZE)
    if passphrase is not None:
        _keep(home, wrap(key, passphrase, cost or Argon2id()))
    elif keyring_available():
        _keep(home, _into_keyring(key))
    else:
        raise PassphraseNeededError(
            "this system has no keyring: choose a passphrase at the prompt, or give it with --passphrase-fd or "
            "RINGTRUE_PASSPHRASE_FILE"
        )
    return key


def needs_passphrase(home: Home) -> bool:
    """Whether the store's key is wrapped under a passphrase. Raises AccountError if there is no readable key file."""
    return isinstance(_read(home), PassphraseKey)


def open_key(home: Home, passphrase: str | None) -> bytes:
    """Fetch the store's key. Raises PassphraseNeededError, WrongPassphraseError, AccountError."""
    held = _read(home)
    if isinstance(held, KeyringKey):
        return _from_keyring(held)
    if passphrase is None:
        raise PassphraseNeededError(
            "the account is protected by a passphrase: give it at the prompt, with --passphrase-fd or in the file "
            "that RINGTRUE_PASSPHRASE_FILE names"
        )
    return unwrap(held, passphrase)


def wrap(key: bytes, passphrase: str, cost: Argon2id) -> PassphraseKey:
    """Wrap `key` under a passphrase."""
    salt, nonce = os.urandom(16), os.urandom(12)
    wrapped = AESGCM(_derive(passphrase, salt, cost)).encrypt(nonce, key, _header(salt, cost))
    return PassphraseKey(salt, nonce, wrapped, cost)


def unwrap(held: PassphraseKey, passphrase: str) -> bytes:
    """Unwrap the key. Raises WrongPassphraseError, also for a file that was tampered with."""
    cost = held.argon2id
    possible = 1 <= cost.parallelism <= cost.memory_kib // 8 and cost.memory_kib <= MEMORY_LIMIT_KIB
    if not (possible and 1 <= cost.time_cost <= TIME_LIMIT and len(held.nonce) == 12 and len(held.salt) >= 8):
        raise AccountError("the key file asks for parameters that no version of this program writes")
    try:
        return AESGCM(_derive(passphrase, held.salt, cost)).decrypt(held.nonce, held.wrapped, _header(held.salt, cost))
    except InvalidTag as error:
        raise WrongPassphraseError("the passphrase does not open this account") from error


def _derive(passphrase: str, salt: bytes, cost: Argon2id) -> bytes:
    return hash_secret_raw(
        passphrase.encode("utf-8"), salt, cost.time_cost, cost.memory_kib, cost.parallelism, KEY_SIZE, Type.ID
    )


def _header(salt: bytes, cost: Argon2id) -> bytes:
    return b"ringtrue store key 1\n" + salt + msgspec.json.encode(cost)


def _keep(home: Home, held: PassphraseKey | KeyringKey) -> None:
    write_private(home.key_file, msgspec.json.encode(held) + b"\n")


def _read(home: Home) -> PassphraseKey | KeyringKey:
    try:
        return msgspec.json.decode(home.key_file.read_bytes(), type=PassphraseKey | KeyringKey)
    except FileNotFoundError as error:
        if not home.database.exists():
            raise NotEnrolledError(f"there is no account in {home.folder}") from error
        raise AccountError(f"{home.key_file} is missing: the account's store cannot be opened without it") from error
    except (msgspec.DecodeError, OSError) as error:
        raise AccountError(f"{home.key_file} cannot be read as a key file") from error


def _into_keyring(key: bytes) -> KeyringKey:
    import keyring
    import keyring.errors

    held = KeyringKey(f"store-{os.urandom(8).hex()}")
    try:
        keyring.set_password(KEYRING_SERVICE, held.name, base64.b64encode(key).decode("ascii"))
    except keyring.errors.KeyringError as error:
        raise AccountError("the system's keyring cannot be used now; give a passphrase instead") from error
    return held


def _from_keyring(held: KeyringKey) -> bytes:
    import keyring
    import keyring.errors

    try:
        kept = keyring.get_password(KEYRING_SERVICE, held.name)
    except keyring.errors.KeyringError as error:
        raise AccountError("the system's keyring, which holds the account's key, cannot be opened now") from error
    if kept is None:
        raise AccountError(f"the system's keyring no longer has the account's key ({KEYRING_SERVICE}, {held.name})")
    return base64.b64decode(kept)
