-- What the service keeps about itself: one row, made with the schema.
CREATE TABLE operation (
    number INTEGER PRIMARY KEY,         -- always 1
    ready_at INTEGER NOT NULL,          -- when it was last shown that this database takes a write
    restored INTEGER NOT NULL           -- how often it was restored from a backup
) STRICT;
INSERT INTO operation (number, ready_at, restored) VALUES (1, 0, 0);

-- Sequence numbers that were given out after the backup was taken from which the service was restored.
CREATE TABLE lost_entries (
    group_number INTEGER NOT NULL,
    last_kept INTEGER NOT NULL,         -- the last entry that the backup has
    first_new INTEGER NOT NULL,         -- the first number that is used after it
    epoch INTEGER NOT NULL,             -- in which the group stood, and goes on
    PRIMARY KEY (group_number, last_kept)
) STRICT, WITHOUT ROWID;
