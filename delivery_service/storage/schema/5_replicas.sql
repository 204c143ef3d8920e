-- What several replicas of the service on one database agree about.

-- Raised with each snapshot: a handshake is stored only if it was judged from the version that is stored.
ALTER TABLE observers ADD COLUMN version INTEGER NOT NULL DEFAULT 0;

-- Keys that all replicas have: a digest of each, so that one with another key does not start.
CREATE TABLE service_keys (
    name TEXT PRIMARY KEY,
    digest BLOB NOT NULL                -- SHA-256
) STRICT, WITHOUT ROWID;

-- Hourly limits: when the allowance of a key is whole again, by what all replicas have told so far.
CREATE TABLE allowances (
    name TEXT NOT NULL,                 -- the limit's constant in wire
    key BLOB NOT NULL,                  -- a keyed hash of the number, 16 octets
    whole_ms INTEGER NOT NULL,
    told_ms INTEGER NOT NULL,           -- when one of the replicas told last
    PRIMARY KEY (name, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX allowances_by_time ON allowances (told_ms);
