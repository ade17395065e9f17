//! The tables of a Django project, read as records: the databases write the JSON themselves, so that no column needs
//! to be known here but those that Django makes.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Double, Text};
use serde_json::Value;

use super::connection::AnyConnection;
use super::django_schema::{Column, as_in_a_dump, connect, exists, primary_key, with_dashes};
use super::error::StorageError;
use super::table_name::TableName;
use super::url::DatabaseUrl;

/// Rows that are held at one time.
const PAGE: i64 = 1000;

const OUTSTANDING: &str = "token_blacklist_outstandingtoken";
const BLACKLISTED: &str = "token_blacklist_blacklistedtoken";

/// A connection to a database that is someone else's: it is read as of one moment and never written.
pub struct DjangoTables {
    connection: AnyConnection,
    users: Users,
}

/// Where accounts are.
struct Users {
    table: TableName,
    key: String,
    /// SQLite has no UUIDs: Django keeps them there as 32 digits.
    key_is_uuid: bool,
    /// The model's name, by which the tables of its groups and permissions refer to it.
    model: String,
}

/// OnRow of one row: its key, and its fields as JSON.
type OnRow<'a> = &'a mut dyn FnMut(Value, String) -> Result<(), String>;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    pk: String,
    #[diesel(sql_type = Text)]
    fields: String,
    /// Where to go on.
    #[diesel(sql_type = BigInt)]
    place: i64,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = Double)]
    rows: f64,
}

