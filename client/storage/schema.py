"""The store's tables. Times are seconds since the Unix epoch by the device's own clock unless a name ends in `_ms`."""

from client.storage.credential_tables import CREDENTIALS
from client.storage.defence_tables import DEFENCE
from client.storage.delivery_tables import DELIVERY

SCHEMA_VERSION = 5

# Large values come last: a list of all chats must not read through them.
CHAT = """
CREATE TABLE chat (
    group_id BLOB PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE,          -- local to this device
    own_name INTEGER NOT NULL DEFAULT 0,    -- whether it was named on this device
    standing TEXT NOT NULL,                 -- client.records.chats.Standing
    epoch    INTEGER NOT NULL,
    cursor   INTEGER NOT NULL,              -- the last sequence number that was dealt with
    read_at  INTEGER NOT NULL,              -- when the log was last known to be read to its end
    consent  TEXT NOT NULL DEFAULT 'inbox', -- client.defence.admission.Consent
    inviter  TEXT NOT NULL DEFAULT '',      -- +E164 of who added this device
    members  INTEGER NOT NULL DEFAULT 1,    -- numbers in the group's epoch, so that a list needs no group
    direct   TEXT NOT NULL DEFAULT '',      -- +E164 of the other, in a chat of two numbers without roles
    roles    INTEGER NOT NULL DEFAULT 0,    -- whether only admins may change who is in it
    seen     INTEGER NOT NULL DEFAULT 0,    -- the last row of the history that a person has seen
    pinned   INTEGER NOT NULL DEFAULT 0,
    archived INTEGER NOT NULL DEFAULT 0,
    muted    INTEGER NOT NULL DEFAULT 0,    -- no alerts until then
    timer    INTEGER NOT NULL DEFAULT 0,    -- seconds after which new messages disappear
    draft    TEXT NOT NULL DEFAULT '',
    state    BLOB NOT NULL,                 -- the engine's private state, without the tree
    tree     BLOB NOT NULL                  -- the ratchet tree
) STRICT;
"""

TABLES = """
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
    arrived      INTEGER NOT NULL,
    at_ms        INTEGER,                   -- the service's clock: its claim
    shown        INTEGER NOT NULL DEFAULT 0,
    verdict      TEXT NOT NULL DEFAULT '',  -- identity.binding.Verdict, for lists
    place        TEXT NOT NULL DEFAULT 'inbox', -- client.defence.admission.Place
    why          TEXT NOT NULL DEFAULT '',  -- the rule that put it there
    in_reply_to  TEXT NOT NULL DEFAULT '',  -- the message id that it answers or reacts to
    replaces     TEXT NOT NULL DEFAULT '',  -- the message id that it edits or takes back
    latest       TEXT,                      -- what an edit says in the place of `text`
    withdrawn    INTEGER NOT NULL DEFAULT 0,
    mention      INTEGER NOT NULL DEFAULT 0,
    hidden       INTEGER NOT NULL DEFAULT 0, -- invisible characters that were taken out
    attached     INTEGER NOT NULL DEFAULT 0, -- whether `framed` offers a file
    saved        TEXT NOT NULL DEFAULT '',  -- where that file was saved
    lives_for    INTEGER NOT NULL DEFAULT 0, -- seconds from being seen until it disappears
    ends_at      INTEGER,                   -- when it disappears
    rule         TEXT NOT NULL DEFAULT '',  -- the name of the admission rule that put it there
    frank        TEXT NOT NULL DEFAULT 'absent' -- client.defence.admission.Frank
) STRICT;

CREATE TABLE proof (                        -- what a message came with, apart from what lists read
    message      INTEGER PRIMARY KEY REFERENCES message (id),
    framed       BLOB NOT NULL,             -- the octets that the PASSporT's digest covers
    passport     BLOB,
    verification TEXT,                      -- identity.binding.Verification, JSON, without what stands beside it
    context      BLOB,                      -- client.records.history.StoredContext, MessagePack
    franked      BLOB                       -- the service's frank, where it fits (identity.reports.franking)
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
"""

