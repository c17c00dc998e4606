-- Single values: the sealed check of the device key, generations and serials.
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- Rows and sealed bytes, counted as they come and go, so that a bound costs one look.
CREATE TABLE tally (
    what  TEXT NOT NULL,
    whose BLOB NOT NULL,
    rows  INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (what, whose)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER tally_inserted AFTER INSERT ON tally WHEN NEW.rows = 0 BEGIN
    DELETE FROM tally WHERE what = NEW.what AND whose = NEW.whose;
END;
CREATE TRIGGER tally_updated AFTER UPDATE ON tally WHEN NEW.rows = 0 BEGIN
    DELETE FROM tally WHERE what = NEW.what AND whose = NEW.whose;
END;

-- Messages of ours, in the order in which they were accepted.
CREATE TABLE outbox (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    id       BLOB NOT NULL UNIQUE,
    peer     BLOB NOT NULL,                      -- peer id; empty for everyone
    kind     TEXT NOT NULL CHECK (kind IN ('text', 'public', 'read', 'card')),
    body     BLOB NOT NULL,                      -- sealed
    size     INTEGER NOT NULL,
    private  INTEGER NOT NULL,
    urgent   INTEGER NOT NULL,
    max_age  INTEGER NOT NULL,                   -- ms
    prefer   TEXT,
    only     INTEGER NOT NULL,
    sent     INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    expires  INTEGER NOT NULL,
    status   TEXT NOT NULL,
    via      TEXT,
    reason   TEXT,
    changed  INTEGER NOT NULL,
    waiting  INTEGER NOT NULL CHECK (waiting IN (0, 1))
) STRICT;
CREATE INDEX outbox_waiting ON outbox (waiting);
CREATE INDEX outbox_peer ON outbox (peer);

CREATE TRIGGER outbox_inserted AFTER INSERT ON outbox BEGIN
    INSERT INTO tally VALUES
        (iif(NEW.waiting, 'waiting', 'finished'), x'', 1, length(NEW.body)),
        ('waiting for', NEW.peer, NEW.waiting, NEW.waiting * length(NEW.body))
    ON CONFLICT DO UPDATE SET rows = rows + excluded.rows, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER outbox_updated AFTER UPDATE OF waiting, body ON outbox BEGIN
    INSERT INTO tally VALUES
        (iif(OLD.waiting, 'waiting', 'finished'), x'', -1, -length(OLD.body)),
        ('waiting for', OLD.peer, -OLD.waiting, -OLD.waiting * length(OLD.body)),
        (iif(NEW.waiting, 'waiting', 'finished'), x'', 1, length(NEW.body)),
        ('waiting for', NEW.peer, NEW.waiting, NEW.waiting * length(NEW.body))
    ON CONFLICT DO UPDATE SET rows = rows + excluded.rows, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER outbox_deleted AFTER DELETE ON outbox BEGIN
    INSERT INTO tally VALUES
        (iif(OLD.waiting, 'waiting', 'finished'), x'', -1, -length(OLD.body)),
        ('waiting for', OLD.peer, -OLD.waiting, -OLD.waiting * length(OLD.body))
    ON CONFLICT DO UPDATE SET rows = rows + excluded.rows, bytes = bytes + excluded.bytes;
END;

-- Messages of others, in the order in which they were received; a number is never used again.
CREATE TABLE inbox (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    sender   BLOB NOT NULL,                      -- fingerprint
    id       BLOB NOT NULL,
    public   INTEGER NOT NULL CHECK (public IN (0, 1)),
    contact  INTEGER NOT NULL CHECK (contact IN (0, 1)), -- the sender was one when it came
    nickname TEXT NOT NULL,
    sent     INTEGER NOT NULL,
    received INTEGER NOT NULL,
    via      TEXT NOT NULL,
    wire_ids TEXT NOT NULL,                      -- JSON array of strings
    ttl      INTEGER NOT NULL,
    body     BLOB NOT NULL,                      -- sealed
    read     INTEGER NOT NULL DEFAULT 0 CHECK (read IN (0, 1)),
    UNIQUE (id, sender)
) STRICT;
CREATE INDEX inbox_conversation ON inbox (sender, public);
CREATE INDEX inbox_public ON inbox (public) WHERE public = 1;
CREATE INDEX inbox_read ON inbox (contact) WHERE public = 0 AND read = 1;
CREATE INDEX inbox_read_from ON inbox (sender) WHERE public = 0 AND read = 1;

CREATE TRIGGER inbox_inserted AFTER INSERT ON inbox BEGIN
    INSERT INTO tally VALUES
        (iif(NEW.public, 'public', iif(NEW.contact, 'contacts', 'strangers')), x'', 1, length(NEW.body)),
        ('from', NEW.sender, NOT NEW.public, (NOT NEW.public) * length(NEW.body))
    ON CONFLICT DO UPDATE SET rows = rows + excluded.rows, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER inbox_deleted AFTER DELETE ON inbox BEGIN
    INSERT INTO tally VALUES
        (iif(OLD.public, 'public', iif(OLD.contact, 'contacts', 'strangers')), x'', -1, -length(OLD.body)),
        ('from', OLD.sender, OLD.public - 1, (OLD.public - 1) * length(OLD.body))
    ON CONFLICT DO UPDATE SET rows = rows + excluded.rows, bytes = bytes + excluded.bytes;
END;

-- What was received, remembered longer than any copy can be under way, whatever becomes of the message itself.
CREATE TABLE seen (
    sender   BLOB NOT NULL,
    id       BLOB NOT NULL,
    received INTEGER NOT NULL,
    PRIMARY KEY (sender, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_received ON seen (received);

CREATE TRIGGER seen_inserted AFTER INSERT ON seen BEGIN
    INSERT INTO tally VALUES ('seen', x'', 1, 0) ON CONFLICT DO UPDATE SET rows = rows + 1;
END;
CREATE TRIGGER seen_deleted AFTER DELETE ON seen BEGIN
    INSERT INTO tally VALUES ('seen', x'', -1, 0) ON CONFLICT DO UPDATE SET rows = rows - 1;
END;

CREATE TABLE contacts (
    fingerprint    BLOB NOT NULL PRIMARY KEY,
    noise_public   BLOB NOT NULL,
    signing_public BLOB NOT NULL,
    name           TEXT NOT NULL,
    serial         INTEGER NOT NULL,
    card           BLOB NOT NULL,
    added          INTEGER NOT NULL,
    verified       INTEGER NOT NULL,
    favourite      INTEGER NOT NULL,
    blocked        INTEGER NOT NULL,
    told           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE measured (
    peer      BLOB NOT NULL,
    transport TEXT NOT NULL,
    success   REAL NOT NULL,
    latency   INTEGER NOT NULL,                  -- microseconds
    samples   INTEGER NOT NULL,
    updated   INTEGER NOT NULL,
    PRIMARY KEY (peer, transport)
) STRICT, WITHOUT ROWID;
CREATE INDEX measured_updated ON measured (updated);
