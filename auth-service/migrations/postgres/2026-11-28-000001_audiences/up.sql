-- `typ` of the access tokens of an audience whose verifiers refuse at+jwt; NULL for at+jwt.
ALTER TABLE audiences ADD COLUMN token_type TEXT;

-- Audiences, with spaces between, whose tokens a client may introspect beside its own.
ALTER TABLE clients ADD COLUMN introspects TEXT NOT NULL DEFAULT '';
