DROP TRIGGER audit_is_not_updated;
DROP TRIGGER audit_data_are_only_erased;
DROP TRIGGER audit_is_not_deleted;
CREATE TRIGGER audit_is_not_updated BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is only appended to'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is only appended to'); END;
DROP TABLE audit_checkpoint;
DROP INDEX audit_by_user;
ALTER TABLE audit DROP COLUMN request_id;
ALTER TABLE audit DROP COLUMN client_ip;
ALTER TABLE audit DROP COLUMN user_agent;
ALTER TABLE audit DROP COLUMN username;
ALTER TABLE audit DROP COLUMN salt;
ALTER TABLE audit DROP COLUMN personal_mac;
