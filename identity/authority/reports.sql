-- Verified reports and what follows from them.

CREATE TABLE statuses (
    number  TEXT PRIMARY KEY,        -- E.164 digits
    status  TEXT NOT NULL,           -- identity.status.NumberStatus
    ends_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- For whom a certificate is: its number's holders may list them. Those of version 1 end within days, unlisted.
ALTER TABLE certificates ADD COLUMN number TEXT NOT NULL DEFAULT '';          -- E.164 digits
ALTER TABLE certificates ADD COLUMN spki BLOB NOT NULL DEFAULT x'';           -- SHA-256 of the SPKI
ALTER TABLE certificates ADD COLUMN issued_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE certificates ADD COLUMN by_code INTEGER NOT NULL DEFAULT 0;       -- 0: by a renewal
CREATE INDEX certificates_by_number ON certificates (number, issued_at);
