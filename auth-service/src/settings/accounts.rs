use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// What is offered to people.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Accounts {
    /// `AUTH__ACCOUNTS__REGISTRATION`: whether strangers may make an account; needs `[mail]`. Default `false`.
    pub registration: bool,
    /// `AUTH__ACCOUNTS__REGISTRATION_LINK`: where an application takes the token of a letter, with `{token}` for it, best
    /// behind a `#`: `https://app.example/welcome#{token}`. Without one the letter has the token alone. Default empty.
    #[serde(deserialize_with = "link")]
    pub registration_link: String,
    /// `AUTH__ACCOUNTS__EMAIL_LINK`: the same for a new address. Default empty.
    #[serde(deserialize_with = "link")]
    pub email_link: String,
    /// `AUTH__ACCOUNTS__RESET_LINK`: the same for another password. Default empty.
    #[serde(deserialize_with = "link")]
    pub reset_link: String,
}

/// The mail server. No `Debug`: the URL may hold a password.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Mail {
    /// `AUTH__MAIL__URL`: `smtps://HOST`, `smtp://HOST?tls=required` (STARTTLS), or `smtp://` to this machine. None by
    /// default: nobody is written to.
    #[serde(deserialize_with = "url")]
    pub url: Option<String>,
    /// `AUTH__MAIL__USERNAME`. None by default.
    pub username: Option<String>,
    /// `AUTH__MAIL__PASSWORD_FILE`: a file that holds the password. None by default.
    pub password_file: Option<PathBuf>,
    /// `AUTH__MAIL__FROM`: the sender, `Signet <signet@example.org>`. Default `Signet <signet@localhost>`.
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

/// Letters hold tokens: nobody on the way may read them.
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
