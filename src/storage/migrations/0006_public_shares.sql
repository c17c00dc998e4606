-- What contacts say to everyone, apart: strangers do not push it out.
CREATE INDEX inbox_public_of ON inbox (contact) WHERE public = 1;

DROP TRIGGER inbox_inserted;
DROP TRIGGER inbox_deleted;
CREATE TRIGGER inbox_inserted AFTER INSERT ON inbox BEGIN
    INSERT INTO tally VALUES
        (iif(NEW.public, 'public', iif(NEW.contact, 'contacts', 'strangers')), x'', 1, length(NEW.body)),
        ('public_contacts', x'', NEW.public AND NEW.contact, (NEW.public AND NEW.contact) * length(NEW.body)),
        ('from', NEW.sender, NOT NEW.public, (NOT NEW.public) * length(NEW.body))
    ON CONFLICT DO UPDATE SET rows = rows + excluded.rows, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER inbox_deleted AFTER DELETE ON inbox BEGIN
    INSERT INTO tally VALUES
        (iif(OLD.public, 'public', iif(OLD.contact, 'contacts', 'strangers')), x'', -1, -length(OLD.body)),
        ('public_contacts', x'', -(OLD.public AND OLD.contact), -(OLD.public AND OLD.contact) * length(OLD.body)),
        ('from', OLD.sender, OLD.public - 1, (OLD.public - 1) * length(OLD.body))
    ON CONFLICT DO UPDATE SET rows = rows + excluded.rows, bytes = bytes + excluded.bytes;
END;

INSERT INTO tally SELECT 'public_contacts', x'', count(*), coalesce(sum(length(body)), 0)
    FROM inbox WHERE public = 1 AND contact = 1;
