-- A commit stands for good once another device than its committer has appended after it, or its time is over. Until then
-- the row in `unsettled` keeps what the group was before it, and before all that the same device has committed since.
ALTER TABLE groups ADD COLUMN unsettled BLOB;  -- whose commits may still be taken back; NULL: nobody's

CREATE TABLE unsettled (
    group_number INTEGER PRIMARY KEY REFERENCES groups,
    seq INTEGER NOT NULL,               -- of the first commit that may be taken back
    epoch INTEGER NOT NULL,             -- the epoch that it ended
    device BLOB NOT NULL,               -- its committer, by the name that it had in that epoch
    at_ms INTEGER NOT NULL,             -- of the first commit
    last_ms INTEGER NOT NULL,           -- of the last one
    renamed TEXT NOT NULL,              -- JSON: names, in hexadecimal, before and after each change of a device's key
    snapshot BLOB NOT NULL              -- of the observer in that epoch
) STRICT;
CREATE INDEX unsettled_by_time ON unsettled (last_ms);

-- Key packages that a commit which may be taken back was the first to use.
CREATE TABLE unsettled_packages (
    group_number INTEGER NOT NULL REFERENCES groups,
    reference BLOB NOT NULL,
    PRIMARY KEY (group_number, reference)
) STRICT, WITHOUT ROWID;

CREATE TABLE rejections (
    group_number INTEGER NOT NULL REFERENCES groups,
    device BLOB NOT NULL,
    seq INTEGER NOT NULL,               -- the commit that the device cannot apply
    epoch INTEGER NOT NULL,
    digest BLOB NOT NULL,               -- SHA-256 of its MLSMessage
    signature BLOB NOT NULL,
    PRIMARY KEY (group_number, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollbacks (
    group_number INTEGER NOT NULL REFERENCES groups,
    seq INTEGER NOT NULL,               -- the entry that says so
    first INTEGER NOT NULL,             -- the first commit that it undid
    device BLOB NOT NULL,               -- whose commit was taken back
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (group_number, seq)
) STRICT, WITHOUT ROWID;
