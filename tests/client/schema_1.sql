-- The store's tables of version 1, as accounts of that time have them.
CREATE TABLE account (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    number      TEXT NOT NULL,              -- +E164
    signing_key BLOB NOT NULL,              -- P-256 scalar, 32 octets
    chain       BLOB NOT NULL,              -- MessagePack array of DER, leaf first
    authority   TEXT NOT NULL,              -- base URL; certificates are published below it
    delivery    TEXT NOT NULL,              -- base URL
    host        TEXT NOT NULL,              -- the delivery service's name in group URIs
    anchors     BLOB NOT NULL,              -- PEM
    inbox       INTEGER NOT NULL DEFAULT 0  -- cursor: the last Welcome that was dealt with
) STRICT;

CREATE TABLE chat (
    group_id BLOB PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE,          -- local to this device
    own_name INTEGER NOT NULL DEFAULT 0,    -- whether it was named on this device
    standing TEXT NOT NULL,                 -- client.records.chats.Standing
    epoch    INTEGER NOT NULL,
    state    BLOB NOT NULL,                 -- the engine's private state, without the tree
    tree     BLOB NOT NULL,                 -- the ratchet tree
    cursor   INTEGER NOT NULL,              -- the last sequence number that was dealt with
    read_at  INTEGER NOT NULL               -- when the log was last known to be read to its end
) STRICT;

CREATE TABLE key_package (
    reference   BLOB PRIMARY KEY,           -- KeyPackageRef (RFC 9420 §5.2)
    secret      BLOB NOT NULL,
    chain       BLOB NOT NULL,              -- the credential inside, MessagePack array of DER
    not_after   INTEGER NOT NULL,
    last_resort INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE intent (                       -- what is to be done to a group's membership or keys
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id        BLOB NOT NULL,
    body            BLOB NOT NULL,          -- client.records.intents.Intent, MessagePack
    state           TEXT NOT NULL,          -- client.records.intents.IntentState
    idempotency_key TEXT,
    epoch           INTEGER,                -- the epoch in which `request` was made
    request         BLOB,                   -- the exact octets that are posted
    secrets         BLOB                    -- the engine's pending commit
) STRICT;

CREATE UNIQUE INDEX one_request_per_group ON intent (group_id) WHERE request IS NOT NULL;

CREATE TABLE message (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id   TEXT NOT NULL,             -- hexadecimal; stable name of this row for people and scripts
    group_id     BLOB NOT NULL,
    seq          INTEGER,                   -- place in the group's log; null until the service has ordered it
    kind         TEXT NOT NULL,             -- client.records.history.Kind
    sender       TEXT NOT NULL,             -- +E164 of the MLS credential; empty for gaps and notices
    text         TEXT NOT NULL,             -- made safe for terminals
    framed       BLOB NOT NULL,             -- the octets that the PASSporT's digest covers
    passport     BLOB,
    verification TEXT,                      -- identity.binding.Verification, JSON
    context      BLOB,                      -- client.records.history.StoredContext, MessagePack
    arrived      INTEGER NOT NULL,
    at_ms        INTEGER,                   -- the service's clock: its claim
    shown        INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE UNIQUE INDEX message_seq ON message (group_id, seq) WHERE seq IS NOT NULL AND kind <> 'notice';
CREATE INDEX message_name ON message (message_id);
CREATE INDEX message_unseen ON message (id) WHERE shown = 0;

CREATE TABLE shared (                       -- chains and rosters, each kept once
    digest BLOB PRIMARY KEY,
    data   BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    message         INTEGER PRIMARY KEY REFERENCES message (id),
    group_id        BLOB NOT NULL,
    state           TEXT NOT NULL,          -- client.records.outbox.OutboxState
    idempotency_key TEXT,
    epoch           INTEGER,
    ciphertext      BLOB,                   -- the exact octets that are posted until they are answered
    seq             INTEGER,
    reason          TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX outbox_open ON outbox (group_id, message) WHERE state IN ('queued', 'sending', 'accepted');
CREATE UNIQUE INDEX outbox_key ON outbox (idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE TABLE seen_passport (                -- check 12: SHA-256 of a PASSporT's signing input
    group_id   BLOB NOT NULL,
    replay_key BLOB NOT NULL,
    arrived    INTEGER NOT NULL,
    PRIMARY KEY (group_id, replay_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE credential_since (             -- check 11: credentials that entered after this device did
    group_id    BLOB NOT NULL,
    fingerprint BLOB NOT NULL,              -- SHA-256 of the leaf certificate
    since       INTEGER NOT NULL,           -- when the group was last known without it
    PRIMARY KEY (group_id, fingerprint)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
