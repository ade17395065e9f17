ALTER TABLE clients DROP COLUMN token_binding;
