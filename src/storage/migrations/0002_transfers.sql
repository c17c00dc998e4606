-- Files on their way, and what became of those that were. The files themselves are not in here.
CREATE TABLE transfers (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    way      TEXT NOT NULL CHECK (way IN ('out', 'in')),
    peer     BLOB NOT NULL,                      -- peer id
    id       BLOB NOT NULL,
    name     TEXT NOT NULL,
    path     BLOB,                               -- what is sent; where it was put once it is received
    size     INTEGER NOT NULL,
    modified INTEGER NOT NULL,                   -- ns, by the sender's file system
    done     INTEGER NOT NULL,                   -- bytes; of a file that is received, those that are on disk
    hash     BLOB,                               -- BLAKE3, once it was compared
    status   TEXT NOT NULL,
    reason   TEXT,
    begun    INTEGER NOT NULL,
    changed  INTEGER NOT NULL,
    finished INTEGER NOT NULL CHECK (finished IN (0, 1)),
    UNIQUE (way, peer, id)
) STRICT;
CREATE INDEX transfers_finished ON transfers (finished, way, peer);
