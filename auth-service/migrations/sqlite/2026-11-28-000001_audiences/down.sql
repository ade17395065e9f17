ALTER TABLE clients DROP COLUMN introspects;
ALTER TABLE audiences DROP COLUMN token_type;
