CREATE INDEX sessions_of_user ON sessions (user_id);
CREATE INDEX live_sessions_of_user ON sessions (user_id, created_at) WHERE ended_at IS NULL;
DROP INDEX sessions_by_user;
