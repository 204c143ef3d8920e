-- What is known of the ciphertext of attachments; the octets lie in the blob storage. Blobs that were named at random,
-- before names were digests, are deleted: no message of this version names one.

DROP TABLE blob_pieces;
DROP TABLE blobs;

CREATE TABLE blobs (
    name BLOB PRIMARY KEY,              -- SHA-256 of the octets: who knows it may read
    place TEXT NOT NULL UNIQUE,         -- where the octets lie in the blob storage
    size INTEGER NOT NULL,              -- octets
    at INTEGER NOT NULL,
    owner BLOB NOT NULL                 -- keyed hash of the number whose quota it counts against
) STRICT, WITHOUT ROWID;
CREATE INDEX blobs_by_time ON blobs (at);
CREATE INDEX blobs_by_owner ON blobs (owner);

CREATE TABLE blob_uploads (
    place TEXT PRIMARY KEY,             -- the upload's name, 32 hexadecimal digits, and the place of the octets
    name BLOB NOT NULL,                 -- the digest that they must have
    size INTEGER NOT NULL,
    at INTEGER NOT NULL,
    owner BLOB NOT NULL,
    token TEXT,                         -- the blob storage's own name of the upload; NULL until it has begun
    UNIQUE (owner, name, size)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_uploads_by_time ON blob_uploads (at);

CREATE TABLE blob_pieces (
    place TEXT NOT NULL,
    piece INTEGER NOT NULL,
    tag TEXT NOT NULL,                  -- the blob storage's own name of the piece
    PRIMARY KEY (place, piece)
) STRICT, WITHOUT ROWID;

CREATE TABLE blob_leavings (
    place TEXT PRIMARY KEY              -- what is to be deleted from the blob storage, until it is
) STRICT, WITHOUT ROWID;
