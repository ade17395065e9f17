DROP TRIGGER audit_is_only_appended_to ON audit;
DROP TRIGGER audit_is_not_truncated ON audit;
DROP FUNCTION audit_row_changes();
CREATE TRIGGER audit_is_only_appended_to BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
EXECUTE FUNCTION audit_is_only_appended_to();
DROP TABLE audit_checkpoint;
DROP INDEX audit_by_user;
ALTER TABLE audit DROP COLUMN request_id;
ALTER TABLE audit DROP COLUMN client_ip;
ALTER TABLE audit DROP COLUMN user_agent;
ALTER TABLE audit DROP COLUMN username;
ALTER TABLE audit DROP COLUMN salt;
ALTER TABLE audit DROP COLUMN personal_mac;
