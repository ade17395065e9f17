-- Times are milliseconds since the epoch. The same tables as in migrations/postgres.

CREATE TABLE users (
    id TEXT PRIMARY KEY NOT NULL,
    username TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    -- Counts password changes: a login that checked the old password cannot start a session.
    password_epoch BIGINT NOT NULL,
    roles TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_login_at BIGINT,
    disabled_at BIGINT
);

CREATE TABLE sessions (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    client_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    audience TEXT NOT NULL,
    auth_time BIGINT NOT NULL,
    amr TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    idle_expires_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    rotated_at BIGINT NOT NULL,
    ended_at BIGINT,
    end_reason TEXT
);
CREATE INDEX sessions_of_user ON sessions (user_id);

CREATE TABLE clients (
    id TEXT PRIMARY KEY NOT NULL,
    scope TEXT NOT NULL,
    audiences TEXT NOT NULL,
    grants TEXT NOT NULL,
    secret_hash BLOB NOT NULL,
    previous_secret_hash BLOB,
    previous_secret_expires_at BIGINT,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT
);

CREATE TABLE audiences (
    name TEXT PRIMARY KEY NOT NULL,
    algorithm TEXT,
    created_at BIGINT NOT NULL
);

CREATE TABLE signing_keys (
    kid TEXT PRIMARY KEY NOT NULL,
    algorithm TEXT NOT NULL,
    sealed_private_key BLOB NOT NULL,
    public_jwk TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    published_at BIGINT NOT NULL,
    activates_at BIGINT NOT NULL,
    retires_at BIGINT,
    removed_at BIGINT,
    revoked_at BIGINT
);

CREATE TABLE revocations (
    seq BIGINT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    not_before BIGINT,
    expires_at BIGINT NOT NULL
);
CREATE INDEX revocations_by_id ON revocations (kind, id);

-- A row a subject; its value grows with every change, in the transaction of the change. Replicas
-- compare it to learn of each other's writes; for revocations it numbers them without gaps.
CREATE TABLE counters (
    name TEXT PRIMARY KEY NOT NULL,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('keys', 0), ('clients', 0), ('revocations', 0);
