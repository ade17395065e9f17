use async_trait::async_trait;
use http::Extensions;
use reqwest::header::AUTHORIZATION;
use reqwest::{Request, Response, Url};
use reqwest_middleware::{Error, Middleware, Next, Result};

use crate::source::{TokenError, TokenSource};

/// Attaches the token of a [`TokenSource`], and the proof where it is bound, to each request of a client that goes to one of its origins. A request that has
/// an `Authorization` header keeps it.
#[derive(Clone)]
pub struct TokenMiddleware {
    source: TokenSource,
    origins: Vec<url::Origin>,
}

impl TokenSource {
    /// A middleware for requests to these origins, such as `https://orders.example.com`: no other server is sent the token.
    ///
    /// # Errors
    /// [`TokenError::Settings`] for a text that is no URL.
    pub fn middleware<'a>(
        &self,
        origins: impl IntoIterator<Item = &'a str>,
    ) -> std::result::Result<TokenMiddleware, TokenError> {
        let origin = |text: &str| match Url::parse(text).map(|url| url.origin()) {
            Ok(origin) if origin.is_tuple() => Ok(origin),
            _ => Err(TokenError::Settings(format!("`{text}` is not the URL of a server"))),
        };
        let origins = origins.into_iter().map(origin).collect::<std::result::Result<_, _>>()?;
        Ok(TokenMiddleware { source: self.clone(), origins })
    }
}

#[async_trait]
impl Middleware for TokenMiddleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        if self.origins.contains(&request.url().origin()) && !request.headers().contains_key(AUTHORIZATION) {
            self.source.authorize_request(&mut request).await.map_err(Error::middleware)?;
        }
        next.run(request, extensions).await
    }
}
