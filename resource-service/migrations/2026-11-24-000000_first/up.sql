-- Times are seconds since the epoch.
CREATE TABLE notes (
    id TEXT PRIMARY KEY NOT NULL,
    owner TEXT NOT NULL,
    text TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX notes_of_owner ON notes (owner, id);
