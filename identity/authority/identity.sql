-- Certificates as the industry issues them: authority tokens, orders, revocations and the log's leaves.

CREATE TABLE link_box (           -- identity.authority.links: what one device leaves for another
    mailbox TEXT NOT NULL,        -- derived from a code that this service never sees
    slot    TEXT NOT NULL,        -- whose box it is
    digest  BLOB,                 -- SHA-256 of the box, so that the same one may be put again
    box     BLOB,                 -- sealed; NULL once it was taken, or the mailbox was closed
    ends_at INTEGER NOT NULL,     -- of the whole mailbox
    PRIMARY KEY (mailbox, slot)
) STRICT, WITHOUT ROWID;
