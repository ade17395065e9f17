-- Names the history that the numbers of the revocations count in; a restored backup must be given a later one.
INSERT INTO counters (name, value) VALUES ('epoch', (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT);

-- Who is connected to which replica, and which keys it can verify with. A replica writes its own rows.
CREATE TABLE replicas (
    id TEXT PRIMARY KEY NOT NULL,
    seen_at BIGINT NOT NULL
);
CREATE TABLE verifiers (
    id TEXT PRIMARY KEY NOT NULL,
    replica TEXT NOT NULL,
    client_id TEXT NOT NULL,
    address TEXT NOT NULL,
    kids TEXT NOT NULL
);
CREATE INDEX verifiers_of_replica ON verifiers (replica);
