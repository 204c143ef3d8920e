"""A step that cannot be written leaves the store as it was, and usable."""

import apsw
import pytest

from identity.authority.store import AuthorityStore


def test_a_commit_that_fails_does_not_disable_the_store(tmp_path):
    store = AuthorityStore.open(tmp_path / "authority.sqlite", bytes(32))
    db = store._connection
    # A deferred constraint fails as COMMIT does on a busy file: refused, and still within its transaction.
    db.execute("CREATE TABLE a (x PRIMARY KEY); CREATE TABLE b (x REFERENCES a DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(apsw.ConstraintError), store.transaction():
        db.execute("INSERT INTO b VALUES (1)")
    with store.transaction():
        store.admit(b"bucket", 5)
    assert store.admissions(b"bucket", 0) == [5]
    store.close()


def test_a_full_disk_refuses_one_step_and_no_later_one(tmp_path):
    store = AuthorityStore.open(tmp_path / "authority.sqlite", bytes(32))
    store._connection.execute(f"PRAGMA max_page_count = {store._connection.pragma('page_count')}")
    with pytest.raises(apsw.FullError), store.transaction():
        store.admit(bytes(100_000), 5)
    store._connection.execute("PRAGMA max_page_count = 4000000")
    with store.transaction():
        store.admit(bytes(100_000), 5)
    store.close()
