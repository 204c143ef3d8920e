-- A log's tree and its entries; nothing here is ever changed, and only `head` is replaced. Times are in milliseconds.

CREATE TABLE entry (
    position   INTEGER PRIMARY KEY,
    leaf_hash  BLOB NOT NULL UNIQUE,
    digest     BLOB NOT NULL UNIQUE,  -- identity.transparency.entries.Entry.digest: what is logged once
    timestamp  INTEGER NOT NULL,
    signature  BLOB NOT NULL,         -- of the signed timestamp that was given for it
    leaf_input BLOB NOT NULL,
    extra_data BLOB NOT NULL
) STRICT;

CREATE TABLE node (                   -- the complete subtrees: identity.transparency.merkle
    level    INTEGER NOT NULL,
    position INTEGER NOT NULL,
    hash     BLOB NOT NULL,
    PRIMARY KEY (level, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE head (                   -- the last one that was signed
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    size      INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    root      BLOB NOT NULL,
    signature BLOB NOT NULL
) STRICT;
