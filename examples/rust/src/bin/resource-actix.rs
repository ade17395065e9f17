//! A resource service with actix-web: `resource-actix https://auth.example.com orders 127.0.0.1:8090`.

use std::sync::Arc;

use actix_web::{App, HttpServer, Responder, get, web};
use shared_claims::actix::Authorized;
use shared_claims::{
    Authority, AuthoritySettings, CancellationToken, Guard, Required, Requirement, Verifier,
};

/// The scope of a route, as a type: a handler cannot be written without naming it.
struct OrdersRead;

impl Requirement for OrdersRead {
    const REQUIRED: Required = Required::scope("orders:read");
}

#[get("/orders")]
async fn orders(caller: Authorized<OrdersRead>) -> impl Responder {
    web::Json(serde_json::json!({"caller": caller.claims.sub, "orders": []}))
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [_, authority, audience, address] = &std::env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: resource-actix AUTHORITY AUDIENCE ADDRESS".into());
    };
    let followed = Authority::start(AuthoritySettings::of(authority), CancellationToken::new())?;
    let guard = web::Data::new(Arc::new(Guard::new(Verifier::new(authority, audience), followed)));
    let server = HttpServer::new(move || App::new().app_data(guard.clone()).service(orders));
    Ok(server.bind(address)?.run().await?)
}
