-- What the mesh keeps: its archive, envelopes of others, keys of groups. The machines of the mesh bound it.
CREATE TABLE kept (
    shelf TEXT NOT NULL,
    key   BLOB NOT NULL,
    value BLOB NOT NULL,                         -- sealed
    PRIMARY KEY (shelf, key)
) STRICT, WITHOUT ROWID;
