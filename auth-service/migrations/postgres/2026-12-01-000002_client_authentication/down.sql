DROP TABLE trusted_issuers;
ALTER TABLE clients DROP COLUMN workload_claims;
ALTER TABLE clients DROP COLUMN workload_subject;
ALTER TABLE clients DROP COLUMN workload_issuer;
ALTER TABLE clients DROP COLUMN jwks_uri;
ALTER TABLE clients DROP COLUMN jwks;
ALTER TABLE clients DROP COLUMN auth_method;
