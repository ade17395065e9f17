//! Refresh tokens that browsers hold in a cookie (`AUTH__SIMPLEJWT__REFRESH_COOKIE`), and clients in the body.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde_json::json;

use super::Rotated;
use super::errors::{SimpleJwtError, answer};
use super::fields;
use super::request::{Field, Submitted};
use crate::authority::tokens::IssuedTokens;
use crate::error::{Error, ErrorKind, SignInFault};
use crate::http::browser::{Browsers, Holder};

/// A refresh token as it came.
pub(super) struct Presented {
    pub refresh_token: String,
    /// Who gets the next one: also a browser that presented one in the body, which it held before.
    pub holder: Holder,
}

impl Presented {
    /// From the body, or where that has none from the cookie.
    pub(super) async fn read(
        request: &HttpRequest,
        payload: Payload,
        browsers: &Browsers,
    ) -> Result<Self, SimpleJwtError> {
        let holder = browsers.holder(request)?;
        let mut submitted = Submitted::read(request, payload).await?;
        // A token is not trimmed: space around it would be a second spelling of it.
        let field = submitted.untrimmed("refresh");
        let in_cookie = match (&field, holder) {
            (Field::Missing, Holder::Browser) => browsers.refresh_token(request),
            _ => None,
        };
        let refresh_token = match in_cookie {
            Some(token) => token,
            None => {
                let [token] = fields::all([("refresh", field)])?;
                token
            }
        };
        Ok(Self { refresh_token, holder })
    }

    /// A browser forgets a token that can never be good again.
    pub(super) fn refused(&self, browsers: &Browsers, error: Error) -> Result<HttpResponse, SimpleJwtError> {
        let is_final =
            matches!(error.kind, ErrorKind::Token(_) | ErrorKind::SignIn(SignInFault::AccountInactive));
        let error = SimpleJwtError::from(error);
        if !is_final || self.holder == Holder::Client {
            return Err(error);
        }
        Ok(with_cookie(error.error_response(), &browsers.removal()))
    }
}

/// The access token in the body, and the refresh token, if there is another one, in the cookie.
pub(super) fn rotated(browsers: &Browsers, issued: IssuedTokens) -> HttpResponse {
    let body = Rotated { access: issued.access_token, refresh: None };
    let response = answer(HttpResponse::Ok()).json(body);
    match issued.refresh_token {
        Some(token) => with_cookie(response, &browsers.cookie(&token)),
        None => response,
    }
}

/// The session has ended.
pub(super) fn ended(browsers: &Browsers) -> HttpResponse {
    with_cookie(answer(HttpResponse::Ok()).json(json!({})), &browsers.removal())
}

fn with_cookie(mut response: HttpResponse, cookie: &actix_web::cookie::Cookie<'_>) -> HttpResponse {
    // It fails for a value that no header can hold: a JWT and an empty one are none.
    let _ = response.add_cookie(cookie);
    response
}
