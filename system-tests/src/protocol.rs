use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use signet_proto::auth::v1::token_service_client::TokenServiceClient;
use signet_proto::auth::v1::{
    IntrospectRequest, IssueClientTokenRequest, ObtainPairRequest, RefreshRequest, RevokeRequest,
    VerifyRequest,
};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

pub use crate::channel::channel;
use crate::system::{GATEWAY, NOTES, System};

/// By which protocol a test speaks to the authority. Over HTTP users use simplejwt's endpoints and
/// clients OAuth's; over gRPC everything is one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Http,
    Grpc,
}

/// What a login or a refresh hands out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    pub access: String,
    pub refresh: String,
}

/// Why it did not, in words that both protocols share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    Credentials,
    Inactive,
    InvalidToken,
    Expired,
    WrongType,
    Revoked,
    /// The OAuth word, for what only clients meet.
    Client(String),
}

impl Protocol {
    /// # Errors
    /// [`Refused`].
    pub async fn obtain(self, system: &System, username: &str, password: &str) -> Result<Pair, Refused> {
        match self {
            Self::Http => {
                let body = json!({"username": username, "password": password});
                simplejwt(system, "/api/token/", &body).await.map(|answer| pair(&answer))
            }
            Self::Grpc => {
                let message = ObtainPairRequest {
                    username: username.to_owned(),
                    password: password.to_owned(),
                    ..ObtainPairRequest::default()
                };
                let call = as_gateway(system, message);
                let answer = client(system).await.obtain_pair(call).await.map_err(refused)?.into_inner();
                Ok(Pair { access: answer.access_token, refresh: answer.refresh_token })
            }
        }
    }

    /// # Errors
    /// [`Refused`].
    pub async fn refresh(self, system: &System, refresh: &str) -> Result<Pair, Refused> {
        match self {
            Self::Http => simplejwt(system, "/api/token/refresh/", &json!({"refresh": refresh}))
                .await
                .map(|answer| pair(&answer)),
            Self::Grpc => {
                let message =
                    RefreshRequest { refresh_token: refresh.to_owned(), ..RefreshRequest::default() };
                let call = as_gateway(system, message);
                let answer = client(system).await.refresh(call).await.map_err(refused)?.into_inner();
                Ok(Pair { access: answer.access_token, refresh: answer.refresh_token })
            }
        }
    }

    /// # Errors
    /// [`Refused`].
    pub async fn verify(self, system: &System, token: &str) -> Result<(), Refused> {
        match self {
            Self::Http => simplejwt(system, "/api/token/verify/", &json!({"token": token})).await.map(drop),
            Self::Grpc => {
                let call = as_gateway(system, VerifyRequest { token: token.to_owned() });
                client(system).await.verify(call).await.map(drop).map_err(refused)
            }
        }
    }

    /// Ends a session by its refresh token: blacklist, or revoke.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn end(self, system: &System, refresh: &str) -> Result<(), Refused> {
        match self {
            Self::Http => {
                simplejwt(system, "/api/token/blacklist/", &json!({"refresh": refresh})).await.map(drop)
            }
            Self::Grpc => {
                let call = as_gateway(system, RevokeRequest { token: refresh.to_owned() });
                client(system).await.revoke(call).await.map(drop).map_err(refused)
            }
        }
    }

    /// A token for the client itself.
    ///
    /// # Errors
    /// [`Refused::Client`].
    pub async fn client_token(
        self,
        system: &System,
        (id, secret): (&str, &str),
        (scope, audience): (&str, &str),
    ) -> Result<String, Refused> {
        match self {
            Self::Http => {
                let mut form = vec![("grant_type", "client_credentials")];
                form.extend(
                    [("scope", scope), ("audience", audience)]
                        .into_iter()
                        .filter(|(_, value)| !value.is_empty()),
                );
                let request = system.http.post(system.auth_url("/oauth2/token")).basic_auth(id, Some(secret));
                let answer = request.form(&form).send().await.expect("an answer");
                let body: Value = answer.json().await.expect("JSON");
                body["access_token"].as_str().map(str::to_owned).ok_or_else(|| oauth_refused(&body))
            }
            Self::Grpc => {
                let message =
                    IssueClientTokenRequest { scope: scope.to_owned(), audience: audience.to_owned() };
                let call = with_basic(message, id, secret);
                let answer = client(system).await.issue_client_token(call).await.map_err(refused)?;
                Ok(answer.into_inner().access_token)
            }
        }
    }

    /// Whether a token is active, as the resource service may ask.
    ///
    /// # Panics
    /// When the question is refused.
    pub async fn is_active(self, system: &System, token: &str) -> bool {
        match self {
            Self::Http => {
                let request = system.http.post(system.auth_url("/oauth2/introspect"));
                let request = request.basic_auth(NOTES, Some(&system.notes_secret)).form(&[("token", token)]);
                let answer = request.send().await.expect("an answer");
                assert_eq!(answer.status(), 200);
                let body: Value = answer.json().await.expect("JSON");
                let active = body["active"].as_bool().expect("`active` is required");
                assert!(
                    active || body == json!({"active": false}),
                    "an inactive token says nothing else: {body}"
                );
                active
            }
            Self::Grpc => {
                let message = IntrospectRequest { token: token.to_owned() };
                let call = with_basic(message, NOTES, &system.notes_secret);
                client(system).await.introspect(call).await.expect("an answer").into_inner().active
            }
        }
    }
}

