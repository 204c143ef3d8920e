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
    issuer      BLOB NOT NULL,       -- identity.revocation.issuer_name
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
