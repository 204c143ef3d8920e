-- Who may ask whom for key packages, and what a service may be held to.

CREATE TABLE contact_modes (
    number TEXT PRIMARY KEY,            -- +E164 of the target; without a row, the mode is open
    mode TEXT NOT NULL                  -- open, ask, contacts
) STRICT, WITHOUT ROWID;
