use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::source::{TokenError, TokenSource};

/// Attaches the token of a [`TokenSource`] to each call of a tonic client.
#[derive(Clone)]
pub struct TokenInterceptor(TokenSource);

impl TokenSource {
    /// An interceptor, once there is a first token: an interceptor cannot wait for one.
    ///
    /// # Errors
    /// As [`Self::token`].
    pub async fn interceptor(&self) -> Result<TokenInterceptor, TokenError> {
        self.token().await?;
        Ok(TokenInterceptor(self.clone()))
    }
}

impl Interceptor for TokenInterceptor {
    /// UNAVAILABLE (14) when the token has expired and could not be renewed.
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let Some(token) = self.0.held_or_fetching() else {
            return Err(Status::unavailable("no client token: the authority does not answer"));
        };
        let value: Result<MetadataValue<Ascii>, _> = format!("Bearer {token}").parse();
        let mut value = value.map_err(|_| Status::internal("the client token is no header value"))?;
        value.set_sensitive(true);
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }
}
