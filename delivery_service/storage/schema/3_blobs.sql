-- Ciphertext of attachments, in pieces. Whose it is and for which group is written nowhere.

CREATE TABLE blobs (
    number INTEGER PRIMARY KEY,
    name BLOB NOT NULL UNIQUE,          -- 16 random octets: who knows them may read
    at INTEGER NOT NULL,
    size INTEGER NOT NULL,              -- octets
    key BLOB UNIQUE,                    -- idempotency key; NULL while the blob arrives, when nobody can read it
    digest BLOB                         -- SHA-256 of the whole
) STRICT;
CREATE INDEX blobs_by_time ON blobs (at);

CREATE TABLE blob_pieces (
    blob INTEGER NOT NULL REFERENCES blobs,
    position INTEGER NOT NULL,
    octets BLOB NOT NULL,
    PRIMARY KEY (blob, position)
) STRICT;
