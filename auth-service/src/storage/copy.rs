//! The database as a file, and back.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Text};
use diesel::{Connection, RunQueryDsl, SqliteConnection};
use percent_encoding::percent_decode_str;
use rustix::fs::Mode;
use rustix::process::umask;

use super::Storage;
use super::connection::AnyConnection;
use super::connection_settings::Access;
use super::error::StorageError;
use super::url::DatabaseUrl;

impl Storage {
    /// Where the database is.
    #[must_use]
    pub fn url(&self) -> &DatabaseUrl {
        &self.parts.url
    }

    /// Writes a copy of the database as of one moment into a new file, while others write: a SQLite file, or what `pg_dump`
    /// prints.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] with what to do.
    pub fn copy_to(&self, file: &Path) -> Result<(), StorageError> {
        match self.url() {
            DatabaseUrl::Sqlite(_) => {
                let name = file.to_str().ok_or_else(|| unavailable("the path is not UTF-8"))?.to_owned();
                // A connection of its own: the copy takes as long as it takes.
                let mut connection = AnyConnection::open(self.url(), Access::Migrate)?;
                let copy = diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(name);
                copy.execute(&mut connection)?;
                Ok(())
            }
            DatabaseUrl::Postgres(url) => dump(url, file),
        }
    }

    /// What SQLite finds wrong with the file; PostgreSQL checks its pages itself.
    ///
    /// # Errors
    /// [`StorageError::Unreadable`] with the first thing that is wrong.
    pub fn check_integrity(&self) -> Result<(), StorageError> {
        #[derive(diesel::QueryableByName)]
        struct Finding {
            #[diesel(sql_type = Text)]
            integrity_check: String,
        }
        self.read(|connection| {
            let AnyConnection::Sqlite(_) = connection else { return Ok(()) };
            let findings: Vec<Finding> = diesel::sql_query("PRAGMA integrity_check").load(connection)?;
            match findings.first() {
                Some(finding) if finding.integrity_check != "ok" => {
                    Err(StorageError::Unreadable(finding.integrity_check.clone()))
                }
                _ => Ok(()),
            }
        })
    }
}

/// Makes sure that nobody else is at the database before it is replaced. A SQLite file has no log beside it afterwards.
///
/// # Errors
/// [`StorageError::Unavailable`] when another process uses it. A file that is no database any more is nobody's.
pub fn check_unused(url: &DatabaseUrl) -> Result<(), StorageError> {
    let in_use = || unavailable("another process uses it: stop every replica first");
    match url {
        DatabaseUrl::Sqlite(path) if !path.exists() => Ok(()),
        DatabaseUrl::Sqlite(path) => {
            let name = path.to_str().ok_or_else(|| unavailable("the path is not UTF-8"))?;
            // To leave the write-ahead log takes the file for oneself.
            let left = SqliteConnection::establish(name).map_err(|error| error.to_string()).and_then(
                |mut opened| {
                    let leave = "PRAGMA busy_timeout = 1000; PRAGMA journal_mode = DELETE";
                    opened.batch_execute(leave).map_err(|error| error.to_string())
                },
            );
            match left {
                Err(cause) if cause.contains("locked") => Err(in_use()),
                Ok(()) | Err(_) => Ok(()),
            }
        }
        DatabaseUrl::Postgres(_) => {
            let mut connection = AnyConnection::open(url, Access::Migrate)?;
            let others = diesel::sql_query(
                "SELECT count(*) AS others FROM pg_stat_activity WHERE datname = current_database() \
                 AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
            );
            let others: Others = others.get_result(&mut connection)?;
            if others.others == 0 { Ok(()) } else { Err(in_use()) }
        }
    }
}

#[derive(diesel::QueryableByName)]
struct Others {
    #[diesel(sql_type = BigInt)]
    others: i64,
}

