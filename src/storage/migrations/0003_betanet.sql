-- The newest node record of each relay that was heard of, as it was signed.
CREATE TABLE relays (
    node    BLOB NOT NULL PRIMARY KEY,           -- PeerID, 34 bytes
    record  BLOB NOT NULL,
    expires INTEGER NOT NULL                     -- Unix seconds
) STRICT, WITHOUT ROWID;
CREATE INDEX relays_expires ON relays (expires);
