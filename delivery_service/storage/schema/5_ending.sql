-- A group that has ended: its epoch in `groups` is -1 - the last one, so that nothing is appended any more. The row in
-- `groups` stays when the rest is deleted, so that its id is not taken again.
CREATE TABLE endings (
    group_number INTEGER PRIMARY KEY REFERENCES groups,
    device BLOB NOT NULL,               -- who ended it
    successor BLOB NOT NULL,            -- the group that takes its place; empty if none does
    seq INTEGER NOT NULL,
    deletes_at INTEGER NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX endings_by_time ON endings (deletes_at) WHERE deleted = 0;
