"""The tables of credentials in the store; times as in client.storage.schema."""

CREDENTIALS = """
CREATE TABLE acme_account (                 -- at the authority that certifies this device (RFC 8555 §7.1.2)
    id              INTEGER PRIMARY KEY CHECK (id = 1),
    directory       TEXT NOT NULL,          -- URL
    token_authority TEXT NOT NULL,          -- base URL; '' is the one that the authority names
    url             TEXT NOT NULL,          -- the account's name there; '' before it is known
    published       TEXT NOT NULL,          -- base URL of certificates; '' is the authority's own
    accepts_terms   INTEGER NOT NULL,
    signing_key     BLOB NOT NULL           -- P-256 scalar, 32 octets; never the certified key
) STRICT;

CREATE TABLE enrolling_keys (               -- from before a code is used until there is an account; P-256 scalars
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    device  BLOB NOT NULL,
    account BLOB NOT NULL                   -- of the account at the certification authority
) STRICT;

CREATE TABLE own_leaf (                     -- this device's certificate in each group (client.credentials.renewal)
    group_id    BLOB PRIMARY KEY,
    fingerprint BLOB NOT NULL,              -- SHA-256 of the leaf certificate
    not_before  INTEGER NOT NULL,
    not_after   INTEGER NOT NULL,
    used        INTEGER NOT NULL            -- when this device last sent something there
) STRICT, WITHOUT ROWID;

CREATE TABLE renewal_refusal (              -- the authority's refusals to renew, since it last did
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    failures INTEGER NOT NULL,
    due_at   INTEGER NOT NULL               -- when it is asked again
) STRICT;

CREATE TABLE trust_anchor (                 -- client.credentials.trust
    fingerprint BLOB PRIMARY KEY,           -- SHA-256 of the certificate
    certificate BLOB NOT NULL,              -- DER
    imported    INTEGER NOT NULL,           -- 0: it came with the enrolment
    added_at    INTEGER
) STRICT;

CREATE TABLE trust_pin (                    -- below a root with pins only these issuers count
    root        BLOB NOT NULL,              -- SHA-256 of its key (SPKI)
    issuer      BLOB NOT NULL,              -- as well
    certificate BLOB NOT NULL,              -- DER, as a person saw it
    added_at    INTEGER NOT NULL,
    PRIMARY KEY (root, issuer)
) STRICT, WITHOUT ROWID;

CREATE TABLE trust_code (                   -- the person's directory of service provider codes
    code    TEXT PRIMARY KEY,
    numbers BLOB NOT NULL                   -- TNAuthList, DER
) STRICT, WITHOUT ROWID;

CREATE TABLE trust_log (                    -- logs that may vouch for certificates
    log_id BLOB PRIMARY KEY,                -- SHA-256 of the key
    name   TEXT NOT NULL UNIQUE,
    spki   BLOB NOT NULL                    -- DER
) STRICT, WITHOUT ROWID;

CREATE TABLE trust_policy (                 -- without a row the account's anchors were not taken over yet
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    switches BLOB NOT NULL                  -- client.credentials.trust.Switches, MessagePack
) STRICT;

CREATE TABLE revocation_list (              -- of an issuer: the last one that was verified
    issuer      BLOB PRIMARY KEY,           -- identity.status.revocation.issuer_name
    certificate BLOB NOT NULL,              -- the issuer's, DER
    list        BLOB NOT NULL,              -- DER
    fetched_at  INTEGER NOT NULL            -- when the authority last confirmed that it is the present one
) STRICT, WITHOUT ROWID;

CREATE TABLE own_staple (                   -- what the authority says of this device's long-lived certificate
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    fingerprint BLOB NOT NULL,              -- SHA-256 of the leaf certificate
    response    BLOB NOT NULL,              -- OCSP, DER
    fetched_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE sibling (                      -- client.credentials.siblings: other devices of this number
    identity BLOB PRIMARY KEY,              -- DeviceIdentity.identity
    name     TEXT NOT NULL,                 -- as it called itself, made safe
    state    TEXT NOT NULL,                 -- client.credentials.siblings.SiblingState
    at       INTEGER NOT NULL,              -- when it came into it
    revoking INTEGER                        -- CRLReason for which its certificates are still to be revoked
) STRICT, WITHOUT ROWID;

CREATE TABLE sibling_chat (                 -- a chat that a device is still to come into
    identity BLOB NOT NULL,
    group_id BLOB NOT NULL,
    why      TEXT NOT NULL,                 -- why it did not, when it was last tried
    tried_at INTEGER NOT NULL,
    PRIMARY KEY (identity, group_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE certificate_log (              -- client.credentials.log_monitor: what this device has seen of each log
    log_id    BLOB PRIMARY KEY,             -- SHA-256 of the key
    name      TEXT NOT NULL,
    spki      BLOB NOT NULL,                -- DER
    url       TEXT NOT NULL,
    size      INTEGER NOT NULL DEFAULT 0,   -- of the last head that was accepted
    head_ms   INTEGER NOT NULL DEFAULT 0,   -- the log's clock
    root      BLOB NOT NULL,                -- of that head's tree
    read      INTEGER NOT NULL DEFAULT 0,   -- entries that were read
    frontier  BLOB NOT NULL DEFAULT x'',    -- the complete subtrees of what was read, 32 octets each
    since     INTEGER NOT NULL,             -- when it was first looked at
    looked_at INTEGER                       -- when the log was last found in order
) STRICT, WITHOUT ROWID;

CREATE TABLE own_logged (                   -- promises of logs for this device's own certificates
    log_id    BLOB NOT NULL,
    leaf_hash BLOB NOT NULL,
    at_ms     INTEGER NOT NULL,             -- of the promise
    found     INTEGER NOT NULL DEFAULT 0,   -- whether it was seen to be kept
    PRIMARY KEY (log_id, leaf_hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE own_entry (                    -- what is in logs for this device's own key and was asked for
    digest BLOB PRIMARY KEY                 -- identity.transparency.entries.Entry.digest
) STRICT, WITHOUT ROWID;

-- Whether an attempt accounts for what the authority lists, and for what a log has.
ALTER TABLE renewal_attempt ADD COLUMN listed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE renewal_attempt ADD COLUMN logged INTEGER NOT NULL DEFAULT 0;
"""
