-- Which tokens a client may exchange for others (RFC 8693): by default none.
CREATE TABLE exchange_rules (
    client_id TEXT NOT NULL,
    -- `aud` of the tokens that it is sent.
    from_audience TEXT NOT NULL,
    -- `aud` of those that it gets.
    to_audience TEXT NOT NULL,
    scope TEXT NOT NULL,
    impersonates BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (client_id, from_audience, to_audience)
);
