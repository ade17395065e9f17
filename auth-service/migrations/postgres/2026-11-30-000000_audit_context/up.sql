-- Where a request came from and the username that it tried. They are personal data, and erased with their user: the MAC of
-- an entry covers personal_mac, which stays.
ALTER TABLE audit ADD COLUMN request_id TEXT;
ALTER TABLE audit ADD COLUMN client_ip TEXT;
ALTER TABLE audit ADD COLUMN user_agent TEXT;
ALTER TABLE audit ADD COLUMN username TEXT;
ALTER TABLE audit ADD COLUMN salt BYTEA;
ALTER TABLE audit ADD COLUMN personal_mac BYTEA;
CREATE INDEX audit_by_user ON audit (user_id, seq);
-- The last entry that was pruned, sealed: what follows is verified from there.
CREATE TABLE audit_checkpoint (
    id BIGINT PRIMARY KEY NOT NULL CHECK (id = 1),
    seq BIGINT NOT NULL,
    mac BYTEA NOT NULL,
    seal BYTEA NOT NULL
);
DROP TRIGGER audit_is_only_appended_to ON audit;
CREATE FUNCTION audit_row_changes() RETURNS trigger AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.seq <= coalesce((SELECT seq FROM audit_checkpoint), 0) THEN RETURN OLD; END IF;
    ELSIF coalesce(NEW.client_ip, NEW.user_agent, NEW.username) IS NULL AND NEW.salt IS NULL
        AND (NEW.seq, NEW.at, NEW.action, NEW.outcome, NEW.actor, NEW.user_id, NEW.client_id, NEW.session_id, NEW.key_id,
            NEW.detail, NEW.mac, NEW.request_id, NEW.personal_mac)
        IS NOT DISTINCT FROM
            (OLD.seq, OLD.at, OLD.action, OLD.outcome, OLD.actor, OLD.user_id, OLD.client_id, OLD.session_id, OLD.key_id,
            OLD.detail, OLD.mac, OLD.request_id, OLD.personal_mac) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the audit log is only appended to';
END
$$ LANGUAGE plpgsql;
CREATE TRIGGER audit_is_only_appended_to BEFORE UPDATE OR DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_row_changes();
CREATE TRIGGER audit_is_not_truncated BEFORE TRUNCATE ON audit
EXECUTE FUNCTION audit_is_only_appended_to();
