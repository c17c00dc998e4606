-- What was said to a private group: which one, and what it was called then.
ALTER TABLE inbox ADD COLUMN room BLOB;
ALTER TABLE inbox ADD COLUMN room_name TEXT;
