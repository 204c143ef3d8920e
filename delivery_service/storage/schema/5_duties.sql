-- What the service looks after by itself: revoked certificates, used last-resort key packages, members to be evicted.

CREATE TABLE revocation_lists (
    issuer BLOB PRIMARY KEY,            -- identity.status.revocation.issuer_name
    certificate BLOB NOT NULL,          -- the issuer's, DER
    list BLOB NOT NULL,                 -- the last one that was verified, DER
    fetched_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- From an entry of such a list to the devices whose certificate it ends: one row for each certificate in a device's path.
CREATE TABLE certificate_paths (
    issuer BLOB NOT NULL,
    serial BLOB NOT NULL,               -- big-endian, without leading zeros
    certificate BLOB NOT NULL,          -- the device's: 16 octets of the SHA-256 of its DER
    device BLOB NOT NULL,
    not_after INTEGER NOT NULL,
    PRIMARY KEY (issuer, serial, certificate)
) STRICT, WITHOUT ROWID;
CREATE INDEX certificate_paths_by_end ON certificate_paths (not_after);

ALTER TABLE key_packages ADD COLUMN stored_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE key_packages ADD COLUMN handed_out INTEGER NOT NULL DEFAULT 0;  -- a last-resort package: how often

-- When a group is to be looked at next; one without a row is due.
CREATE TABLE group_duties (
    group_number INTEGER PRIMARY KEY REFERENCES groups,
    due_at INTEGER NOT NULL
) STRICT;
CREATE INDEX group_duties_by_time ON group_duties (due_at);

-- When a device was last here, to the day; only where the service evicts idle members.
CREATE TABLE last_seen (
    device BLOB PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
