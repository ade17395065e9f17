DROP TABLE counters;
DROP TABLE revocations;
DROP TABLE signing_keys;
DROP TABLE audiences;
DROP TABLE clients;
DROP TABLE sessions;
DROP TABLE users;
