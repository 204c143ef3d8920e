-- The authority's state. Times are Unix seconds. The file is private (0600): it links numbers to keys.

-- A number that somebody claims, from the sending of its code until a while after the code's end.
CREATE TABLE challenges (
    id            TEXT PRIMARY KEY,
    number        TEXT NOT NULL,     -- E.164 digits
    code_mac      BLOB NOT NULL,     -- HMAC-SHA256 of challenge and code; the code itself is nowhere
    expires_at    INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('open', 'bound', 'dead')),
    attempts_left INTEGER NOT NULL,
    bound_key     BLOB,              -- SHA-256 of the SPKI that used the code
    certificate   BLOB REFERENCES certificates (fingerprint),
    CHECK ((bound_key IS NULL) = (certificate IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX challenges_by_end ON challenges (expires_at);

-- What was issued and is published.
CREATE TABLE certificates (
    fingerprint BLOB PRIMARY KEY,    -- SHA-256 of the leaf's DER
    path        TEXT NOT NULL,       -- PEM: leaf, issuer, root
    not_after   INTEGER NOT NULL,
    proved_at   INTEGER NOT NULL     -- when a code last proved the number; inherited by renewals
) STRICT, WITHOUT ROWID;
CREATE INDEX certificates_by_end ON certificates (not_after);

-- Renewal proofs that were used, for as long as their iat would be accepted.
CREATE TABLE spent_proofs (
    digest BLOB PRIMARY KEY,         -- SHA-256 of the JWS signing input: a signature can be rewritten, its input cannot
    until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per request that counts against a rate limit, until it no longer does.
CREATE TABLE admissions (
    bucket BLOB NOT NULL,            -- HMAC-SHA256 of the limit's name and the number or address: neither is kept
    until  INTEGER NOT NULL
) STRICT;
CREATE INDEX admissions_by_bucket ON admissions (bucket, until);
CREATE INDEX admissions_by_end ON admissions (until);
