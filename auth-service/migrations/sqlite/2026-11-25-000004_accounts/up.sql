-- Accounts that came from elsewhere, and what people need to look after their own. The same tables as in
-- migrations/postgres.

-- The name as it is compared: every spelling of it is the same. Empty in rows of a version that knows none.
ALTER TABLE users ADD COLUMN name_key TEXT;
CREATE UNIQUE INDEX users_by_name_key ON users (name_key);
-- The account's id where it came from: the user_id of its tokens. And marks of what was taken over.
ALTER TABLE users ADD COLUMN legacy_id TEXT;
CREATE UNIQUE INDEX users_by_legacy_id ON users (legacy_id);
ALTER TABLE users ADD COLUMN import_mark TEXT;
-- What else is known of the person, as a JSON object.
ALTER TABLE users ADD COLUMN profile TEXT NOT NULL DEFAULT '{}';
-- Format and cost of the password hash.
ALTER TABLE users ADD COLUMN password_scheme TEXT NOT NULL DEFAULT 'argon2:m=19456,t=2,p=1';
-- When it was last set here; what was issued elsewhere before then is good no more.
ALTER TABLE users ADD COLUMN password_set_at BIGINT;
CREATE INDEX users_by_password_scheme ON users (password_scheme);
ALTER TABLE users ADD COLUMN email TEXT;
ALTER TABLE users ADD COLUMN email_key TEXT;
CREATE INDEX users_by_email_key ON users (email_key);
ALTER TABLE users ADD COLUMN email_verified_at BIGINT;

-- What the person calls the device: the user agent, cut short.
ALTER TABLE sessions ADD COLUMN device TEXT;

-- Time-based one-time passwords (RFC 6238): the secret is sealed, and no step is good twice.
CREATE TABLE second_factors (
    user_id TEXT PRIMARY KEY NOT NULL REFERENCES users (id),
    sealed_secret BLOB NOT NULL,
    confirmed_at BIGINT,
    last_step BIGINT NOT NULL
);
CREATE TABLE recovery_codes (
    user_id TEXT NOT NULL REFERENCES users (id),
    code_hash BLOB NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);

-- Refresh tokens of the system that was moved from, that are good no more: blacklisted there, or exchanged here.
CREATE TABLE legacy_tokens (
    jti TEXT PRIMARY KEY NOT NULL,
    expires_at BIGINT NOT NULL
);

-- The highest number that an account was given for an id here: far from those that other systems give.
INSERT INTO counters (name, value) VALUES ('user_number', 1000000000);
