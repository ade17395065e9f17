-- The authority's secrets, sealed under the master key, once it was changed. Where a purpose has no row its secret is
-- derived from the master key.
CREATE TABLE secrets (
    purpose TEXT PRIMARY KEY NOT NULL,
    sealed BLOB NOT NULL
);
