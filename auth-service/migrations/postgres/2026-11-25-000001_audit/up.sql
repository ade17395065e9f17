-- What was done, by whom, to whom: each entry carries a MAC over itself and the one before.
CREATE TABLE audit (
    seq BIGINT PRIMARY KEY NOT NULL,
    at BIGINT NOT NULL,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL,
    actor TEXT NOT NULL,
    user_id TEXT,
    client_id TEXT,
    session_id TEXT,
    key_id TEXT,
    detail TEXT NOT NULL,
    mac BYTEA NOT NULL
);
INSERT INTO counters (name, value) VALUES ('audit', 0);
CREATE FUNCTION audit_is_only_appended_to() RETURNS trigger AS $$
BEGIN RAISE EXCEPTION 'the audit log is only appended to'; END
$$ LANGUAGE plpgsql;
CREATE TRIGGER audit_is_only_appended_to BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
EXECUTE FUNCTION audit_is_only_appended_to();
