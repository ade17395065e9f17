-- Longest life of an access token that any process on this database was set to, in milliseconds: how long
-- a revocation is needed does not depend on the settings of the process that makes it.
INSERT INTO counters (name, value) VALUES ('longest_token', 0);
