use std::fmt;
use std::net::Ipv6Addr;

use url::{Host, Url};

/// Longest one, in bytes.
const MAX_BYTES: usize = 2000;

/// Where the authorization endpoint may send a browser, as it was registered: `https`, `http` to this machine, or the scheme
/// of an app that a reversed domain names (RFC 8252 section 7). It is compared byte by byte, never by its parts: what two
/// parsers read differently is how codes are stolen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUri(String);

impl RedirectUri {
    /// # Errors
    /// What is wrong with it, for the operator.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > MAX_BYTES {
            return Err("longer than 2000 bytes");
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains(['\\', '"', '<', '>', '`', '*'])
        {
            return Err("a URI has no spaces, no wildcards, and no characters that must be encoded");
        }
        if text.contains('#') {
            return Err("a redirect URI has no fragment (RFC 6749 section 3.1.2)");
        }
        let url = Url::parse(text).map_err(|_| "not an absolute URI")?;
        // Written in another way, a browser would go elsewhere than the text says, or a client would compare something else.
        if url.as_str().trim_end_matches('/') != text.trim_end_matches('/') || has_dot_segments(text) {
            return Err("write it as a browser does: lower case, no default port, no dot segments");
        }
        if !url.username().is_empty() || url.password().is_some() || authority_of(text).contains('@') {
            return Err("a redirect URI has no user information");
        }
        match url.scheme() {
            "https" => Ok(()),
            "http" if is_loopback(&url) => Ok(()),
            "http" => Err("http is for this machine only: 127.0.0.1, [::1] or localhost"),
            // RFC 8252 section 7.1. It leaves out javascript, data, file and all others that a browser gives a meaning.
            scheme if scheme.contains('.') && url.cannot_be_a_base() => {
                Err("write one slash behind the scheme")
            }
            scheme if scheme.contains('.') => Ok(()),
            _ => Err("https, http to this machine, or a scheme with a dot such as com.example.app"),
        }?;
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a request may name `unverified`: the same bytes; to a loopback address any port, as an app opens whichever is
    /// free (RFC 8252 section 7.3).
    #[must_use]
    pub fn matches(&self, unverified: &str) -> bool {
        if self.0 == unverified {
            return true;
        }
        let (Some(ours), Some(theirs)) = (loopback_without_port(&self.0), loopback_without_port(unverified))
        else {
            return false;
        };
        ours == theirs
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn authority_of(text: &str) -> &str {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default()
}

fn has_dot_segments(text: &str) -> bool {
    let path = text.split('?').next().unwrap_or_default();
    path.split('/').any(|segment| {
        let segment = segment.to_ascii_lowercase().replace("%2e", ".");
        segment == "." || segment == ".."
    })
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.octets() == [127, 0, 0, 1],
        Some(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Address and path of an `http` URI to a loopback address, without its port; `None` for any other.
fn loopback_without_port(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix("http://")?;
    let address = ["127.0.0.1", "[::1]"].into_iter().find(|address| rest.starts_with(address))?;
    let rest = &rest[address.len()..];
    let Some(behind) = rest.strip_prefix(':') else {
        return (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((address, rest));
    };
    let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
    let port: u16 = behind[..digits].parse().ok()?;
    let path = &behind[digits..];
    (port > 0 && (path.is_empty() || path.starts_with(['/', '?']))).then_some((address, path))
}

#[cfg(test)]
mod tests;
