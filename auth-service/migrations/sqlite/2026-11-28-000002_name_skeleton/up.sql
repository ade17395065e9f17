-- What a username looks like (Unicode Technical Standard 39, section 4): names that look alike share it. Imported users
-- keep the names they have; a new user may look like no other. NULL until a start of this version fills it in.
ALTER TABLE users ADD COLUMN name_skeleton TEXT;
CREATE INDEX users_by_name_skeleton ON users (name_skeleton);
CREATE UNIQUE INDEX new_users_by_name_skeleton ON users (name_skeleton) WHERE import_mark IS NULL;
