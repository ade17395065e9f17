use std::fmt;
use std::path::{Path, PathBuf};

/// Where the database is, parsed once. Nothing is ever opened by trying one kind and then the other:
/// a mistyped URL must not become a file of that name.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    Sqlite(PathBuf),
    /// The whole URL; it may hold a password.
    Postgres(String),
}

/// What is wrong with the URL. Does not repeat it: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    #[error("has no scheme: write sqlite://PATH or postgres://USER@HOST/DATABASE")]
    NoScheme,
    #[error("has an unknown scheme: sqlite:// and postgres:// are known")]
    UnknownScheme,
    #[error("names no file: write sqlite://PATH")]
    NoPath,
    #[error("has parameters: a sqlite:// URL is a path and nothing else")]
    Parameters,
    #[error("names no database: write postgres://USER@HOST/DATABASE")]
    NoDatabase,
    #[error("is malformed: write special characters of user and password as %XX, such as %40 for @")]
    Malformed,
}

impl DatabaseUrl {
    /// # Errors
    /// [`InvalidUrl`].
    pub fn parse(url: &str) -> Result<Self, InvalidUrl> {
        let (scheme, rest) = url.split_once("://").ok_or(InvalidUrl::NoScheme)?;
        match scheme {
            "sqlite" if rest.is_empty() || rest.ends_with('/') => Err(InvalidUrl::NoPath),
            "sqlite" if rest.contains(['?', '#']) => Err(InvalidUrl::Parameters),
            // `sqlite:////absolute`, as Django's tools write it: two slashes would be a host in a file: URI.
            "sqlite" if rest.starts_with("//") => {
                Ok(Self::Sqlite(PathBuf::from(format!("/{}", rest.trim_start_matches('/')))))
            }
            "sqlite" => Ok(Self::Sqlite(PathBuf::from(rest))),
            "postgres" | "postgresql" => check_postgres(rest).map(|()| Self::Postgres(url.to_owned())),
            _ => Err(InvalidUrl::UnknownScheme),
        }
    }

    /// The folder of a file database.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => path.parent().filter(|folder| !folder.as_os_str().is_empty()),
            Self::Postgres(_) => None,
        }
    }
}

/// libpq's own messages quote the part that it stumbles over, which may be the password: what it
/// could stumble over does not get that far.
fn check_postgres(rest: &str) -> Result<(), InvalidUrl> {
    let location = rest.split('?').next().unwrap_or_default();
    let (authority, database) = location.split_once('/').ok_or(InvalidUrl::NoDatabase)?;
    if database.is_empty() {
        return Err(InvalidUrl::NoDatabase);
    }
    let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:,[]%".contains(&byte);
    let host = |host: &str| match host.rsplit_once(':') {
        Some((_, port)) if !host.ends_with(']') => port.parse::<u16>().is_ok(),
        _ => true,
    };
    let whole = user.bytes().all(|byte| byte.is_ascii_graphic() && !b"@/[]".contains(&byte))
        && hosts.bytes().all(host_byte)
        && hosts.split(',').all(host)
        && !database.contains(['/', '@', ':'])
        && rest.bytes().all(|byte| byte.is_ascii_graphic())
        && rest
            .split('%')
            .skip(1)
            .all(|escaped| escaped.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2);
    if whole { Ok(()) } else { Err(InvalidUrl::Malformed) }
}

/// Without user and password.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => {
                let rest = url.split_once("://").map_or("", |(_, rest)| rest);
                let location = rest.split('?').next().unwrap_or_default();
                write!(f, "postgres://{}", location.rsplit('@').next().unwrap_or_default())
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_by_its_scheme_alone() {
        let table = [
            ("sqlite://data/signet.db", Ok(DatabaseUrl::Sqlite("data/signet.db".into()))),
            ("sqlite:///var/signet.db", Ok(DatabaseUrl::Sqlite("/var/signet.db".into()))),
            ("sqlite:////var/signet.db", Ok(DatabaseUrl::Sqlite("/var/signet.db".into()))),
            ("sqlite://", Err(InvalidUrl::NoPath)),
            ("sqlite://data/", Err(InvalidUrl::NoPath)),
            ("sqlite://a.db?mode=rwc", Err(InvalidUrl::Parameters)),
            ("sqlite:a.db", Err(InvalidUrl::NoScheme)),
            ("host=localhost dbname=signet", Err(InvalidUrl::NoScheme)),
            ("postgress://localhost/signet", Err(InvalidUrl::UnknownScheme)),
            ("mysql://localhost/signet", Err(InvalidUrl::UnknownScheme)),
            ("postgres://localhost", Err(InvalidUrl::NoDatabase)),
            ("postgres://localhost/?sslmode=require", Err(InvalidUrl::NoDatabase)),
            ("postgres://u:se kret@db/signet", Err(InvalidUrl::Malformed)),
            ("postgres://u:sek%zzret@db/signet", Err(InvalidUrl::Malformed)),
            ("postgres://u:sek@ret@db/signet", Err(InvalidUrl::Malformed)),
            ("postgres://u:sek/ret@db/signet", Err(InvalidUrl::Malformed)),
            ("postgres://u:sek?ret@db/signet", Err(InvalidUrl::NoDatabase)),
            ("postgres://u:p@db:many/signet", Err(InvalidUrl::Malformed)),
        ];
        for (url, expected) in table {
            assert_eq!(DatabaseUrl::parse(url), expected, "{url}");
        }
    }

    #[test]
    fn what_libpq_understands_is_passed_on() {
        for url in [
            "postgres://signet@127.0.0.1:5432/signet",
            "postgresql://u:p%40ss%2Fword@db.example/signet?sslmode=verify-full&sslrootcert=/etc/ca.pem",
            "postgres://u@one:5432,two:5433/signet?target_session_attrs=read-write",
            "postgres://u@[::1]:5432/signet",
            "postgres:///signet?host=/run/postgresql",
        ] {
            assert_eq!(DatabaseUrl::parse(url), Ok(DatabaseUrl::Postgres(url.to_owned())), "{url}");
        }
    }

    #[test]
    fn a_printed_url_holds_no_password() {
        let url = DatabaseUrl::parse("postgres://app:hunter2@db:5432/signet?sslmode=require").unwrap();
        assert_eq!(url.to_string(), "postgres://db:5432/signet");
    }
}
