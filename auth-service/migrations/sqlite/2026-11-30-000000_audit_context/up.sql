-- Where a request came from and the username that it tried. They are personal data, and erased with their user: the MAC of
-- an entry covers personal_mac, which stays.
ALTER TABLE audit ADD COLUMN request_id TEXT;
ALTER TABLE audit ADD COLUMN client_ip TEXT;
ALTER TABLE audit ADD COLUMN user_agent TEXT;
ALTER TABLE audit ADD COLUMN username TEXT;
ALTER TABLE audit ADD COLUMN salt BLOB;
ALTER TABLE audit ADD COLUMN personal_mac BLOB;
CREATE INDEX audit_by_user ON audit (user_id, seq);
-- The last entry that was pruned, sealed: what follows is verified from there.
CREATE TABLE audit_checkpoint (
    id BIGINT PRIMARY KEY NOT NULL CHECK (id = 1),
    seq BIGINT NOT NULL,
    mac BLOB NOT NULL,
    seal BLOB NOT NULL
);
DROP TRIGGER audit_is_not_updated;
DROP TRIGGER audit_is_not_deleted;
CREATE TRIGGER audit_is_not_updated
BEFORE UPDATE OF seq, at, action, outcome, actor, user_id, client_id, session_id, key_id, detail, mac, request_id, personal_mac
ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is only appended to'); END;
CREATE TRIGGER audit_data_are_only_erased BEFORE UPDATE OF client_ip, user_agent, username, salt ON audit
WHEN coalesce(NEW.client_ip, NEW.user_agent, NEW.username, NEW.salt) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'personal data in the audit log are only erased'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
WHEN OLD.seq > coalesce((SELECT seq FROM audit_checkpoint), 0)
BEGIN SELECT RAISE(ABORT, 'the audit log is only appended to'); END;
