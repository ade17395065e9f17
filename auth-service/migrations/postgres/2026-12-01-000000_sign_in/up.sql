-- Login in a browser (OpenID Connect). The same tables as in migrations/sqlite.

-- What people see of a client; '' shows its ID.
ALTER TABLE clients ADD COLUMN name TEXT NOT NULL DEFAULT '';
-- Where an authorization code may be sent, separated by spaces; compared byte by byte.
ALTER TABLE clients ADD COLUMN redirect_uris TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN post_logout_redirect_uris TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN backchannel_logout_uri TEXT;
-- What signs its ID tokens; none for RS256, the default of OpenID Connect.
ALTER TABLE clients ADD COLUMN id_token_algorithm TEXT;
ALTER TABLE clients ADD COLUMN pkce_optional BOOLEAN NOT NULL DEFAULT FALSE;
-- The operator's own: its users are not asked for consent.
ALTER TABLE clients ADD COLUMN first_party BOOLEAN NOT NULL DEFAULT FALSE;
-- It has no secret: it runs where everybody can read it.
ALTER TABLE clients ADD COLUMN public BOOLEAN NOT NULL DEFAULT FALSE;

-- A user who is logged in, in one browser. The secret is in its cookie.
CREATE TABLE browser_sessions (
    id TEXT PRIMARY KEY NOT NULL,
    secret_hash BYTEA NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    auth_time BIGINT NOT NULL,
    amr TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    idle_expires_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    device TEXT
);
CREATE INDEX browser_sessions_of_user ON browser_sessions (user_id);

-- The browser session that a session came from, and whether it goes on without it (offline_access).
ALTER TABLE sessions ADD COLUMN browser_session_id TEXT;
ALTER TABLE sessions ADD COLUMN offline BOOLEAN NOT NULL DEFAULT FALSE;
-- Claims that userinfo returns beside those of the scope, separated by spaces.
ALTER TABLE sessions ADD COLUMN userinfo_claims TEXT NOT NULL DEFAULT '';
CREATE INDEX sessions_of_browser_session ON sessions (browser_session_id) WHERE browser_session_id IS NOT NULL;

-- What a user has allowed a client.
CREATE TABLE consents (
    user_id TEXT NOT NULL REFERENCES users (id),
    client_id TEXT NOT NULL,
    audience TEXT NOT NULL,
    scope TEXT NOT NULL,
    granted_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id, audience)
);

-- Clients that have to be told that a browser session has ended. Written in the transaction that ends it, deleted when the
-- client has answered.
CREATE TABLE logout_notices (
    client_id TEXT NOT NULL,
    browser_session_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    PRIMARY KEY (client_id, browser_session_id)
);
CREATE INDEX logout_notices_due ON logout_notices (next_attempt_at);

-- A device that waits for a user to allow it something in a browser (RFC 8628).
CREATE TABLE device_requests (
    code_hash BYTEA PRIMARY KEY NOT NULL,
    user_code TEXT NOT NULL UNIQUE,
    client_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    audience TEXT NOT NULL,
    -- pending, allowed, denied.
    state TEXT NOT NULL,
    -- Who allowed it, and how they were logged in.
    user_id TEXT,
    browser_session_id TEXT,
    password_epoch BIGINT,
    auth_time BIGINT,
    amr TEXT,
    -- The session that a device gets.
    session_id TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- Where the device asked from.
    client_ip TEXT,
    device TEXT
);
CREATE INDEX device_requests_expiry ON device_requests (expires_at);
