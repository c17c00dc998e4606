-- Mailboxes, by the order in which they were made.
CREATE TABLE mailboxes (
    number    INTEGER PRIMARY KEY,
    address   BLOB NOT NULL UNIQUE,
    key       BLOB NOT NULL,                     -- Ed25519
    token     BLOB NOT NULL,                     -- whoever has it may deposit
    next      INTEGER NOT NULL,                  -- the id of the next envelope
    fetched   INTEGER NOT NULL,                  -- ms, to the hour: when its owner was last here
    envelopes INTEGER NOT NULL DEFAULT 0,
    bytes     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX mailboxes_fetched ON mailboxes (fetched);

-- What waits in them, sealed by its sender.
CREATE TABLE envelopes (
    mailbox  INTEGER NOT NULL REFERENCES mailboxes,
    id       INTEGER NOT NULL,
    received INTEGER NOT NULL,                   -- ms
    envelope BLOB NOT NULL,
    UNIQUE (mailbox, id)
) STRICT;
CREATE INDEX envelopes_received ON envelopes (received);

-- Everything, counted as it comes and goes, so that a bound costs one look.
CREATE TABLE total (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    mailboxes INTEGER NOT NULL,
    envelopes INTEGER NOT NULL,
    bytes     INTEGER NOT NULL
) STRICT;
INSERT INTO total VALUES (1, 0, 0, 0);

CREATE TRIGGER mailbox_inserted AFTER INSERT ON mailboxes BEGIN
    UPDATE total SET mailboxes = mailboxes + 1;
END;
CREATE TRIGGER mailbox_deleted AFTER DELETE ON mailboxes BEGIN
    UPDATE total SET mailboxes = mailboxes - 1;
END;
CREATE TRIGGER envelope_inserted AFTER INSERT ON envelopes BEGIN
    UPDATE mailboxes SET envelopes = envelopes + 1, bytes = bytes + length(NEW.envelope)
    WHERE number = NEW.mailbox;
    UPDATE total SET envelopes = envelopes + 1, bytes = bytes + length(NEW.envelope);
END;
CREATE TRIGGER envelope_deleted AFTER DELETE ON envelopes BEGIN
    UPDATE mailboxes SET envelopes = envelopes - 1, bytes = bytes - length(OLD.envelope)
    WHERE number = OLD.mailbox;
    UPDATE total SET envelopes = envelopes - 1, bytes = bytes - length(OLD.envelope);
END;

-- The private halves of the ticket keys, one for each UTC day.
CREATE TABLE ticket_secrets (
    id     BLOB NOT NULL PRIMARY KEY,
    day    INTEGER NOT NULL UNIQUE,              -- days since 1970
    secret BLOB NOT NULL                         -- X25519
) STRICT, WITHOUT ROWID;

-- Tickets that were used and could be shown again.
CREATE TABLE used_tickets (
    mark BLOB NOT NULL PRIMARY KEY,
    hour INTEGER NOT NULL,                       -- the hour they were made for, since 1970
    ends INTEGER NOT NULL                        -- ms: they are worth nothing after that
) STRICT, WITHOUT ROWID;
CREATE INDEX used_tickets_ends ON used_tickets (ends);
