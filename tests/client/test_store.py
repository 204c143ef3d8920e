"""The store and its key: private files, one owner, nothing readable, all or nothing."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from sqlcipher3 import dbapi2

from client.errors import (
    AccountBusyError,
    AccountError,
    PassphraseNeededError,
    StoreError,
    WrongPassphraseError,
)
from client.records.intents import IntentEvent, IntentState
from client.records.intents import transition as intent_transition
from client.records.outbox import OutboxEvent, OutboxState
from client.records.outbox import transition as outbox_transition
from client.records.search import Search
from client.storage.home import AccountLock, Home, write_private
from client.storage.keys import Argon2id, create_key, open_key
from client.storage.store import Store
from client.terminal.voices import Terminal

CHEAP = Argon2id(time_cost=1, memory_kib=64, parallelism=1)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "account")
    home.create()
    return home


class MemoryKeyring(KeyringBackend):
    """A system keyring that this process can have."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture
def system_keyring() -> MemoryKeyring:
    before, backend = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


def test_a_passphrase_opens_the_key_and_no_other_does(home: Home) -> None:
    key = create_key(home, "right", CHEAP)
    assert len(key) == 32
    assert open_key(home, "right") == key
    with pytest.raises(WrongPassphraseError):
        open_key(home, "wrong")
    with pytest.raises(PassphraseNeededError):
        open_key(home, None)


def test_a_key_file_with_weaker_parameters_opens_nothing(home: Home) -> None:
    create_key(home, "right", CHEAP)
    header = home.key_file.read_bytes().replace(b'"memory_kib":64', b'"memory_kib":32')
    write_private(home.key_file, header)
    with pytest.raises(WrongPassphraseError):
        open_key(home, "right")


def test_a_key_file_that_asks_for_all_memory_is_refused(home: Home) -> None:
    create_key(home, "right", CHEAP)
    write_private(home.key_file, home.key_file.read_bytes().replace(b'"memory_kib":64', b'"memory_kib":99999999'))
    with pytest.raises(AccountError, match="parameters"):
        open_key(home, "right")


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff\xfe", b'{"held_by":"passphrase"}'])
def test_a_damaged_key_file_is_an_account_error(home: Home, damage: bytes) -> None:
    write_private(home.key_file, damage)
    with pytest.raises(AccountError):
        open_key(home, "right")


def test_the_system_keyring_holds_the_key_where_there_is_one(home: Home, system_keyring: MemoryKeyring) -> None:
    key = create_key(home, None)
    assert open_key(home, None) == key
    assert key not in home.key_file.read_bytes()
    system_keyring.kept.clear()
    with pytest.raises(AccountError, match="keyring"):
        open_key(home, None)


def test_files_are_private_from_the_first_moment(home: Home) -> None:
    old = os.umask(0)
    try:
        store = Store.open(home.database, create_key(home, "p", CHEAP))
        with AccountLock(home):
            modes = {path.name: path.stat().st_mode & 0o777 for path in home.folder.iterdir()}
        store.close()
    finally:
        os.umask(old)
    assert set(modes.values()) == {0o600}
    assert {"store.db", "store.db-wal", "store.key", "lock"} <= modes.keys()
    assert home.folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_may_read_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    with pytest.raises(AccountError, match="chmod 700"):
        Home(folder).create()


def test_a_wrong_key_and_a_changed_octet_are_store_errors(home: Home) -> None:
    key = create_key(home, "p", CHEAP)
    Store.open(home.database, key).close()
    with pytest.raises(StoreError):
        Store.open(home.database, bytes(32))
    octets = bytearray(home.database.read_bytes())
    octets[200] ^= 1
    home.database.write_bytes(octets)
    with pytest.raises(StoreError):
        Store.open(home.database, key)


def test_an_exception_undoes_the_whole_transaction(home: Home) -> None:
    store = Store.open(home.database, create_key(home, "p", CHEAP))

    def half_done() -> None:
        with store.transaction(), store.transaction():
            store.execute("INSERT INTO shared VALUES (?, ?)", b"digest", b"data")
            raise KeyError("half way")

    with pytest.raises(KeyError):
        half_done()
    assert store.rows("SELECT * FROM shared") == []
    store.close()


def test_nothing_of_the_content_is_readable_in_the_files(home: Home) -> None:
    store = Store.open(home.database, create_key(home, "p", CHEAP))
    with store.transaction():
        store.execute("INSERT INTO shared VALUES (?, ?)", b"digest", b"a canary in plain sight")
    files = [path.read_bytes() for path in home.folder.iterdir()]
    store.close()
    files += [path.read_bytes() for path in home.folder.iterdir()]
    assert not [octets for octets in files if b"canary" in octets or b"SQLite format" in octets]


