-- Verified reports and what follows from them.

CREATE TABLE statuses (
    number  TEXT PRIMARY KEY,        -- E.164 digits
    status  TEXT NOT NULL,           -- identity.status.NumberStatus
    ends_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
