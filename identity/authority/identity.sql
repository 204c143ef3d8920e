-- Certificates as the industry issues them: authority tokens, orders, revocations and the log's leaves.

CREATE TABLE link_box (           -- identity.authority.links: what one device leaves for another
    mailbox TEXT NOT NULL,        -- derived from a code that this service never sees
    slot    TEXT NOT NULL,        -- whose box it is
    digest  BLOB,                 -- SHA-256 of the box, so that the same one may be put again
    box     BLOB,                 -- sealed; NULL once it was taken, or the mailbox was closed
    ends_at INTEGER NOT NULL,     -- of the whole mailbox
    PRIMARY KEY (mailbox, slot)
) STRICT, WITHOUT ROWID;

-- Certificates that were withdrawn (identity.authority.status): on the list until a while after their end.
CREATE TABLE revocations (
    fingerprint BLOB PRIMARY KEY,    -- SHA-256 of the leaf's DER
    issuer      BLOB NOT NULL,       -- identity.status.revocation.issuer_name
    serial      BLOB NOT NULL,       -- big-endian
    spki        BLOB NOT NULL,       -- SHA-256 of the key: one that was lost is certified no more
    revoked_at  INTEGER NOT NULL,
    reason      TEXT NOT NULL,       -- as RFC 5280 §5.3.1 names it
    not_after   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX revocations_by_key ON revocations (spki);

-- The number of an issuer's last list; it grows with each one and with each change.
CREATE TABLE crl_numbers (
    issuer BLOB PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- OCSP asks by serial number. What an earlier version issued has none here, and ends within days.
ALTER TABLE certificates ADD COLUMN serial BLOB;
CREATE INDEX certificates_by_serial ON certificates (serial);

CREATE TABLE number_marking (     -- identity.authority.markings: what certificates of these numbers declare
    prefix     TEXT PRIMARY KEY,  -- + and the first digits
    attributes BLOB NOT NULL      -- identity.number_attributes
) STRICT, WITHOUT ROWID;

DROP TABLE challenges;            -- codes are the token authority's now (tokens/tokens.sql)
ALTER TABLE certificates ADD COLUMN account TEXT;   -- the ACME account that ordered it

-- Accounts and orders of the ACME server (identity.authority.acme).
CREATE TABLE acme_accounts (
    id         TEXT PRIMARY KEY,
    thumbprint BLOB NOT NULL UNIQUE,  -- SHA-256 (RFC 7638) of the account's key
    jwk        BLOB NOT NULL,         -- JSON
    status     TEXT NOT NULL CHECK (status IN ('valid', 'deactivated')),
    kept_until INTEGER NOT NULL       -- its orders and certificates are forgotten by then
) STRICT, WITHOUT ROWID;
CREATE INDEX acme_accounts_by_end ON acme_accounts (kept_until);

CREATE TABLE acme_orders (            -- with its one authorization and that one's challenge
    id             TEXT PRIMARY KEY,
    account        TEXT NOT NULL REFERENCES acme_accounts (id),
    identifier     TEXT NOT NULL,     -- base64url of a TNAuthList
    expires_at     INTEGER NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('pending', 'ready', 'valid', 'invalid')),
    authz          TEXT NOT NULL CHECK (authz IN ('pending', 'valid', 'invalid', 'deactivated', 'expired')),
    challenge      TEXT NOT NULL CHECK (challenge IN ('pending', 'valid', 'invalid')),
    granted        BLOB,              -- JSON: what the authority token granted
    error          BLOB,              -- JSON: why the challenge failed
    certificate    BLOB,              -- SHA-256 of the leaf's DER
    CHECK ((granted IS NULL) = (challenge <> 'valid')),
    CHECK ((certificate IS NULL) = (state <> 'valid'))
) STRICT, WITHOUT ROWID;
CREATE INDEX acme_orders_by_account ON acme_orders (account, expires_at);
CREATE INDEX acme_orders_by_end ON acme_orders (expires_at);

CREATE TABLE tokens_ended (           -- authority tokens from before count no more
    number TEXT PRIMARY KEY,          -- E.164 digits
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX spent_proofs_by_end ON spent_proofs (until);  -- each order deletes those that are over
