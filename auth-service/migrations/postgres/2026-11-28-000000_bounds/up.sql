-- Live sessions of a user, the newest last: a login ends the oldest beyond the limit. Rotations change no column of it.
CREATE INDEX live_sessions_of_user ON sessions (user_id, created_at) WHERE ended_at IS NULL;

-- Following the feeds of revocations and keys needs a scope now. Clients that were registered before keep the right.
UPDATE clients SET scope = trim(scope || ' signet:watch');
UPDATE counters SET value = value + 1 WHERE name = 'clients';
