-- Of tls_client_auth the name in the certificates of a client, of self_signed_tls_client_auth the hashes of its certificates.
ALTER TABLE clients ADD COLUMN certificate TEXT;
