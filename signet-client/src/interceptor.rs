use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::{GrpcMethod, Request, Status};

use crate::source::{Credentials, TokenError, TokenSource};

/// Attaches the token of a [`TokenSource`], and the proof where it is bound, to each call of a tonic client.
#[derive(Clone)]
pub struct TokenInterceptor {
    source: TokenSource,
    /// Without a slash at the end.
    service_url: String,
}

impl TokenSource {
    /// An interceptor, once there is a first token: an interceptor cannot wait for one. `service_url` is what the service is called by,
    /// such as `https://orders.example.com`: proofs are made for it.
    ///
    /// # Errors
    /// As [`Self::token`].
    pub async fn interceptor(&self, service_url: &str) -> Result<TokenInterceptor, TokenError> {
        self.token().await?;
        let service_url = service_url.trim_end_matches('/').to_owned();
        Ok(TokenInterceptor { source: self.clone(), service_url })
    }
}

impl Interceptor for TokenInterceptor {
    /// UNAVAILABLE (14) when the token has expired and could not be renewed.
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let Some(token) = self.source.held_or_fetching() else {
            return Err(Status::unavailable("no client token: the authority does not answer"));
        };
        let url = self.url_of(&request)?;
        let internal = |cause: String| Status::internal(format!("the client token: {cause}"));
        let found =
            self.source.credentials(&token, "POST", &url).map_err(|error| internal(error.to_string()))?;
        let Credentials { authorization, proof } = found;
        let value = |value: reqwest::header::HeaderValue| {
            let mut value = MetadataValue::<Ascii>::try_from(value.as_bytes())
                .map_err(|error| internal(error.to_string()))?;
            value.set_sensitive(true);
            Ok::<_, Status>(value)
        };
        request.metadata_mut().insert("authorization", value(authorization)?);
        if let Some(proof) = proof {
            request.metadata_mut().insert("dpop", value(proof)?);
        }
        Ok(request)
    }
}

impl TokenInterceptor {
    /// What is called. Generated clients say which method it is.
    fn url_of(&self, request: &Request<()>) -> Result<String, Status> {
        match request.extensions().get::<GrpcMethod<'_>>() {
            Some(called) => Ok(format!("{}/{}/{}", self.service_url, called.service(), called.method())),
            None if self.source.is_bound() => Err(Status::internal(
                "a bound token needs a generated client: which method is called is not known",
            )),
            None => Ok(String::new()),
        }
    }
}
