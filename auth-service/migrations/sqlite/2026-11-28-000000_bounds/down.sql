DROP INDEX live_sessions_of_user;
UPDATE clients SET scope = trim(replace(' ' || scope || ' ', ' signet:watch ', ' '));
