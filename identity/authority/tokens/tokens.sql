-- The token authority's state. Times are Unix seconds. The file is private (0600): it links numbers to keys.

-- A number that somebody claims, from the sending of its code until a while after the code's end.
CREATE TABLE challenges (
    id            TEXT PRIMARY KEY,
    number        TEXT NOT NULL,     -- E.164 digits
    code_mac      BLOB NOT NULL,     -- HMAC-SHA256 of challenge and code; the code itself is nowhere
    expires_at    INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('open', 'bound', 'dead')),
    attempts_left INTEGER NOT NULL,
    bound_to      BLOB               -- SHA-256 of the request that used the code
) STRICT, WITHOUT ROWID;
CREATE INDEX challenges_by_end ON challenges (expires_at);

-- Which key rests on which proof of which number: what renewals go by.
CREATE TABLE number_proofs (
    number    TEXT NOT NULL,         -- E.164 digits
    key       TEXT NOT NULL,         -- JWK thumbprint of a certified key
    proved_at INTEGER NOT NULL,      -- when a code or a carrier last proved the number for it; inherited by renewals
    PRIMARY KEY (number, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX number_proofs_by_time ON number_proofs (proved_at);

-- Proofs by device keys that were used, for as long as their iat would be accepted.
CREATE TABLE spent_proofs (
    digest BLOB PRIMARY KEY,         -- SHA-256 of the JWS signing input: a signature can be rewritten, its input cannot
    until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX spent_proofs_by_end ON spent_proofs (until);

-- One row per request that counts against a rate limit, until it no longer does.
CREATE TABLE admissions (
    bucket BLOB NOT NULL,            -- HMAC-SHA256 of the limit's name and the number or address: neither is kept
    until  INTEGER NOT NULL
) STRICT;
CREATE INDEX admissions_by_bucket ON admissions (bucket, until);
CREATE INDEX admissions_by_end ON admissions (until);

-- Numbers that went to somebody else a while ago: assertions from before count no more.
CREATE TABLE numbers_moved (
    number TEXT PRIMARY KEY,         -- E.164 digits
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- When the number proofs of an authority without a token authority were taken over, if they were.
CREATE TABLE takeovers (at INTEGER NOT NULL) STRICT;
