//! A resource service with axum: `resource-axum https://auth.example.com orders 127.0.0.1:8090`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use shared_claims::authority::{Authority, AuthoritySettings, CancellationToken};
use shared_claims::bearer::Rejection;
use shared_claims::guard::{Guard, RequiredScope};
use shared_claims::{AccessClaims, Verifier};

struct OrdersRead;

impl RequiredScope for OrdersRead {
    const SCOPE: &'static str = "orders:read";
}

/// A caller whose token is valid here.
struct Caller(Arc<AccessClaims>);

impl FromRequestParts<Arc<Guard>> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, guard: &Arc<Guard>) -> Result<Self, Response> {
        let headers = parts.headers.get_all(header::AUTHORIZATION).iter();
        let headers = headers.map(|value| value.to_str().unwrap_or("Bearer"));
        guard.authenticate_in_loop(headers).await.map(Self).map_err(refuse)
    }
}

async fn orders(State(guard): State<Arc<Guard>>, Caller(claims): Caller) -> Result<String, Response> {
    guard.authorize::<OrdersRead>(&claims).map_err(refuse)?;
    Ok(serde_json::json!({"caller": claims.sub, "orders": []}).to_string())
}

fn refuse(rejection: Rejection) -> Response {
    let status = StatusCode::from_u16(rejection.http_status()).unwrap_or(StatusCode::UNAUTHORIZED);
    let challenge = rejection.challenge().map(|challenge| [(header::WWW_AUTHENTICATE, challenge)]);
    match challenge {
        Some(challenge) => (status, challenge, rejection.description()).into_response(),
        None => (status, rejection.description()).into_response(),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [_, authority, audience, address] = &std::env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: resource-axum AUTHORITY AUDIENCE ADDRESS".into());
    };
    let followed = Authority::start(AuthoritySettings::of(authority), CancellationToken::new())?;
    let guard = Arc::new(Guard::new(Verifier::new(authority, audience), followed));
    let app = Router::new().route("/orders", get(orders)).with_state(guard);
    Ok(axum::serve(tokio::net::TcpListener::bind(address).await?, app).await?)
}
