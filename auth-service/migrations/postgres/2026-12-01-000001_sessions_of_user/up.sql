-- One index instead of two: each session that begins writes them all. Live sessions of a user are those without an end.
CREATE INDEX sessions_by_user ON sessions (user_id, ended_at, created_at);
DROP INDEX sessions_of_user;
DROP INDEX live_sessions_of_user;
