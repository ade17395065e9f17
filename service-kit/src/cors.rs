//! Cross-origin requests of browsers (Fetch standard, section "CORS protocol"): exact origins, never `*`.
//!
//! [`crate::observe`] applies a policy where there is one. Not actix-cors: which origins are allowed changes while the process runs (they are registered with clients), and where none is, every
//! answer stays as it was.

use std::fmt;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use actix_web::web::Data;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::{Origin as UrlOrigin, Url};

use crate::refusal::Refusal;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");

/// What browsers may send: the list of django-cors-headers, proofs (RFC 9449), caching and tracing.
const HEADERS: HeaderValue = HeaderValue::from_static(
    "accept, authorization, content-type, dpop, if-none-match, traceparent, x-csrftoken, x-requested-with",
);

/// What scripts may read beside the safe ones.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("dpop-nonce, etag, retry-after, www-authenticate, x-request-id");

/// How long a browser remembers the answer to a preflight, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Origins of browser applications: scheme, host and port, as browsers send them in `Origin` (RFC 6454 section 6.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(Vec<String>);

impl Origins {
    #[must_use]
    pub fn contains(&self, origin: &str) -> bool {
        self.0.iter().any(|known| known == origin)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One origin such as `https://app.example.com`, as browsers spell it.
///
/// # Errors
/// What is wrong with it.
pub fn parse_origin(text: &str) -> Result<String, String> {
    let expected = || format!("expected an origin such as https://app.example.com, found {text:?}");
    if text == "*" {
        return Err("name each origin: * would let every website read the answers".to_owned());
    }
    let url = Url::parse(text).map_err(|_| expected())?;
    let origin = url.origin();
    let is_web = matches!(url.scheme(), "http" | "https") && matches!(origin, UrlOrigin::Tuple(..));
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let named = url.host_str().is_some_and(|host| !host.contains('*')) && url.username().is_empty();
    if is_web && bare && named && url.password().is_none() {
        return Ok(origin.ascii_serialization());
    }
    Err(expected())
}

impl<'de> Deserialize<'de> for Origins {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let origins = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        let origins = origins.map(parse_origin).collect::<Result<_, _>>();
        origins.map(Self).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Origins {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

/// Which origins may read which answers.
pub trait CorsPolicy: Send + Sync {
    /// Whether any origin may: without one, every answer stays as it is.
    fn is_in_use(&self) -> bool;

    fn allows(&self, origin: &str) -> bool;

    /// Whether browsers may send cookies to a path, and scripts read the answer.
    fn allows_credentials(&self, path: &str) -> bool;
}

/// A policy, as application data.
pub type SharedCorsPolicy = Data<dyn CorsPolicy>;

/// For a fixed list, without cookies.
impl CorsPolicy for Origins {
    fn is_in_use(&self) -> bool {
        !self.is_empty()
    }

    fn allows(&self, origin: &str) -> bool {
        self.contains(origin)
    }

    fn allows_credentials(&self, _path: &str) -> bool {
        false
    }
}

/// A policy as application data.
#[must_use]
pub fn shared(policy: impl CorsPolicy + 'static) -> SharedCorsPolicy {
    Data::from(Arc::new(policy) as Arc<dyn CorsPolicy>)
}

/// What the policy makes of one request.
pub(crate) struct Cors {
    /// The origin that may read the answer.
    allowed: Option<HeaderValue>,
    credentials: bool,
    preflight: bool,
}

impl Cors {
    /// `None` where no policy is in use.
    pub(crate) fn of(request: &ServiceRequest) -> Option<Self> {
        let policy = request.app_data::<SharedCorsPolicy>().filter(|policy| policy.is_in_use())?;
        let sent = request.headers().get(ORIGIN);
        let allowed = sent.filter(|sent| sent.to_str().is_ok_and(|origin| policy.allows(origin)));
        Some(Self {
            allowed: allowed.cloned(),
            credentials: policy.allows_credentials(request.path()),
            preflight: sent.is_some() && is_preflight(request),
        })
    }

    /// The answer to a preflight, which no handler sees.
    pub(crate) fn answer(&self) -> Option<HttpResponse> {
        let answer = || if self.allowed.is_some() { preflight() } else { refused() };
        self.preflight.then(answer)
    }

    pub(crate) fn mark(self, headers: &mut HeaderMap) {
        // Also without an origin: a cache must not give that answer to a browser that has one.
        headers.append(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = self.allowed {
            allow(headers, origin, self.credentials);
        }
    }
}

fn is_preflight(request: &ServiceRequest) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, METHODS))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, HEADERS))
        .insert_header((ACCESS_CONTROL_MAX_AGE, MAX_AGE))
        .finish()
}

/// The browser refuses in any case; its network log shows why.
fn refused() -> HttpResponse {
    let cause = "the origin is not allowed here";
    let body = serde_json::json!({"error": "invalid_request", "error_description": cause});
    let refusal = Refusal { error: "Cors".to_owned(), cause: cause.to_owned() };
    let mut response = HttpResponse::Forbidden();
    response.extensions_mut().insert(refusal);
    response.json(body)
}

fn allow(headers: &mut HeaderMap, origin: HeaderValue, credentials: bool) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    if credentials {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_spelled_as_browsers_spell_it() {
        let spelled = [
            ("https://app.example.com", "https://app.example.com"),
            ("https://app.example.com/", "https://app.example.com"),
            ("HTTPS://App.Example.com:443", "https://app.example.com"),
            ("http://localhost:5173", "http://localhost:5173"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("http://[::1]:3000", "http://[::1]:3000"),
        ];
        for (text, origin) in spelled {
            assert_eq!(parse_origin(text).as_deref(), Ok(origin), "{text}");
        }
        let refused = [
            "*",
            "null",
            "app.example.com",
            "https://*.example.com",
            "https://app.example.com/path",
            "https://app.example.com?x",
            "https://user@app.example.com",
            "ftp://app.example.com",
            "file:///etc",
            "chrome-extension://abc",
            "",
        ];
        for text in refused {
            assert!(parse_origin(text).is_err(), "{text}: {:?}", parse_origin(text));
        }
    }

    #[test]
    fn a_list_is_separated_by_commas() {
        let parse = |text: &str| serde_json::from_value::<Origins>(serde_json::json!(text));
        let origins = parse("https://a.example, http://localhost:3000/").unwrap();
        assert!(origins.contains("https://a.example") && origins.contains("http://localhost:3000"));
        assert!(!origins.contains("https://a.example.evil") && !origins.contains("http://a.example"));
        assert_eq!(serde_json::to_value(&origins).unwrap(), "https://a.example, http://localhost:3000");
        assert!(parse("").unwrap().is_empty());
        assert!(parse("https://a.example, *").is_err());
    }
}