/// A gRPC client of the authority.
pub async fn client(system: &System) -> TokenServiceClient<Channel> {
    TokenServiceClient::new(channel(system.auth.grpc).await)
}

/// A call with Basic credentials in its metadata.
///
/// # Panics
/// For credentials that are no ASCII.
pub fn with_basic<T>(message: T, id: &str, secret: &str) -> Request<T> {
    let mut request = Request::new(message);
    let header = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    request.metadata_mut().insert("authorization", header.parse().expect("base64 is ASCII"));
    request
}

pub fn as_gateway<T>(system: &System, message: T) -> Request<T> {
    with_basic(message, GATEWAY, &system.gateway_secret)
}

/// A token's claims, read without any check.
///
/// # Panics
/// When it is no JWT.
#[must_use]
pub fn unverified_claims(token: &str) -> Value {
    segment(token, 1)
}

/// A token's header.
///
/// # Panics
/// When it is no JWT.
#[must_use]
pub fn unverified_header(token: &str) -> Value {
    segment(token, 0)
}

fn segment(token: &str, place: usize) -> Value {
    let segment = token.split('.').nth(place).expect("three segments");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(segment).expect("base64url")).expect("JSON")
}

async fn simplejwt(system: &System, path: &str, body: &Value) -> Result<Value, Refused> {
    let answer = system.http.post(system.auth_url(path)).json(body).send().await.expect("an answer");
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.expect("JSON");
    match (status, body["detail"].as_str()) {
        (200, _) => Ok(body),
        (401, Some("No active account found with the given credentials")) => Err(Refused::Credentials),
        (401, Some("No active account found for the given token.")) => Err(Refused::Inactive),
        (401, Some("Token is invalid")) => Err(Refused::InvalidToken),
        (401, Some("Token is expired")) => Err(Refused::Expired),
        (401, Some("Token has wrong type")) => Err(Refused::WrongType),
        (401, Some("Token is blacklisted")) => Err(Refused::Revoked),
        other => panic!("{path}: {other:?}: {body}"),
    }
}

fn pair(answer: &Value) -> Pair {
    let text = |name: &str| answer[name].as_str().expect("a token").to_owned();
    Pair { access: text("access"), refresh: text("refresh") }
}

fn refused(status: Status) -> Refused {
    let info = status.get_details_error_info().expect("every refusal carries its OAuth word");
    assert_eq!(info.domain, "signet");
    match (status.code(), info.reason.as_str(), status.message()) {
        (Code::Unauthenticated, "invalid_grant", "the credentials are not valid") => Refused::Credentials,
        (Code::Unauthenticated, "invalid_grant", "the account is not active") => Refused::Inactive,
        (Code::Unauthenticated, "invalid_grant", "the token is not valid") => Refused::InvalidToken,
        (Code::Unauthenticated, "invalid_grant", "the token has expired") => Refused::Expired,
        (Code::Unauthenticated, "invalid_grant", "the token is of the wrong type") => Refused::WrongType,
        (Code::Unauthenticated, "invalid_grant", "the token is no longer valid") => Refused::Revoked,
        (_, word, _) => Refused::Client(word.to_owned()),
    }
}

fn oauth_refused(body: &Value) -> Refused {
    Refused::Client(body["error"].as_str().expect("an error word").to_owned())
}