# What came after version 1: indexes over its new columns, and two tables.
INDEXES = """
CREATE INDEX message_listed ON message (group_id, id, kind, withdrawn, mention) WHERE place = 'inbox';
CREATE INDEX chat_seen ON chat (consent, group_id, seen);
CREATE INDEX message_apart ON message (place, id) WHERE place IN ('request', 'quarantine');
CREATE INDEX message_replacing ON message (replaces) WHERE replaces <> '';
CREATE INDEX message_reacting ON message (in_reply_to) WHERE kind = 'reaction';
CREATE INDEX message_ending ON message (ends_at) WHERE ends_at IS NOT NULL;

CREATE VIRTUAL TABLE found USING fts5 (     -- the texts of the inbox by their row, for finding any part of a word
    text, content = '', contentless_delete = 1, tokenize = "trigram remove_diacritics 1"
);
INSERT INTO found (found, rank) VALUES ('secure-delete', 1); -- what disappears, disappears from here too

CREATE TABLE contact (                      -- whom this account knows, and what it calls them; nobody else learns of it
    number   TEXT PRIMARY KEY,              -- +E164
    name     TEXT NOT NULL DEFAULT '',
    accepted INTEGER NOT NULL DEFAULT 0,
    blocked  INTEGER NOT NULL DEFAULT 0,
    dropped  INTEGER NOT NULL DEFAULT 0     -- requests declined unseen while blocked
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_failed ON outbox (group_id) WHERE state = 'failed';
"""

_MESSAGE_OF_3 = """
ALTER TABLE message ADD COLUMN rule TEXT NOT NULL DEFAULT '';
ALTER TABLE message ADD COLUMN frank TEXT NOT NULL DEFAULT 'absent';
ALTER TABLE proof ADD COLUMN franked BLOB;
"""

SCHEMA = CHAT + TABLES + INDEXES + DEFENCE + CREDENTIALS + DELIVERY

# From each earlier version to the next (UPGRADES); a test compares the result with SCHEMA.
_CHAT_OF_2 = f"""
ALTER TABLE chat RENAME TO chat_1;
{CHAT}
INSERT INTO chat (group_id, name, own_name, standing, epoch, state, tree, cursor, read_at, seen)
    SELECT group_id, name, own_name, standing, epoch, state, tree, cursor, read_at,
        coalesce((SELECT max(id) FROM message WHERE group_id = chat_1.group_id AND shown = 1), 0) FROM chat_1;
DROP TABLE chat_1;
"""  # noqa: S608 - constants

_MESSAGE_OF_2 = """
ALTER TABLE message ADD COLUMN verdict TEXT NOT NULL DEFAULT '';
ALTER TABLE message ADD COLUMN place TEXT NOT NULL DEFAULT 'inbox';
ALTER TABLE message ADD COLUMN why TEXT NOT NULL DEFAULT '';
ALTER TABLE message ADD COLUMN in_reply_to TEXT NOT NULL DEFAULT '';
ALTER TABLE message ADD COLUMN replaces TEXT NOT NULL DEFAULT '';
ALTER TABLE message ADD COLUMN latest TEXT;
ALTER TABLE message ADD COLUMN withdrawn INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN mention INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN attached INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN saved TEXT NOT NULL DEFAULT '';
ALTER TABLE message ADD COLUMN lives_for INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN ends_at INTEGER;
UPDATE message SET verdict = coalesce(json_extract(verification, '$.verdict'), '');
CREATE TABLE proof (
    message      INTEGER PRIMARY KEY REFERENCES message (id),
    framed       BLOB NOT NULL,
    passport     BLOB,
    verification TEXT,
    context      BLOB
) STRICT;
INSERT INTO proof SELECT id, framed, passport, verification, context FROM message WHERE message_id <> '';
ALTER TABLE message DROP COLUMN framed;
ALTER TABLE message DROP COLUMN passport;
ALTER TABLE message DROP COLUMN verification;
ALTER TABLE message DROP COLUMN context;
"""

_FILLED_IN_2 = """
INSERT INTO found (rowid, text) SELECT id, text FROM message WHERE kind IN ('received', 'sent') AND text <> '';
"""

UPGRADES = {
    1: _CHAT_OF_2 + _MESSAGE_OF_2 + INDEXES + _FILLED_IN_2,
    2: _MESSAGE_OF_3 + DEFENCE,
    3: CREDENTIALS,
    4: DELIVERY,
}
