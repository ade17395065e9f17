-- The public key to which an audience's tokens are encrypted, as the audience gave it; null for none.
ALTER TABLE audiences ADD COLUMN encryption_jwks TEXT;
