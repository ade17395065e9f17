-- Origins of the browser applications of a client, separated by spaces.
ALTER TABLE clients ADD COLUMN cors_origins TEXT NOT NULL DEFAULT '';
