use std::path::PathBuf;

use documented::DocumentedFields;
use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// What is offered to users.
#[derive(Debug, Clone, Default, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Accounts {
    /// Allow users to register; needs `mail.url`.
    pub registration: bool,
    /// URL of the application that takes the token of a registration e-mail, with `{token}`, best behind a `#`:
    /// `https://app.example/welcome#{token}`. Empty: the e-mail contains the token only.
    #[serde(deserialize_with = "link")]
    pub registration_link: String,
    /// The same for a new e-mail address.
    #[serde(deserialize_with = "link")]
    pub email_link: String,
    /// The same for a password reset.
    #[serde(deserialize_with = "link")]
    pub reset_link: String,
}

/// The mail server. No `Debug`: the URL may hold a password.
#[derive(Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Mail {
    /// Mail server: `smtps://HOST`, `smtp://HOST?tls=required` (STARTTLS), or `smtp://` to this machine. None: no
    /// e-mail is sent.
    #[serde(deserialize_with = "url")]
    pub url: Option<String>,
    /// User of the mail server.
    pub username: Option<String>,
    /// File that holds the password of the mail server.
    pub password_file: Option<PathBuf>,
    /// Sender of e-mails: `Signet <signet@example.org>`.
    pub from: String,
}

impl Default for Mail {
    fn default() -> Self {
        Self { url: None, username: None, password_file: None, from: "Signet <signet@localhost>".to_owned() }
    }
}

fn link<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let is_link = text.starts_with("https://") || text.starts_with("http://");
    if text.is_empty() || is_link && text.matches("{token}").count() == 1 {
        return Ok(text);
    }
    Err(D::Error::custom("expected a URL with {token} in it"))
}

/// E-mails contain tokens, so the connection must be encrypted.
fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let wrong =
        || D::Error::custom("expected smtps://, smtp:// with tls=required, or smtp:// to this machine");
    let url = reqwest::Url::parse(&text).map_err(|_| wrong())?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let loopback = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    let starttls = url.query_pairs().any(|(name, value)| name == "tls" && value == "required");
    match url.scheme() {
        "smtps" => Ok(Some(text)),
        "smtp" if loopback || starttls => Ok(Some(text)),
        _ => Err(wrong()),
    }
}
