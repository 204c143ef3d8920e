-- Certificates as the industry issues them: authority tokens, orders, revocations and the log's leaves.

CREATE TABLE link_box (           -- identity.authority.links: what one device leaves for another
    mailbox TEXT NOT NULL,        -- derived from a code that this service never sees
    slot    TEXT NOT NULL,        -- whose box it is
    box     BLOB,                 -- sealed; NULL once it was taken, or the mailbox was closed
    ends_at INTEGER NOT NULL,     -- of the whole mailbox
    PRIMARY KEY (mailbox, slot)
) STRICT, WITHOUT ROWID;
