-- Who may ask whom for key packages, and what a service may be held to.

CREATE TABLE contact_modes (
    number TEXT PRIMARY KEY,            -- +E164 of the target; without a row, the mode is open
    mode TEXT NOT NULL                  -- open, ask, contacts
) STRICT, WITHOUT ROWID;

-- Kept only while the target's mode is not open.
CREATE TABLE contact_grants (
    target TEXT NOT NULL,
    number TEXT NOT NULL,
    blocked INTEGER NOT NULL,           -- 0 granted, 1 may not even ask
    PRIMARY KEY (target, number)
) STRICT, WITHOUT ROWID;

-- One row for each pair, until it may ask again.
CREATE TABLE contact_requests (
    target TEXT NOT NULL,
    requester TEXT NOT NULL,
    at INTEGER NOT NULL,
    state INTEGER NOT NULL,             -- 0 waits, 1 never shown, 2 refused, 3 granted
    proof BLOB,                         -- what the target checks itself; gone once it has answered
    PRIMARY KEY (target, requester)
) STRICT;
CREATE INDEX contact_requests_by_requester ON contact_requests (requester, state);
CREATE INDEX contact_requests_by_time ON contact_requests (at);

CREATE TABLE contact_heads (
    number TEXT PRIMARY KEY,
    head INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who has reached or asked whom: what a first contact is, and what the quotas count.
CREATE TABLE first_contacts (
    requester TEXT NOT NULL,
    target TEXT NOT NULL,
    issuer BLOB NOT NULL,               -- names who certified the requester's number, 32 octets
    at INTEGER NOT NULL,                -- when it was the first; the quotas count this
    last INTEGER NOT NULL,              -- when either claimed or asked the other last; it is kept for so long
    PRIMARY KEY (requester, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX first_contacts_by_requester ON first_contacts (requester, at);
CREATE INDEX first_contacts_by_target ON first_contacts (target, at);
CREATE INDEX first_contacts_by_issuer ON first_contacts (issuer, at);
CREATE INDEX first_contacts_by_time ON first_contacts (last);

-- The last sessions that were opened with each device's key, so that its owner can see one that is not theirs.
CREATE TABLE openings (
    device BLOB NOT NULL,
    number INTEGER NOT NULL,            -- counts all openings of the device
    at INTEGER NOT NULL,
    nonce BLOB NOT NULL,                -- 16 octets of the SHA-256 of the signature's nonce
    PRIMARY KEY (device, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX openings_by_time ON openings (at);

ALTER TABLE inbox ADD COLUMN inviter TEXT NOT NULL DEFAULT '';  -- +E164 of whose commit the Welcome came with

-- The service's confirmation of a message that carries a franking tag: key id, MAC and signature (franking.py).
ALTER TABLE log ADD COLUMN frank BLOB;