impl DjangoTables {
    /// # Errors
    /// [`StorageError::Unavailable`], also when there is no such table.
    pub fn open(url: &DatabaseUrl, table: &str, model: &str) -> Result<Self, StorageError> {
        let unavailable = |cause: String| StorageError::Unavailable(cause);
        let table = TableName::parse(table).ok_or_else(|| {
            let rule = "is not a table name: expected TABLE, SCHEMA.TABLE or \"SCHEMA\".\"TABLE\"";
            unavailable(format!("django.user_table `{table}` {rule}"))
        })?;
        if !model.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte)) {
            return Err(unavailable(format!(
                "django.user_model `{model}` is not a model name: expected APP.MODEL"
            )));
        }
        let mut connection = connect(url)?;
        if !exists(&mut connection, &table)? {
            let table = table.quoted();
            return Err(unavailable(format!(
                "has no table {table}: set django.user_table to the table of users"
            )));
        }
        let key = primary_key(&mut connection, &table)?;
        let model = model.rsplit('.').next().unwrap_or(model).to_owned();
        let users = Users { table, key_is_uuid: key.declared == "char(32)", key: key.name, model };
        Ok(Self { connection, users })
    }

    /// Groups, with the natural keys of their permissions.
    ///
    /// # Errors
    /// One line.
    pub fn groups(&mut self, on_row: OnRow<'_>) -> Result<(), String> {
        let tables = ["auth_group", "auth_group_permissions", "auth_permission", "django_content_type"];
        let Some([group, of_groups, permission, content_type]) = self.located(tables)? else { return Ok(()) };
        let permissions = format!(
            "FROM {} gp JOIN {} p ON p.id = gp.permission_id \
             JOIN {} c ON c.id = p.content_type_id WHERE gp.group_id = t.id",
            of_groups.quoted(),
            permission.quoted(),
            content_type.quoted()
        );
        let fields =
            [("'name'", "t.name".to_owned()), ("'permissions'", self.array(PERMISSION, &permissions))];
        self.walk(&group, "id", &self.object(&fields), |row, _| on_row(Value::String(row.pk), row.fields))
    }

    /// Accounts with all of their columns, and the natural keys of their groups and permissions; on_row with the part
    /// of the table that has been read.
    ///
    /// # Errors
    /// One line.
    pub fn users(
        &mut self,
        on_row: &mut dyn FnMut(Value, String, f64) -> Result<(), String>,
    ) -> Result<(), String> {
        let Users { table, key, key_is_uuid, model } = &self.users;
        let (table, key, key_is_uuid) = (table.clone(), key.clone(), *key_is_uuid);
        let model = model.clone();
        let beside = |suffix: &str| table.beside(&format!("{}_{suffix}", table.name()));
        let (of_groups, of_permissions) = (beside("groups"), beside("user_permissions"));
        let mut extra = Vec::new();
        if let Some([group]) = self.located(["auth_group"])?
            && self.has(&of_groups)?
        {
            let groups = format!(
                "FROM {} ug JOIN {} g ON g.id = ug.group_id WHERE ug.\"{model}_id\" = t.\"{key}\"",
                of_groups.quoted(),
                group.quoted()
            );
            extra.push(("'groups'", self.array("g.name", &groups)));
        }
        if let Some([permission, content_type]) = self.located(["auth_permission", "django_content_type"])?
            && self.has(&of_permissions)?
        {
            let permissions = format!(
                "FROM {} up JOIN {} p ON p.id = up.permission_id \
                 JOIN {} c ON c.id = p.content_type_id WHERE up.\"{model}_id\" = t.\"{key}\"",
                of_permissions.quoted(),
                permission.quoted(),
                content_type.quoted()
            );
            extra.push(("'user_permissions'", self.array(PERMISSION, &permissions)));
        }
        let all = self.count(&table)?;
        let fields = self.row_with(&table, &extra)?;
        let mut read = 0.0;
        self.walk(&table, &key, &fields, |row, _| {
            read += 1.0;
            let pk = if key_is_uuid { with_dashes(&row.pk) } else { row.pk };
            on_row(Value::String(pk), row.fields, read / f64::max(all, 1.0))
        })
    }

    /// Refresh tokens that are blacklisted.
    ///
    /// # Errors
    /// One line.
    pub fn blacklisted_tokens(&mut self, on_row: OnRow<'_>) -> Result<(), String> {
        let Some([outstanding, blacklisted]) = self.located([OUTSTANDING, BLACKLISTED])? else {
            return Ok(());
        };
        let outstanding = outstanding.quoted();
        let of = |column: &str| format!("(SELECT o.{column} FROM {outstanding} o WHERE o.id = t.token_id)");
        let fields = self.object(&[("'jti'", of("jti")), ("'expires_at'", of("expires_at"))]);
        self.walk(&blacklisted, "id", &fields, |row, _| on_row(Value::String(row.pk), row.fields))
    }

    /// Every row of a table, a page at a time, in one snapshot.
    fn walk(
        &mut self,
        table: &TableName,
        key: &str,
        fields: &str,
        mut each: impl FnMut(Row, i64) -> Result<(), String>,
    ) -> Result<(), String> {
        let on_row = |error: diesel::result::Error| StorageError::from(error).to_string();
        let table = table.quoted();
        match &mut self.connection {
            AnyConnection::Postgres(connection) => {
                let query = format!(
                    "DECLARE rows NO SCROLL CURSOR FOR SELECT t.\"{key}\"::text AS pk, ({fields})::text AS fields, \
                     0::bigint AS place FROM {table} t"
                );
                connection.batch_execute(&query).map_err(on_row)?;
                loop {
                    let page: Vec<Row> =
                        sql_query(format!("FETCH {PAGE} FROM rows")).load(connection).map_err(on_row)?;
                    if page.is_empty() {
                        return connection.batch_execute("CLOSE rows").map_err(on_row);
                    }
                    page.into_iter().try_for_each(|row| each(row, 0))?;
                }
            }
            AnyConnection::Sqlite(connection) => {
                let query = format!(
                    "SELECT CAST(t.\"{key}\" AS TEXT) AS pk, {fields} AS fields, t.rowid AS place \
                     FROM {table} t WHERE t.rowid > ? ORDER BY t.rowid LIMIT {PAGE}"
                );
                let mut after = i64::MIN;
                loop {
                    let page: Vec<Row> =
                        sql_query(&query).bind::<BigInt, _>(after).load(connection).map_err(on_row)?;
                    let Some(last) = page.last() else { return Ok(()) };
                    after = last.place;
                    page.into_iter().try_for_each(|row| each(row, 0))?;
                }
            }
        }
    }

    fn has(&mut self, table: &TableName) -> Result<bool, String> {
        exists(&mut self.connection, table).map_err(|error| error.to_string())
    }

    /// Tables of Django's own applications, in the schema of the users or where the connection looks; `None` unless
    /// all of them are there.
    fn located<const N: usize>(&mut self, names: [&str; N]) -> Result<Option<[TableName; N]>, String> {
        let mut found = Vec::with_capacity(N);
        for name in names {
            let beside = self.users.table.beside(name);
            if self.has(&beside)? {
                found.push(beside);
            } else if self.has(&TableName::plain(name))? {
                found.push(TableName::plain(name));
            } else {
                return Ok(None);
            }
        }
        Ok(found.try_into().ok())
    }

    fn count(&mut self, table: &TableName) -> Result<f64, String> {
        let table = table.quoted();
        let query = sql_query(format!("SELECT CAST(count(*) AS DOUBLE PRECISION) AS rows FROM {table}"));
        let counted: Count =
            query.get_result(&mut self.connection).map_err(|error| StorageError::from(error).to_string())?;
        Ok(counted.rows)
    }

    fn is_postgres(&self) -> bool {
        matches!(self.connection, AnyConnection::Postgres(_))
    }

    /// A JSON object of names and what they are.
    fn object(&self, fields: &[(&str, String)]) -> String {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}, {value}")).collect();
        let make = if self.is_postgres() { "jsonb_build_object" } else { "json_object" };
        format!("{make}({})", fields.join(", "))
    }

    /// A JSON array of natural keys, of the rows of a subquery.
    fn array(&self, key: &str, from: &str) -> String {
        if self.is_postgres() {
            return format!("(SELECT coalesce(jsonb_agg(jsonb_build_array({key})), '[]') {from})");
        }
        format!("json((SELECT json_group_array(json_array({key})) {from}))")
    }

    /// A row with all of its columns, but for those that no JSON can hold, and more fields.
    fn row_with(&mut self, table: &TableName, extra: &[(&str, String)]) -> Result<String, String> {
        if self.is_postgres() {
            return Ok(format!("to_jsonb(t) || {}", self.object(extra)));
        }
        let columns = sql_query(
            "SELECT name, lower(type) AS declared FROM pragma_table_info(?) WHERE type NOT LIKE '%blob%'",
        );
        let columns: Vec<Column> = columns
            .bind::<Text, _>(table.name())
            .load(&mut self.connection)
            .map_err(|error| StorageError::from(error).to_string())?;
        let names: Vec<String> =
            columns.iter().map(|column| format!("'{}'", column.name.replace('\'', "''"))).collect();
        let quoted = columns.iter().map(|column| as_in_a_dump(&column.name, &column.declared));
        let mut fields: Vec<(&str, String)> = names.iter().map(String::as_str).zip(quoted).collect();
        fields.extend(extra.iter().cloned());
        Ok(self.object(&fields))
    }
}

const PERMISSION: &str = "p.codename, c.app_label, c.model";
