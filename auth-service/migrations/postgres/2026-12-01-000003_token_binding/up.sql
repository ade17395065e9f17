-- What the tokens of a client are bound to: dpop or certificate; none of them has to be by default.
ALTER TABLE clients ADD COLUMN token_binding TEXT;
