-- The delivery service's tables. Times are seconds since the Unix epoch unless the name ends in _ms.

CREATE TABLE groups (
    number INTEGER PRIMARY KEY,
    group_id BLOB NOT NULL UNIQUE,
    epoch INTEGER NOT NULL,
    head INTEGER NOT NULL,              -- last sequence number given out
    floor INTEGER NOT NULL              -- first sequence number still kept
) STRICT;

-- One row per group, apart from `groups` because each append rewrites that row.
CREATE TABLE observers (
    group_number INTEGER PRIMARY KEY REFERENCES groups,
    snapshot BLOB NOT NULL,
    creation_key BLOB NOT NULL,         -- idempotency key and digest of the request that founded the group
    creation_digest BLOB NOT NULL
) STRICT;

-- A device may read the entries with since < seq <= until; until is NULL while it is a member.
CREATE TABLE memberships (
    group_number INTEGER NOT NULL REFERENCES groups,
    device BLOB NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,
    PRIMARY KEY (group_number, device, since)
) STRICT, WITHOUT ROWID;
CREATE INDEX memberships_by_device ON memberships (device, group_number);

-- The order of each group. Rows are inserted in order of time, so that the oldest have the lowest position.
CREATE TABLE log (
    position INTEGER PRIMARY KEY,
    group_number INTEGER NOT NULL REFERENCES groups,
    seq INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    kind INTEGER NOT NULL,              -- 0 application, 1 proposal, 2 commit
    key BLOB NOT NULL,                  -- idempotency key
    digest BLOB NOT NULL,               -- SHA-256 of the request's body
    at_ms INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX log_order ON log (group_number, seq);
CREATE UNIQUE INDEX log_keys ON log (group_number, key);
CREATE INDEX log_proposals ON log (group_number, epoch) WHERE kind = 1;

-- One stored copy of a Welcome, however many devices it names.
CREATE TABLE welcomes (
    number INTEGER PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE inbox (
    device BLOB NOT NULL,
    position INTEGER NOT NULL,
    group_id BLOB NOT NULL,
    seq INTEGER NOT NULL,               -- the commit that added the device
    at_ms INTEGER NOT NULL,
    welcome INTEGER NOT NULL REFERENCES welcomes,
    PRIMARY KEY (device, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox_by_welcome ON inbox (welcome);
CREATE INDEX inbox_by_time ON inbox (at_ms);

CREATE TABLE inbox_heads (
    device BLOB PRIMARY KEY,
    head INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A one-time key package stays without its body after it was claimed: its reference finds the device that a Welcome names,
-- and refuses the same package a second time.
CREATE TABLE key_packages (
    position INTEGER PRIMARY KEY,
    reference BLOB NOT NULL UNIQUE,
    device BLOB NOT NULL,
    number TEXT NOT NULL,
    state INTEGER NOT NULL,             -- 0 one-time, 1 claimed, 2 welcomed, 3 last resort, 4 last resort replaced
    not_after INTEGER NOT NULL,
    body BLOB
) STRICT;
CREATE INDEX key_packages_by_device ON key_packages (device, state);
CREATE INDEX key_packages_by_number ON key_packages (number, device);
CREATE INDEX key_packages_by_end ON key_packages (not_after);

CREATE TABLE nonces (
    device BLOB NOT NULL,
    nonce TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (device, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX nonces_by_end ON nonces (expires_at);
