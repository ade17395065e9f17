ALTER TABLE clients DROP COLUMN cors_origins;