def test_one_process_owns_an_account(home: Home) -> None:
    script = f"from client.storage.home import *; AccountLock(Home(Path({str(home.folder)!r})))"
    command = [sys.executable, "-c", script]
    root = Path(__file__).parents[2]
    with AccountLock(home):
        with pytest.raises(AccountBusyError, match=str(os.getpid())):
            AccountLock(home)
        second = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        assert "AccountBusyError" in second.stderr
    assert subprocess.run(command, cwd=root, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("state", OutboxState)
@pytest.mark.parametrize("event", OutboxEvent)
def test_the_outbox_table_decides_every_pair(state: OutboxState, event: OutboxEvent) -> None:
    again = {"taken back": "queued"}
    allowed = {
        "queued": {"encrypted": "sending", "refused": "failed"},
        "sending": {"accepted": "accepted", "stale": "queued", "refused": "failed", "read back": "delivered"} | again,
        "accepted": {"accepted": "accepted", "read back": "delivered", "lost": "queued", "refused": "failed"} | again,
        "delivered": {"accepted": "delivered"} | again,
        "failed": {"retried": "queued"},
    }[state]
    if event in allowed:
        assert outbox_transition(state, event) == allowed[event]
    else:
        with pytest.raises(StoreError):
            outbox_transition(state, event)


@pytest.mark.parametrize("state", IntentState)
@pytest.mark.parametrize("event", IntentEvent)
def test_the_intent_table_decides_every_pair(state: IntentState, event: IntentEvent) -> None:
    allowed = {
        "waiting": {"requested": "requested"},
        "requested": {"accepted": "accepted", "proposed": "accepted", "lost": "waiting"},
        "accepted": {"accepted": "accepted", "proposed": "accepted", "lost": "waiting"},
    }[state]
    if event in allowed:
        assert intent_transition(state, event) == allowed[event]
    else:
        with pytest.raises(StoreError):
            intent_transition(state, event)


def test_a_key_file_that_asks_for_what_argon2_cannot_do_is_refused(home: Home) -> None:
    create_key(home, "secret", CHEAP)
    Store.open(home.database, open_key(home, "secret")).close()
    written = home.key_file.read_bytes()
    for impossible in (b'"parallelism":0', b'"parallelism":4096', b'"parallelism":4294967296'):
        home.key_file.write_bytes(written.replace(b'"parallelism":1', impossible))
        with pytest.raises(AccountError):
            open_key(home, "secret")


@pytest.mark.parametrize("octets", [b"", b"\n", b"\xff\n"])
def test_a_passphrase_file_without_a_passphrase_is_said_so(tmp_path: Path, octets: bytes) -> None:
    source = tmp_path / "passphrase"
    source.write_bytes(octets)
    with pytest.raises(PassphraseNeededError):
        Terminal(tmp_path, False, None, source).new_passphrase()


def test_an_account_of_the_first_version_is_brought_up_to_date(tmp_path) -> None:
    """The tables and columns are those of a new account, and nothing that was said is lost."""
    path, key = tmp_path / "store.db", bytes(32)
    with closing(_first_version(path, key)) as old:
        old.execute("INSERT INTO chat VALUES (x'01', 'club', 1, 'active', 3, x'aa', x'bb', 7, 8)")
        old.execute(
            "INSERT INTO message (message_id, group_id, kind, sender, text, framed, verification, arrived, shown) "
            "VALUES ('01', x'01', 'received', '+12025550142', 'at the crag', x'', '{\"verdict\": \"verified\"}', 9, 1)"
        )
    upgraded, fresh = Store.open(path, key), Store.open(tmp_path / "fresh.db", key)
    try:
        assert _shape(upgraded) == _shape(fresh)
        assert upgraded.row("SELECT name, state, tree, cursor, seen, consent FROM chat") == (
            "club", b"\xaa", b"\xbb", 7, 1, "inbox",
        )  # fmt: skip
        assert upgraded.row("SELECT text, verdict, place FROM message") == ("at the crag", "verified", "inbox")
        assert Search(upgraded).find("crag", None, 10) == [1]
    finally:
        upgraded.close()
        fresh.close()


def _first_version(path: Path, key: bytes) -> dbapi2.Connection:
    connection = dbapi2.connect(str(path), isolation_level=None)
    connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    connection.executescript((Path(__file__).parent / "schema_1.sql").read_text())
    return connection


def _shape(store: Store) -> dict[str, list[tuple[object, ...]]]:
    named = [row[0] for row in store.rows("SELECT name FROM sqlite_master ORDER BY type, name")]
    return {name: [tuple(row[1:5]) for row in store.rows(f"PRAGMA table_info({name})")] for name in named}
