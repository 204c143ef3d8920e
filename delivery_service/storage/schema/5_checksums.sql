-- Of what an entry says (storage.values.entry_checksum), looked at by every read; NULL: the entry has none.
ALTER TABLE log ADD COLUMN checksum INTEGER;
