-- How often logins have failed, by hashed account, network of the peer, and both: a point in time that each failure
-- moves on, in milliseconds since the epoch. A row that lies in the past means nothing.
CREATE TABLE login_failures (
    id TEXT PRIMARY KEY NOT NULL,
    until BIGINT NOT NULL
);
