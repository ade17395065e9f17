//! A resource service with axum: `resource-axum https://auth.example.com orders 127.0.0.1:8090`.

use std::sync::Arc;

use axum::routing::get;
use axum::{Extension, Json, Router};
use serde_json::{Value, json};
use shared_claims::tower::BearerLayer;
use shared_claims::{
    AccessClaims, Authority, AuthoritySettings, CancellationToken, Guard, Required, Requirement, Verifier,
};

struct OrdersRead;

impl Requirement for OrdersRead {
    const REQUIRED: Required = Required::scope("orders:read");
}

async fn orders(Extension(claims): Extension<Arc<AccessClaims>>) -> Json<Value> {
    Json(json!({"caller": claims.sub, "orders": []}))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [_, authority, audience, address] = &std::env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: resource-axum AUTHORITY AUDIENCE ADDRESS".into());
    };
    let followed = Authority::start(AuthoritySettings::of(authority), CancellationToken::new())?;
    let guard = Arc::new(Guard::new(Verifier::new(authority, audience), followed));
    let app = Router::new().route("/orders", get(orders)).route_layer(BearerLayer::<OrdersRead>::new(guard));
    Ok(axum::serve(tokio::net::TcpListener::bind(address).await?, app).await?)
}
