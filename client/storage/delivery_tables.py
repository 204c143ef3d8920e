"""What the client keeps about its dealings with the delivery service: the newest part of the schema."""

DELIVERY = """
CREATE TABLE service_facts (                -- what the service said of itself last
    number    INTEGER PRIMARY KEY CHECK (number = 1),
    retention INTEGER NOT NULL,             -- seconds that it keeps entries
    key       BLOB,                         -- by which it evicts (ServiceSender); NULL: it does not
    idle      INTEGER NOT NULL,             -- seconds after which it counts a member as idle; 0: never
    heard_at  INTEGER NOT NULL
);
CREATE TABLE eviction (                     -- what the service has proposed
    reference BLOB PRIMARY KEY,             -- ProposalRef
    group_id  BLOB NOT NULL,
    reason    TEXT NOT NULL,                -- identity.groups.eviction.Reason
    at        INTEGER NOT NULL              -- the time by which it is judged
);
CREATE TABLE early_refresh (                -- chats that were joined by a last-resort key package
    group_id BLOB PRIMARY KEY
);
CREATE TABLE upload (
    id           INTEGER PRIMARY KEY,
    group_id     BLOB NOT NULL,             -- the chat that the file is for
    caption      TEXT NOT NULL,
    filename     TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size         INTEGER NOT NULL,          -- octets of the file, before encryption
    key          BLOB NOT NULL,
    nonce        BLOB NOT NULL,
    digest       BLOB NOT NULL,             -- SHA-256 of the ciphertext: its name at the service
    spool        TEXT NOT NULL,             -- the file with the ciphertext, in client.transfers.spool
    place        TEXT NOT NULL DEFAULT '',  -- the upload's name at the service, once it is known
    began        INTEGER NOT NULL
);
CREATE TABLE download (
    digest BLOB PRIMARY KEY,                -- the blob's name at the service
    spool  TEXT NOT NULL,                   -- the file with what has come of it
    began  INTEGER NOT NULL
);
CREATE TABLE blob_due (                     -- blobs of messages that were taken back, to be deleted at the service
    digest BLOB PRIMARY KEY
);
CREATE TABLE earlier_epoch (                -- a group as it was before a commit that may still be taken back
    group_id BLOB PRIMARY KEY,
    seq      INTEGER NOT NULL,              -- of the commit, or of the first of several by one device
    epoch    INTEGER NOT NULL,              -- the one that it ended
    standing TEXT NOT NULL,                 -- client.records.chats.Standing before it; empty where it added this device
    first_ms INTEGER NOT NULL,              -- the service's time of it
    kept     INTEGER NOT NULL,
    facts    BLOB NOT NULL,                 -- client.steps.rollback.Facts, MessagePack
    state    BLOB NOT NULL,
    tree     BLOB NOT NULL
) STRICT;

CREATE TABLE rejected_commit (              -- a commit that this device cannot apply
    group_id  BLOB PRIMARY KEY,
    seq       INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,             -- the one that it ends, in which this device stays
    digest    BLOB NOT NULL,                -- SHA-256 of its MLSMessage
    committer TEXT NOT NULL,                -- +E164; empty if it is not known
    reported  INTEGER NOT NULL DEFAULT 0    -- whether the service has counted the report
) STRICT, WITHOUT ROWID;

CREATE TABLE group_ending (                 -- chats that have ended by the word of somebody who may end them
    group_id  BLOB PRIMARY KEY,
    successor BLOB NOT NULL,                -- the group that takes the chat's place; empty if none does
    device    BLOB NOT NULL                 -- MLS identity of who has signed it
) STRICT, WITHOUT ROWID;

CREATE TABLE joined_by (                    -- the device that added this one to a chat
    group_id BLOB PRIMARY KEY,
    device   BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE ending_due (                   -- what this device wants ended, until it is done
    group_id  BLOB PRIMARY KEY,
    successor BLOB NOT NULL,
    announced INTEGER NOT NULL,             -- whether the service has ended the group so
    numbers   TEXT NOT NULL,                -- JSON: who is to be in the successor, +E164
    admins    TEXT NOT NULL                 -- JSON: its admins; null if it has no roles
) STRICT, WITHOUT ROWID;
"""
