use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Nullable, Text};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Prepared;
use crate::clock::Timestamp;
use crate::storage::connection::AnyConnection;
use crate::storage::error::StorageError;
use crate::storage::users::scheme_of;
use crate::users::spelling_key;

#[derive(QueryableByName)]
struct Inserted {
    #[diesel(sql_type = Nullable<Text>)]
    legacy_id: Option<String>,
}

/// One statement for all of them, whose rows travel as one JSON text: the time of many statements goes to the way.
const INSERT_SQLITE: &str = "INSERT INTO users (id, username, name_key, name_skeleton, password_hash, password_epoch, \
     password_scheme, roles, created_at, disabled_at, legacy_id, import_mark, profile, email, email_key) \
     SELECT value ->> 'id', value ->> 'username', value ->> 'name_key', value ->> 'name_skeleton', value ->> 'password_hash', 0, \
     value ->> 'password_scheme', value ->> 'roles', value ->> 'created_at', value ->> 'disabled_at', \
     value ->> 'legacy_id', value ->> 'import_mark', value ->> 'profile', value ->> 'email', \
     value ->> 'email_key' FROM json_each($1) WHERE true ON CONFLICT DO NOTHING RETURNING legacy_id";

const INSERT_POSTGRES: &str = "INSERT INTO users (id, username, name_key, name_skeleton, password_hash, password_epoch, \
     password_scheme, roles, created_at, disabled_at, legacy_id, import_mark, profile, email, email_key) \
     SELECT id, username, name_key, name_skeleton, password_hash, 0, password_scheme, roles, created_at, disabled_at, \
     legacy_id, import_mark, profile, email, email_key FROM json_to_recordset($1::json) AS \
     given(id text, username text, name_key text, name_skeleton text, password_hash text, password_scheme text, roles text, \
     created_at bigint, disabled_at bigint, legacy_id text, import_mark text, profile text, email text, \
     email_key text) ON CONFLICT DO NOTHING RETURNING legacy_id";

pub(super) fn insert(
    connection: &mut AnyConnection,
    new: &[&Prepared],
    now: Timestamp,
) -> Result<HashSet<String>, StorageError> {
    if new.is_empty() {
        return Ok(HashSet::new());
    }
    let rows: Vec<Value> = new.iter().map(|prepared| row(prepared, now)).collect();
    let statement = match connection {
        AnyConnection::Postgres(_) => INSERT_POSTGRES,
        AnyConnection::Sqlite(_) => INSERT_SQLITE,
    };
    let inserted: Vec<Inserted> =
        sql_query(statement).bind::<Text, _>(Value::Array(rows).to_string()).load(connection)?;
    Ok(inserted.into_iter().filter_map(|row| row.legacy_id).collect())
}

fn row(prepared: &Prepared, now: Timestamp) -> Value {
    let user = &prepared.user;
    json!({
        "id": Uuid::new_v4().to_string(),
        "username": user.username.as_str(),
        "name_key": user.username.key(),
        "name_skeleton": prepared.skeleton,
        "password_hash": user.password_hash,
        "password_scheme": scheme_of(&user.password_hash),
        "roles": user.roles.join(" "),
        "created_at": user.created_at.unwrap_or(now.0),
        "disabled_at": user.disabled.then_some(now.0),
        "legacy_id": user.legacy_id,
        "import_mark": prepared.mark.text(),
        "profile": user.profile,
        "email": user.email,
        "email_key": user.email.as_deref().map(spelling_key),
    })
}
