-- How a client proves itself, where it is not by a secret: private_key_jwt or workload.
ALTER TABLE clients ADD COLUMN auth_method TEXT;
-- Of private_key_jwt one of the two: its public keys (RFC 7517), or where it publishes them.
ALTER TABLE clients ADD COLUMN jwks TEXT;
ALTER TABLE clients ADD COLUMN jwks_uri TEXT;
-- Of a workload: who issues its tokens, what their subject is, and other claims, as a JSON object of strings.
ALTER TABLE clients ADD COLUMN workload_issuer TEXT;
ALTER TABLE clients ADD COLUMN workload_subject TEXT;
ALTER TABLE clients ADD COLUMN workload_claims TEXT;

-- Platforms whose tokens prove workloads.
CREATE TABLE trusted_issuers (
    issuer TEXT PRIMARY KEY NOT NULL,
    -- One of the two, or none where its metadata says.
    jwks TEXT,
    jwks_uri TEXT,
    -- None for the issuer of this authority.
    audience TEXT,
    created_at BIGINT NOT NULL
);
