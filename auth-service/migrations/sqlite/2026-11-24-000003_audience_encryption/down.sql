ALTER TABLE audiences DROP COLUMN encryption_jwks;