/// Replaces everything in a PostgreSQL database by a dump, in one transaction, after writing what was there to `before`.
///
/// # Errors
/// [`StorageError::Unavailable`]; nothing is changed then.
pub fn replace_database(url: &DatabaseUrl, dumped: &Path, before: &Path) -> Result<(), StorageError> {
    let DatabaseUrl::Postgres(url) = url else { return Err(unavailable("not a PostgreSQL database")) };
    dump(url, before)?;
    let emptied = "DROP SCHEMA public CASCADE; CREATE SCHEMA public";
    let once = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"];
    let file = [OsString::from("--file"), dumped.into()];
    let mut arguments: Vec<OsString> = once.iter().map(OsString::from).collect();
    arguments.extend(["--command".into(), emptied.into()]);
    arguments.extend(file);
    run("psql", url, arguments)
}

fn dump(url: &str, file: &Path) -> Result<(), StorageError> {
    let options = ["--no-owner", "--no-privileges", "--file"];
    let mut arguments: Vec<OsString> = options.iter().map(OsString::from).collect();
    arguments.push(file.into());
    run("pg_dump", url, arguments)
}

/// Runs a tool of PostgreSQL. The password is in its environment: everyone sees the arguments of a process.
fn run(tool: &str, url: &str, arguments: Vec<OsString>) -> Result<(), StorageError> {
    if url.split_once('?').is_some_and(|(_, parameters)| parameters.contains("password=")) {
        return Err(unavailable(
            "the URL has a password among its parameters: write it as user:password@host",
        ));
    }
    let (url, password) = without_password(url);
    // The dump holds hashes of passwords.
    umask(Mode::RWXG | Mode::RWXO);
    let output = |program: &Path| {
        let mut command = Command::new(program);
        command.args(&arguments).arg("--dbname").arg(&url).env("PGCONNECT_TIMEOUT", "10");
        if let Some(password) = &password {
            command.env("PGPASSWORD", password);
        }
        command.output()
    };
    let output = match (output(Path::new(tool)), beside_the_server(tool)) {
        (Err(error), Some(program)) if error.kind() == ErrorKind::NotFound => output(&program),
        (output, _) => output,
    };
    let Output { status, stderr, .. } = output.map_err(|error| {
        unavailable(&format!("{tool}: {error}: install the client of PostgreSQL (postgresql-client)"))
    })?;
    if status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&stderr);
    let said = said.lines().find(|line| line.contains("error") || line.contains("ERROR")).unwrap_or(&said);
    Err(unavailable(&format!("{tool}: {}", said.trim())))
}

/// Where Debian keeps the versions side by side: the newest, which reads older servers.
fn beside_the_server(tool: &str) -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions.map(|version| version.path().join("bin").join(tool)).filter(|path| path.is_file()).max()
}

fn without_password(url: &str) -> (String, Option<String>) {
    let whole = || (url.to_owned(), None);
    let Some((scheme, rest)) = url.split_once("://") else { return whole() };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let Some((user, hosts)) = rest[..end].rsplit_once('@') else { return whole() };
    let Some((user, password)) = user.split_once(':') else { return whole() };
    let password = percent_decode_str(password).decode_utf8_lossy().into_owned();
    (format!("{scheme}://{user}@{hosts}{}", &rest[end..]), Some(password))
}

fn unavailable(cause: &str) -> StorageError {
    StorageError::Unavailable(cause.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_taken_out_of_a_url() {
        let table = [
            ("postgres://u:p%40ss@h/d", "postgres://u@h/d", Some("p@ss")),
            (
                "postgres://u:a:b@h1:1,h2:2/d?sslmode=require",
                "postgres://u@h1:1,h2:2/d?sslmode=require",
                Some("a:b"),
            ),
            ("postgres://u@h/d", "postgres://u@h/d", None),
            ("postgres:///d?host=/run", "postgres:///d?host=/run", None),
        ];
        for (url, expected, password) in table {
            assert_eq!(without_password(url), (expected.to_owned(), password.map(str::to_owned)), "{url}");
        }
    }
}
