use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::Payload;

use super::errors::OAuthError;
use crate::error::Error;
use crate::http::body::{self, BodyError};
use crate::http::form;

/// Largest form at an OAuth endpoint, in bytes.
const MAX_FORM_BYTES: usize = 16 * 1024;

/// The parameters of a request: each at most once, and an empty one is an absent one
/// (RFC 6749 section 3.2).
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads the form of a request.
    pub(super) async fn read(request: &HttpRequest, payload: Payload) -> Result<Self, OAuthError> {
        if !is_form(request) {
            return Err(OAuthError::UnsupportedMediaType);
        }
        let body = body::read(request, payload, MAX_FORM_BYTES).await.map_err(|error| match error {
            BodyError::TooLarge => OAuthError::BodyTooLarge,
            BodyError::TooSlow => OAuthError::BodyTooSlow,
            BodyError::Broken => invalid("the body broke off"),
        })?;
        let pairs = form::parse(&body).map_err(|_| invalid("the body is not a form in UTF-8"))?;
        let mut names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(invalid("a parameter is repeated"));
        }
        Ok(Self(pairs))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(held, _)| held == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }
}

fn invalid(hint: &'static str) -> OAuthError {
    OAuthError::Failed(Error::invalid_request(hint))
}

fn is_form(request: &HttpRequest) -> bool {
    let value =
        request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media_type = value.split(';').next().unwrap_or("").trim();
    media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}
