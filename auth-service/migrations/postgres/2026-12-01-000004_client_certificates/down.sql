ALTER TABLE clients DROP COLUMN certificate;
