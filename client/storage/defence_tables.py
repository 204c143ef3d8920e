"""The defence's tables in the store; times as in client.storage.schema."""

DEFENCE = """
CREATE TABLE admission_rules (              -- the person's own; without a row, those that this program comes with
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    toml     TEXT NOT NULL,
    saved_at INTEGER NOT NULL
) STRICT;

CREATE TABLE admission_count (              -- what each rule has hidden or dropped
    rule  TEXT NOT NULL,
    place TEXT NOT NULL,                    -- client.defence.admission.Place
    count INTEGER NOT NULL,
    last  INTEGER NOT NULL,
    PRIMARY KEY (rule, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE chat_admitted (                -- chats that others added this device to, as admission saw them then
    group_id BLOB PRIMARY KEY,
    at       INTEGER NOT NULL,
    begins   INTEGER NOT NULL,              -- when the inviter's certificate began to be valid
    issuer   TEXT NOT NULL,
    identity BLOB NOT NULL,                 -- of the inviter's device (DeviceIdentity.identity)
    why      TEXT NOT NULL,
    rule     TEXT NOT NULL                  -- the name of the rule that put it there; empty for the inbox
) STRICT, WITHOUT ROWID;

CREATE TABLE roster (                       -- the numbers in each group's epoch, so that no group is read to find them
    number   TEXT NOT NULL,                 -- +E164
    group_id BLOB NOT NULL,
    PRIMARY KEY (number, group_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX roster_group ON roster (group_id);

CREATE TABLE franking_key (                 -- the delivery service's: the first one, and those a person has agreed to
    point BLOB PRIMARY KEY,                 -- uncompressed P-256 point
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE wants_proof (                  -- chats in which a message without a proof is not shown
    group_id BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE device_key (                   -- devices of numbers, by their keys
    identity   BLOB PRIMARY KEY,            -- identity.device.DeviceIdentity.identity
    number     TEXT NOT NULL,               -- +E164
    first_seen INTEGER NOT NULL,
    met_at     INTEGER,                     -- null: seen in a chat, and no more
    how        TEXT NOT NULL DEFAULT ''     -- client.defence.continuity.How
) STRICT, WITHOUT ROWID;

CREATE INDEX device_key_number ON device_key (number, met_at);

CREATE TABLE other_key_chat (               -- direct chats with a key that the number's name does not go with
    group_id BLOB PRIMARY KEY,
    identity BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE new_key_request (              -- chats that a number of which another key was met has begun on this key
    group_id BLOB PRIMARY KEY,
    identity BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE message_key (                  -- messages by keys that the number's name did not go with
    message  INTEGER PRIMARY KEY REFERENCES message (id) ON DELETE CASCADE,
    identity BLOB NOT NULL
) STRICT;

CREATE TABLE own_certificate (              -- what this device has asked for and received
    fingerprint BLOB PRIMARY KEY            -- SHA-256 of the leaf
) STRICT, WITHOUT ROWID;

CREATE TABLE renewal_attempt (              -- renewals whose answer has not arrived
    at INTEGER NOT NULL
) STRICT;

CREATE TABLE own_opening (                  -- sessions at the delivery service, kept before each is asked for
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    seed TEXT NOT NULL,                     -- of the nonces of its attempts
    at   INTEGER NOT NULL
) STRICT;

CREATE TABLE own_key_package (              -- every one that this device has made and that can be claimed
    reference BLOB PRIMARY KEY,
    not_after INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE watch_look (                   -- when each service was last asked what it knows of this number and key
    service TEXT PRIMARY KEY,               -- client.defence.watch.Watched
    at      INTEGER,                        -- null: it has never answered
    counted INTEGER NOT NULL DEFAULT 0,     -- the last opening that was compared
    opened  INTEGER NOT NULL DEFAULT 0,     -- the last own one then
    due_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE alarm (                        -- signs that the number or the key is used elsewhere
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    kind            TEXT NOT NULL,          -- client.defence.alarms.AlarmKind
    subject         TEXT NOT NULL,          -- what it is about: raised once
    words           TEXT NOT NULL,
    happened_at     INTEGER NOT NULL,
    raised_at       INTEGER NOT NULL,
    acknowledged_at INTEGER,
    UNIQUE (kind, subject)
) STRICT;

CREATE TABLE reachable (                    -- how this number may be reached, as the service was last known to hold it
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    mode TEXT NOT NULL,                     -- delivery_service.wire.Mode
    head INTEGER NOT NULL                   -- up to where its news about contacts was read
) STRICT;

CREATE TABLE consent_told (                 -- what the service was told about numbers, while the mode is not open
    number   TEXT PRIMARY KEY,              -- +E164
    decision TEXT NOT NULL                  -- grant, block
) STRICT, WITHOUT ROWID;

CREATE TABLE consent_due (                  -- answers to requests that the service has not been told
    number   TEXT PRIMARY KEY,              -- +E164
    decision TEXT NOT NULL                  -- grant, refuse
) STRICT, WITHOUT ROWID;

CREATE TABLE asked (                        -- whom this account has asked
    number     TEXT PRIMARY KEY,            -- +E164
    at         INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    granted    INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE contact_request (              -- who asks to reach this account
    digest  BLOB PRIMARY KEY,               -- client.defence.contact_proof.request_digest
    number  TEXT NOT NULL,                  -- +E164 that it proves; empty if it proves none
    at      INTEGER NOT NULL,               -- when it was signed, or came if it proves nothing
    consent TEXT NOT NULL                   -- client.defence.admission.Consent
) STRICT, WITHOUT ROWID;

CREATE TABLE status_list (                  -- the last one of each authority that was verified
    authority  TEXT PRIMARY KEY,            -- base URL
    token      TEXT NOT NULL,
    body       BLOB NOT NULL,
    fetched_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE reported (                     -- messages that this account has reported to its authority
    message INTEGER PRIMARY KEY REFERENCES message (id) ON DELETE CASCADE,
    at      INTEGER NOT NULL,
    counted INTEGER NOT NULL                -- whether the report raised the count against the number
) STRICT;

CREATE TABLE log_entry (                    -- client.defence.log_record: what was dealt with of a log, in two epochs
    group_id BLOB NOT NULL,
    epoch    INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    kind     TEXT NOT NULL,                 -- of the entry; or 'start' of an epoch, or 'missing'
    body     BLOB NOT NULL,                 -- SHA-256 of the entry's octets
    at_ms    INTEGER NOT NULL,              -- the service's clock: its claim
    digest   BLOB NOT NULL,                 -- client.defence.witness: of the epoch's log up to here; empty: unknown
    PRIMARY KEY (group_id, epoch, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE log_seen (                     -- when the service last said that nothing more was to be read
    group_id BLOB PRIMARY KEY,
    at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE log_word (                     -- what each member device last said about the log
    group_id BLOB NOT NULL,
    device   TEXT NOT NULL,                 -- its MLS identity: +E164/HASH of the key
    added    INTEGER NOT NULL DEFAULT 0,    -- when this device saw it come in; 0: it was there before
    heard    INTEGER NOT NULL DEFAULT 0,    -- when it was last heard from; 0: never since
    epoch    INTEGER,
    seq      INTEGER,
    agrees   INTEGER,
    PRIMARY KEY (group_id, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE log_trouble (                  -- what the service was caught at
    group_id BLOB NOT NULL,
    code     TEXT NOT NULL,                 -- client.defence.lies.Lie
    about    TEXT NOT NULL DEFAULT '',      -- the member device that showed it, or the octets' SHA-256
    epoch    INTEGER NOT NULL DEFAULT 0,
    seq      INTEGER NOT NULL DEFAULT 0,    -- the first entry that it concerns
    until    INTEGER NOT NULL DEFAULT 0,    -- the last one
    count    INTEGER NOT NULL DEFAULT 1,
    noted    INTEGER NOT NULL DEFAULT 0,
    settled  INTEGER NOT NULL DEFAULT 0,    -- whether it was repaired, or a person goes on in spite of it
    PRIMARY KEY (group_id, code, about, epoch, seq)
) STRICT, WITHOUT ROWID;
"""
