-- Verified reports and what follows from them.

CREATE TABLE statuses (
    number  TEXT NOT NULL,           -- E.164 digits
    status  TEXT NOT NULL,           -- identity.status.NumberStatus: each ends by itself, the worst one counts
    ends_at INTEGER NOT NULL,
    PRIMARY KEY (number, status)
) STRICT, WITHOUT ROWID;
CREATE INDEX statuses_by_end ON statuses (ends_at);

-- Reports that were verified, for as long as they count. Who reported is kept as an HMAC: it has to be told apart from
-- others, and found again to strike it, but not to be read.
CREATE TABLE reports (
    id       INTEGER PRIMARY KEY,
    accused  TEXT NOT NULL,          -- E.164 digits
    reporter BLOB NOT NULL,          -- HMAC-SHA256 of the number; empty once the operator cleared the accused one
    kind     TEXT NOT NULL,          -- identity.reports.report.ReportKind
    at       INTEGER NOT NULL,
    evidence BLOB                    -- as it was signed, for an appeal; null once the accused number has no status
) STRICT;
CREATE INDEX reports_by_accused ON reports (accused, at);
CREATE INDEX reports_by_time ON reports (at);

-- The messages in them: each counts once, whoever reports it, since its conversation does.
CREATE TABLE reported_messages (
    replay_key   BLOB NOT NULL,      -- SHA-256 of the PASSporT's signing input
    report       INTEGER NOT NULL REFERENCES reports (id) ON DELETE CASCADE,
    conversation BLOB NOT NULL,      -- HMAC-SHA256 of the group's URI
    PRIMARY KEY (replay_key, report)
) STRICT, WITHOUT ROWID;
CREATE INDEX reported_messages_by_report ON reported_messages (report);

-- Whose reports were struck with a status that the operator ended: they do not count until then.
CREATE TABLE struck_reporters (
    reporter BLOB PRIMARY KEY,
    until    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the holder of a number with a status has to say, once for each status.
CREATE TABLE appeals (
    number TEXT PRIMARY KEY,
    text   TEXT NOT NULL,
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Grows with every change of `statuses` and with every list that is signed.
CREATE TABLE status_serial (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    serial INTEGER NOT NULL
) STRICT;
INSERT INTO status_serial VALUES (1, 0);

-- For whom a certificate is: its number's holders may list them. Those of version 1 end within days, unlisted.
ALTER TABLE certificates ADD COLUMN number TEXT NOT NULL DEFAULT '';          -- E.164 digits
ALTER TABLE certificates ADD COLUMN spki BLOB NOT NULL DEFAULT x'';           -- SHA-256 of the SPKI
ALTER TABLE certificates ADD COLUMN issued_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE certificates ADD COLUMN by_code INTEGER NOT NULL DEFAULT 0;       -- 0: by a renewal
CREATE INDEX certificates_by_number ON certificates (number, issued_at);
